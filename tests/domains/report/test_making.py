"""The page of a run: one file, no requests, no markup from names, and the numbers of ``evaluate``."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multiunet.domains import inference
from multiunet.domains.report.charts import Axis, Line, make_chart
from multiunet.domains.report.making import make_page, report_training, try_page, write_page
from multiunet.domains.report.page import MOST_BYTES, environment
from multiunet.domains.report.tables import tabulate_scores
from multiunet.domains.result import Report
from multiunet.wording import figure

HOSTILE = "a&amp;<script>alert(1)<b>"
"""A file name that would be markup, and an entity, if it were not escaped."""

CLASS = '"><img src=x onerror=alert(2)>'


@pytest.fixture(scope="module")
def report(run: Path) -> Report:
    return inference.evaluate(run, {"samples": 3})


@pytest.fixture(scope="module")
def page(run: Path, report: Report, reader: Any) -> Any:
    return reader(make_page(run, report))


def test_a_page_loads_nothing_and_runs_nothing(page: Any, run: Path, report: Report) -> None:
    text = make_page(run, report)
    assert len(text.encode()) < MOST_BYTES
    assert {"script", "link", "iframe", "object", "embed", "form", "base"}.isdisjoint(tag for tag, _ in page.elements)
    for _, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "action", "data", "srcset"):
            assert attributes.get(name, "#").startswith(("#", "data:image/")), attributes
    [policy] = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "script-src" not in policy
    assert "url(" not in text
    assert "@import" not in text


def test_names_are_text_and_never_markup(page: Any) -> None:
    shown = "".join(page.text)
    assert re.search(re.escape(HOSTILE) + "[0-5]", shown)
    assert CLASS in shown
    assert "x" not in [image["src"] for image in page.all("img")]


def test_numbers_are_those_of_evaluate(page: Any, report: Report) -> None:
    scores = json.loads(json.dumps(report.as_dict()))
    for name in ("mean_iou", "micro_iou", "dice", "pixel_accuracy"):
        columns = [scores["metrics"], *scores["baselines"].values()]
        assert page.rows[name][: len(columns)] == [figure(one[name]) for one in columns]
    for name in ("calibration_error", "error_auroc", "nll", "brier", "aurc"):
        assert page.rows[name][0] == figure(scores["metrics"][name])
    shown = "".join(page.text)
    for row in scores["metrics"]["confusion"]:
        assert all(f"{count:,}" in shown for count in row)


def test_words_of_scores_are_those_of_the_tables(run: Path, report: Report) -> None:
    worse = replace(report, metrics={**report.metrics, "mean_iou": 0.0}, baselines={"multi_otsu": {"mean_iou": 0.5}})
    text = make_page(run, replace(worse, metrics={**worse.metrics, "item_spearman": 0.41234}))
    assert "worse than the baseline multi otsu in mean IoU (0.0000, multi otsu 0.5000)" in text
    assert f"<td>0.41 ({len(report.items)} items)</td>" in text


def test_the_best_of_every_error_is_marked(report: Report) -> None:
    metrics, others = {"r2": 0.5, "mse": 4.0, "rmse": 2.0}, {"mean": {"r2": 0.0, "mse": 1.0, "rmse": 1.0}}
    table = tabulate_scores(replace(report, metrics=metrics, baselines=others))
    assert table is not None
    assert {row.key: row.best for row in table.rows} == {"r2": 0, "mse": 1, "rmse": 1}


def test_the_name_of_a_first_epoch_stands_beside_its_line_and_not_on_the_axis() -> None:
    first, last = (
        make_chart("Loss", [Line("validation", [(1, 1.0), (9, 2.0)])], Axis("epoch"), Axis(""), mark=(epoch, "best"))
        for epoch in (1, 9)
    )
    parts: Any = environment().get_template("parts.html.j2").module
    assert 'text-anchor="start">best<' in parts.chart(first)
    assert 'text-anchor="end">best<' in parts.chart(last)


def test_cases_have_pictures_of_truth_prediction_error_and_uncertainty(page: Any, report: Report) -> None:
    assert report.draw is not None
    cases = report.draw()
    assert [panel.title for panel in cases[0].panels] == ["image", "truth", "prediction", "error", "uncertainty"]
    assert len(page.all("img")) == sum(len(case.panels) for case in cases)
    assert all(image["src"].startswith("data:image/") and image["alt"] for image in page.all("img"))


def test_training_ends_with_a_page_of_the_validation_split(run: Path) -> None:
    [written] = report_training(run)
    text = written.read_text()
    assert written == run / "report.html"
    assert "also chose the best epoch" in text
    assert "val split" in text


def test_a_run_without_scores_has_its_curves(run: Path, reader: Any) -> None:
    page = reader(make_page(run))
    assert len([one for one in page.all("svg") if one.get("class") == "chart"]) == 2
    assert not page.all("img")
    assert "Nothing has been scored yet" in "".join(page.text)


def test_what_cannot_be_written_is_said(run: Path, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    broken = tmp_path / "run"
    shutil.copytree(run, broken)
    (broken / "report.html").unlink(missing_ok=True)
    (broken / "report.html").mkdir()
    assert try_page(broken, None) == []
    assert "not written" in caplog.text


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [1200, 500])
def test_chromium_shows_it_without_a_complaint(run: Path, report: Report, tmp_path: Path, width: int) -> None:
    page = write_page(run, report)
    flags = (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
        *("--disable-background-networking", "--disable-component-update", "--enable-logging=stderr"),
        *(f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900", "--dump-dom"),
    )
    done = subprocess.run(["chromium", *flags, f"file://{page}"], capture_output=True, text=True, timeout=120)
    assert "Content Security Policy" not in done.stderr
    assert "CONSOLE" not in done.stderr
    assert 'id="uncertainty"' in done.stdout
