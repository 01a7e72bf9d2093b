"use strict";
(function () {
  const find = (name) => document.getElementById(name);
  document.documentElement.classList.add("live");
  const boxes = [...document.querySelectorAll("input[data-skip]")];
  function showSkips() {
    const number = boxes.reduce((sum, box, place) => sum + (box.checked ? 1 << place : 0), 0);
    const row = find("combination-" + number);
    const pictures = row.querySelectorAll("img");
    find("prediction").src = pictures[0].src;
    find("error").src = pictures[1].src;
    find("skip-score").textContent = row.dataset.score;
    find("skip-change").textContent = row.dataset.change;
  }
  boxes.forEach((box) => box.addEventListener("change", showSkips));
  const rates = JSON.parse(find("rates").textContent);
  function say(name, text) {
    find(name + "-now").textContent = text;
    find(name).setAttribute("aria-valuetext", text); // what is read aloud, in place of the slider's own number
  }
  function showScores() {
    const place = Number(find("threshold").value), share = Math.pow(10, Number(find("share").value));
    const hits = rates.hits[place - 1], alarms = rates.alarms[place - 1];
    const right = share * hits, wrong = (1 - share) * alarms;
    say("threshold", (place / 100).toFixed(2));
    say("share", (100 * share).toPrecision(3) + " %");
    find("accuracy-now").textContent = (right + (1 - share) * (1 - alarms)).toFixed(4);
    find("dice-now").textContent = (2 * right / Math.max(right + wrong + share, 1e-12)).toFixed(4);
  }
  ["threshold", "share"].forEach((name) => find(name).addEventListener("input", showScores));
  showSkips();
  showScores();
})();
