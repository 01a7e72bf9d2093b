"""What commands say besides their results."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def run(worlds: dict[str, Any], multiunet: Callable, tmp_path: Path) -> Path:
    done = multiunet("train", "image", *worlds["image"].train, "--test-fraction", 0.4, "--out", tmp_path / "run")
    assert done.code == 0, done.err
    assert f"next: multiunet evaluate image --run {tmp_path / 'run'}" in done.out
    return tmp_path / "run"


def test_what_comes_next_can_be_done(worlds: dict[str, Any], multiunet: Callable, tmp_path: Path) -> None:
    done = multiunet("train", "image", *worlds["image"].train, "--test-fraction", 0, "--out", tmp_path / "run")
    assert f"next: multiunet predict image --run {tmp_path / 'run'} --images IMAGES --out NAME.zarr" in done.out
    words = ["--run", tmp_path / "run", *worlds["image"].predict, "--samples", 1, "--out", tmp_path / "p.zarr"]
    done = multiunet("predict", "image", *words)
    assert f"next: multiunet measure image --prediction {tmp_path / 'p.zarr'}" in done.out


@pytest.mark.parametrize(
    ("told", "more"),
    [
        ([], ""),
        (["--masks", "masks"], "--masks MASKS "),
        (["--given", "images"], "--given GIVEN "),
        (["--labels", "labels.csv"], ""),
        (["--labels", "labels.csv", "--condition-drop", 0], "--label LABEL "),
    ],
)
def test_samples_that_come_next_are_given_what_they_are_made_from(
    told: list[Any], more: str, multiunet: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for folder, largest in (("images", 255), ("masks", 2)):
        (tmp_path / folder).mkdir()
        for index in range(2):
            Image.fromarray(rng.integers(0, largest, (16, 16), dtype=np.uint8)).save(f"{folder}/{index}.png")
    (tmp_path / "labels.csv").write_text("image,label\n0.png,a\n1.png,b\n")
    short = ["--widths", "8,16", "--epochs", 1, "--steps-per-epoch", 1, "--sample-every", 0, "--val-fraction", 0]
    done = multiunet("train", "image", "--task", "generate", "--images", "images", *told, *short, "--out", "run")
    assert f"next: multiunet sample image --run run {more}--out NAME.zarr --export DIR" in done.out, done.err
    # what is asked for is what is missing: without it there are no samples
    words = ["--count", 1, "--steps", 1, "--out", "s.zarr"]
    assert (multiunet("sample", "image", "--run", "run", *words, "--dry-run").code == 0) == (more == "")


def test_quantities_are_sent_to_be_measured_too(multiunet: Callable, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for index in range(5):
        Image.fromarray(rng.integers(0, 255, (32, 32), dtype=np.uint8)).save(tmp_path / f"images/{index}.png")
    words = ["--images", tmp_path / "images", "--targets", tmp_path / "images", "--task", "regression"]
    short = ["--widths", "4,8", "--epochs", 1, "--steps-per-epoch", 1]
    assert multiunet("train", "image", *words, *short, "--out", tmp_path / "run").code == 0
    words = ["--run", tmp_path / "run", "--images", tmp_path / "images", "--samples", 1]
    done = multiunet("predict", "image", *words, "--out", tmp_path / "p.zarr")
    assert (done.code, f"next: multiunet measure image --prediction {tmp_path / 'p.zarr'}" in done.out) == (0, True)
    assert multiunet("measure", "image", "--prediction", tmp_path / "p.zarr").code == 0


@pytest.mark.parametrize(("status", "said"), [("stopped by SIGINT; state saved", "was stopped after"), ("done", None)])
def test_unfinished_runs_are_used_with_a_word(
    status: str, said: str | None, run: Path, worlds: dict[str, Any], multiunet: Callable, tmp_path: Path
) -> None:
    (run / "STATUS").write_text(status + "\n")
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("epochs: 2\n", "epochs: 60\n", 1))
    out = ["--samples", 1, "--out", tmp_path / "p.zarr"]
    for done in (
        multiunet("evaluate", "image", "--run", run),
        multiunet("predict", "image", "--run", run, *worlds["image"].predict, *out),
    ):
        assert done.code == 0, done.err
        lines = [line for line in done.err.splitlines() if "--resume auto" in line]
        expected = f"warning: {run}: training {said} 2 of 60 epochs; go on with it by --resume auto"
        assert lines == ([] if said is None else [expected])
    [line] = [line for line in multiunet("info", "--run", run).out.splitlines() if line.startswith("status")]
    assert line.split(maxsplit=1)[1] == status


def test_splits_are_shown_with_their_numbers(run: Path, worlds: dict[str, Any], multiunet: Callable) -> None:
    words = [*worlds["image"].train, "--test-fraction", 0.4, "--out", run.parent / "other", "--dry-run"]
    split = json.loads((run / "dataset.json").read_text())["split"]
    names = {part: [item["name"] for item in split[part]] for part in ("train", "val", "test")}
    expected = "; ".join(f"{len(found)} {part} ({', '.join(found)})" for part, found in names.items())
    for done in (multiunet("train", "image", *words, "--verbose"), multiunet("info", run, "--verbose")):
        assert f"  split: {expected}\n" in done.out, done.err


def test_a_dry_run_says_what_takes_too_little_memory(
    run: Path, worlds: dict[str, Any], multiunet: Callable, tmp_path: Path
) -> None:
    words = ["--run", run, *worlds["image"].predict, "--out", tmp_path / "p.zarr", "--memory"]
    for more in (["--dry-run"], []):
        done = multiunet("predict", "image", *words, "100MB", *more)
        assert (done.code, done.out) == (3, "")
        assert "memory 100 MB: the program alone takes" in done.err
    assert multiunet("predict", "image", *words, "100GB", "--dry-run").code == 0


def test_folds_are_shown_one_by_one(worlds: dict[str, Any], multiunet: Callable, tmp_path: Path) -> None:
    out = tmp_path / "cv"
    trained = multiunet("train", "graphs", *worlds["graphs"].train, "--folds", 2, "--out", out)
    assert trained.code == 0, trained.err
    best = [json.loads(multiunet("info", out / f"fold-{fold}", "--json").out)["best"] for fold in range(2)]
    lines = trained.out.splitlines()
    for fold, own in enumerate(best):
        [line] = [line for line in lines if line.startswith(f"fold-{fold}: best epoch {own['epoch']}, on validation: ")]
        assert f"  accuracy {own['scores']['accuracy']:.4f}" in line
    (out / "fold-1/STATUS").write_text("stopped by SIGINT; state saved\n")
    shown = json.loads(multiunet("info", out, "--json").out)
    assert shown["domain"] == "graphs"
    assert [fold["run"] for fold in shown["folds"]] == [str(out / "fold-0"), str(out / "fold-1")]
    assert [fold["status"] for fold in shown["folds"]] == ["done", "stopped by SIGINT; state saved"]
    assert [{"epoch": fold["best_epoch"], "scores": fold["validation"]} for fold in shown["folds"]] == best
    rows = [line.replace("\u2502", " ").split() for line in multiunet("info", out).out.splitlines()]
    [row] = [row for row in rows if row[:1] == ["fold-0"]]
    assert row[1:3] == ["done", str(best[0]["epoch"])]
    assert f"{best[0]['scores']['accuracy']:.4f}" in row
    assert any(row[:4] == ["fold-1", "stopped", "by", "SIGINT"] for row in rows)
    again = multiunet(
        "train", "graphs", *worlds["graphs"].train, "--folds", 2, "--out", out, "--resume", "auto", "--json"
    )
    assert json.loads(again.out)["folds"] == [
        {key: fold[key] for key in ("run", "best_epoch", "validation")} for fold in shown["folds"]
    ]
    scored = multiunet("evaluate", "graphs", "--run", out)
    assert "graphs, test split, 2 folds pooled" in scored.out


def test_warnings_are_called_so(worlds: dict[str, Any], multiunet: Callable, tmp_path: Path) -> None:
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    rng = np.random.default_rng(0)
    for index in range(5):
        pixels = rng.integers(0, 255, (32, 32), dtype=np.uint8) if index else np.full((32, 32), 7, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"images/{index}.png")
        Image.fromarray((np.indices((32, 32))[0] > 9).astype(np.uint8)).save(tmp_path / f"masks/{index}.png")
    words = ["--images", tmp_path / "images", "--masks", tmp_path / "masks", "--widths", "4,8"]
    for _ in range(2):  # in one process, too
        done = multiunet("train", "image", *words, "--out", tmp_path / "run", "--dry-run")
        [line] = [line for line in done.err.splitlines() if "all pixels are 7" in line]
        assert line.startswith("warning: ")


def test_scores_are_written_as_tables(run: Path, multiunet: Callable, tmp_path: Path) -> None:
    done = multiunet("evaluate", "image", "--run", run, "--out", tmp_path / "scores", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    matrix = np.array(report["metrics"]["confusion"])
    assert matrix.sum() == 64 * 64 * len(report["items"])
    recall = [row[index] / row.sum() for index, row in enumerate(matrix)]
    assert report["metrics"]["recall"] == pytest.approx(recall)
    rows = list(csv.DictReader((tmp_path / "scores/scores.csv").open()))
    assert [row["item"] for row in rows] == list(report["items"])
    names = report["metrics"]["classes"]
    assert float(rows[0][f"iou {names[1]}"]) == report["items"][rows[0]["item"]]["iou"][1]
    table = list(csv.reader((tmp_path / "scores/confusion.csv").open()))
    assert table[0] == ["true", *names]
    assert [[int(n) for n in row[1:]] for row in table[1:]] == matrix.tolist()
    again = multiunet("evaluate", "image", "--run", run, "--out", tmp_path / "scores")
    assert again.code == 3
    assert "replace files in it by --overwrite" in again.err
    shown = multiunet("evaluate", "image", "--run", run)
    assert f"precision {names[0]}" in shown.out
    assert "confusion" not in shown.out
