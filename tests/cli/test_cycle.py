"""Train, info, evaluate, predict, in every domain, from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from multiunet_cli.evaluate import show
from multiunet_cli.measure import show as show_phases

from multiunet import open_prediction
from multiunet.domains.result import Report
from multiunet.training.checkpoint import load

DOMAINS = ["image", "genome", "graph", "graphs"]


@pytest.mark.parametrize("domain", DOMAINS)
def test_train_info_evaluate_predict(domain: str, worlds: dict, multiunet: Callable, tmp_path: Path) -> None:
    world, run, out = worlds[domain], tmp_path / "run", tmp_path / "p.zarr"

    trained = multiunet("train", domain, *world.train, "--out", run)
    assert trained.code == 0, trained.err
    assert "run folder:" in trained.out
    assert (run / "STATUS").read_text() == "done\n"
    assert yaml.safe_load((run / "config.yaml").read_text())["seed"] == 1
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 2

    shown = json.loads(multiunet("info", run, "--json").out)
    assert shown["network"]["parameters"] > 100
    assert [shape[1] for shape in shown["network"]["levels"]] == shown["config"]["widths"]
    assert shown["status"] == "done"

    scored = multiunet("evaluate", domain, "--run", run, "--json", "--samples", 3)
    assert scored.code == 0, scored.err
    report = json.loads(scored.out)
    assert {"domain", "scored", "metrics", "baselines"} <= report.keys()
    assert report["domain"] == domain
    assert report["scored"] == "test split"
    name = {"image": "mean_iou", "genome": "pearson_r", "graph": "accuracy", "graphs": "accuracy"}[domain]
    assert name in report["metrics"]
    judged = (
        {"coverage_90", "interval_width_90", "ence"} if domain == "genome" else {"calibration_error", "error_auroc"}
    )
    assert {"aurc", *judged} <= report["metrics"].keys()
    assert len(report["baselines"]) >= 2
    assert all(name in scores for scores in report["baselines"].values())

    told = multiunet("evaluate", domain, "--run", run, "--json", "--ood", world.train[1], "--samples", 2)
    assert told.code == 0, told.err
    other = {name: area for name, area in json.loads(told.out)["metrics"].items() if name.startswith("ood_")}
    assert set(other) == {f"ood_{of}_auroc{by}" for of in ("item", "site") for by in ("", "_epistemic")}
    assert 0 < other["ood_site_auroc"] < 1  # of all data, of which those scored are a part
    assert (other["ood_item_auroc"] is not None) == (domain in ("image", "genome"))

    words = ["--run", run, *world.predict, "--out", out, "--samples", 3]
    predicted = multiunet("predict", domain, *words, "--export", tmp_path / "files")
    assert predicted.code == 0, predicted.err
    assert list((tmp_path / "files").iterdir())
    for data in open_prediction(out).values():
        np.testing.assert_array_equal(data["total"], data["epistemic"] + data["aleatoric"])
        assert float(data["epistemic"].mean()) > 0
        assert np.isfinite(data["mean"]).all()
        assert ("class" in data) == (domain != "genome")
    again = multiunet("predict", domain, *words)
    assert again.code == 3
    assert "--overwrite" in again.err
    assert multiunet("predict", domain, *words, "--overwrite").code == 0


@pytest.mark.parametrize("domain", DOMAINS)
def test_dry_run_shows_the_plan_and_writes_nothing(
    domain: str, worlds: dict, multiunet: Callable, tmp_path: Path
) -> None:
    done = multiunet("train", domain, *worlds[domain].train, "--out", tmp_path / "run", "--dry-run", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["parameters"] > 100
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("domain", DOMAINS)
def test_two_runs_have_the_same_weights_and_a_runs_config_repeats_it(
    domain: str, worlds: dict, multiunet: Callable, tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    assert multiunet("train", domain, *worlds[domain].train, "--out", one).code == 0
    assert multiunet("train", domain, "--config", one / "config.yaml", "--out", two).code == 0
    first, second = (load(run / "checkpoints/best.safetensors") for run in (one, two))
    assert first.state == second.state
    assert all(torch.equal(value, second.tensors[name]) for name, value in first.tensors.items())


def test_resume_goes_on_and_refuses_other_settings(worlds: dict, multiunet: Callable, tmp_path: Path) -> None:
    run, words = tmp_path / "run", [*worlds["graph"].train, "--out", tmp_path / "run"]
    assert multiunet("train", "graph", *words, "--resume", "auto").code == 0
    before = load(run / "checkpoints/last.safetensors")
    again = multiunet("train", "graph", *words)
    assert again.code == 3
    assert "--resume auto" in again.err
    assert multiunet("train", "graph", *words, "--resume", "auto").code == 0
    after = load(run / "checkpoints/last.safetensors")
    assert after.state == before.state
    assert all(torch.equal(value, after.tensors[name]) for name, value in before.tensors.items())
    other = multiunet("train", "graph", *words, "--resume", "auto", "--lr", "0.5")
    assert other.code == 3
    assert "lr: " in other.err


def test_resume_takes_what_an_older_run_does_not_mention_for_its_default(
    worlds: dict, multiunet: Callable, tmp_path: Path
) -> None:
    run, words = tmp_path / "run", [*worlds["graph"].train, "--out", tmp_path / "run", "--resume", "auto"]
    assert multiunet("train", "graph", *words).code == 0
    config = yaml.safe_load((run / "config.yaml").read_text())
    del config["clip"], config["warmup"]
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    assert multiunet("train", "graph", *words).code == 0
    other = multiunet("train", "graph", *words, "--clip", "0.5")
    assert other.code == 3
    assert "cannot resume with other settings (clip: 1.0 then, 0.5 now)" in other.err


def test_resume_names_another_domain_and_other_data(worlds: dict, multiunet: Callable, tmp_path: Path) -> None:
    run, words = tmp_path / "run", [*worlds["graph"].train, "--out", tmp_path / "run", "--resume", "auto"]
    assert multiunet("train", "graph", *words).code == 0
    other = multiunet("train", "genome", *worlds["genome"].train, "--out", run, "--resume", "auto")
    assert other.code == 3
    assert "a run of domain 'graph', not 'genome'; choose another --out" in other.err
    facts = json.loads((run / "dataset.json").read_text())
    (run / "dataset.json").write_text(json.dumps(facts | {"data": "0" * 16}))
    done = multiunet("train", "graph", *words)
    assert done.code == 3
    assert "have changed since this run began (data)" in done.err
    (run / "config.yaml").write_text("domain: proteins\n")
    assert "its domain is 'proteins', which is not installed here; there are image" in multiunet("info", run).err


def test_figures_are_whole_on_a_narrow_terminal(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    own = {"iou": [0.12351, None, 1.0], "classes": ["0", "85", "matrix"], "loss": 0.5}
    baselines = {"majority": {"iou": [0.0, 0.25, 0.5]}, "multi_otsu": {"iou": None}}
    show(Report("image", "test split", own, baselines, {}))
    rows = [line.replace("\u2502", " ").split() for line in capsys.readouterr().out.splitlines()]
    assert ["iou", "0", "0.1235", "0.0000", "-"] in rows
    assert ["iou", "85", "-", "0.2500", "-"] in rows
    assert ["iou", "matrix", "1.0000", "0.5000", "-"] in rows
    assert ["loss", "0.5000", "-", "-"] in rows


def test_names_in_tables_are_no_markup(capsys: pytest.CaptureFixture) -> None:
    show(Report("image", "w[/x]", {"iou": [0.5], "classes": ["a[/b]"], "best": "c[red]d"}, {}, {}))
    phase = {"image": "w[/x].png", "phase": "a[/b]", "length_unit": "px", "objects": 3, "whole": 2, "pooled": False}
    numbers = {"fraction": 0.5, "fraction_low": 0.4, "fraction_high": 0.75, "diameter_mean": 3.0, "separated": False}
    show_phases([phase | numbers])
    shown = capsys.readouterr().out
    assert "40.00 to 75.00" in shown
    for name in ("image, w[/x]", "iou a[/b]", "c[red]d", "w[/x].png"):
        assert name in shown
    assert "objects' area" not in shown
    show_phases([phase | numbers | {"separated": True, "fraction_low": None, "fraction_high": None}])
    shown = " ".join(capsys.readouterr().out.split())
    assert "no intervals: predicted raw, or with a run that is not calibrated (multiunet calibrate)" in shown
    assert "the fraction is the objects' area" in shown


def test_a_table_has_rows_for_each_track(capsys: pytest.CaptureFixture) -> None:
    tracks = [{"track": "fwd", "mse": 1.0}, {"track": "rev", "mse": 2.0}]
    mean = [{"track": "fwd", "mse": 3.0}, {"track": "rev", "mse": 4.0}]
    show(Report("genome", "test split", {"mse": 1.5, "per_track": tracks}, {"mean": {"mse": 3.5, "per_track": mean}}))
    rows = [line.replace("\u2502", " ").split() for line in capsys.readouterr().out.splitlines()]
    assert ["mse", "fwd", "1.0000", "3.0000"] in rows
    assert ["mse", "rev", "2.0000", "4.0000"] in rows
