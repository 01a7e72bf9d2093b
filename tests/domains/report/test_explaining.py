"""The page that explains a run: its numbers are those of ``evaluate``, and its script is the only one that may run."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from multiunet.domains import inference
from multiunet.domains.explaining import explain
from multiunet.domains.image.explaining import THRESHOLDS, compute_scores, find_rates, find_threshold, make_decision
from multiunet.domains.report.page import MOST_BYTES
from multiunet.errors import InputError
from multiunet.tasks import Segmentation
from multiunet.uncertainty import ClassCalibration


@pytest.fixture(scope="module")
def page(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return explain(run, tmp_path_factory.mktemp("pages") / "page.html")


def test_all_skips_give_the_scores_of_evaluate(run: Path, page: Path, reader: Any) -> None:
    report = inference.evaluate(run, {"samples": 1, "tta_flips": False})
    rows = {one["id"]: one for one in reader(page.read_text()).all("figure") if "data-score" in one}
    assert len(rows) == 2  # a network of two levels has one skip
    score = next(iter(report.items.values()))["mean_iou"]
    assert float(rows["combination-1"]["data-score"]) == pytest.approx(score, abs=1e-3)
    assert rows["combination-1"]["data-change"].startswith("+0.0000")


def test_only_its_own_script_may_run_and_nothing_is_loaded(page: Path, reader: Any) -> None:
    text = page.read_text()
    assert len(text.encode()) < MOST_BYTES
    read = reader(text)
    [policy] = [meta["content"] for meta in read.all("meta") if "http-equiv" in meta]
    script = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)[-1]
    assert f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'")
    for _, attributes in read.elements:
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("src", "data:image/").startswith("data:image/")
        assert attributes.get("href", "#").startswith("#")
    assert "alert(1)<b>" in "".join(read.text)


def test_rates_are_shares_of_the_class_and_of_the_others() -> None:
    generator = np.random.default_rng(0)
    p = generator.random((2, 400))
    truth = (generator.random(400) < 0.2).astype(np.int64)
    rates = find_rates(p, truth, ["outside", "crack"])
    assert rates.name == "crack"
    taken = p[1] >= 0.5
    place = THRESHOLDS // 2 - 1
    accuracy, dice = compute_scores(rates.share, rates.hits[place], rates.alarms[place])
    assert accuracy == pytest.approx((taken == (truth == 1)).mean())
    assert dice == pytest.approx(2 * (taken & (truth == 1)).sum() / (taken.sum() + (truth == 1).sum()))


def test_a_page_begins_at_a_threshold_that_finds_something() -> None:
    truth = np.repeat([0, 1], [90, 10])
    p = np.where(truth == 1, 0.3, 0.05)
    found = find_rates(np.stack([1 - p, p]), truth, ["outside", "crack"])
    assert 5 < find_threshold(found) <= 30  # at a half nothing is found, so Dice would be 0 whatever the share
    surer = find_rates(np.stack([1 - 2 * p, 2 * p]), truth, ["outside", "crack"])
    assert find_threshold(surer) == 50


def test_thresholds_of_rare_classes_decide_as_in_predictions() -> None:
    mean = torch.tensor([[[0.7, 0.9]], [[0.3, 0.1]]])[None]
    task = Segmentation(["outside", "crack"])
    assert make_decision(task, None)(mean).tolist() == [[[0, 0]]]
    calibration = ClassCalibration(1.0, thresholds={"crack": 0.4})
    assert make_decision(task, calibration)(mean).tolist() == task.decide(mean, calibration).tolist() == [[[1, 0]]]
    sharper = ClassCalibration(0.5, thresholds={"crack": 0.4})  # 0.3 becomes 0.16
    assert make_decision(task, sharper)(mean).tolist() == [[[0, 0]]]


def test_what_cannot_be_explained_is_refused(run: Path, page: Path) -> None:
    with pytest.raises(InputError, match="exists already"):
        explain(run, page)
    with pytest.raises(InputError, match="is not an image of the test split"):
        explain(run, page, item="nobody", overwrite=True)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
def test_its_script_runs_in_chromium(page: Path, tmp_path: Path) -> None:
    flags = (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
        *("--disable-background-networking", "--disable-component-update", "--enable-logging=stderr"),
        *(f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"),
    )
    done = subprocess.run(["chromium", *flags, f"file://{page}"], capture_output=True, text=True, timeout=120)
    assert "Content Security Policy" not in done.stderr
    assert "CONSOLE" not in done.stderr
    [rates] = re.findall(r'id="rates">(.*?)</script>', done.stdout)
    known = json.loads(rates)
    share, threshold = (
        re.findall(rf'id="{name}"[^>]* value="([^"]*)"', done.stdout)[0] for name in ("share", "threshold")
    )
    assert 10 ** float(share) == pytest.approx(known["share"], rel=0.02)
    place = int(threshold) - 1
    accuracy, dice = compute_scores(10 ** float(share), known["hits"][place], known["alarms"][place])
    shown = [re.findall(rf'id="{name}-now">([^<]*)<', done.stdout)[0] for name in ("accuracy", "dice")]
    assert [float(one) for one in shown] == pytest.approx([accuracy, dice], abs=1e-4)
