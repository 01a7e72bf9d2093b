from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from multiunet_datasets import synthetic
from scipy import stats

import multiunet
from multiunet.domains import inference
from multiunet.domains.comparison import Candidate, RowScores, pair, rank
from multiunet.domains.labelled import Piece
from multiunet.domains.training import train_all
from multiunet.errors import InputError
from multiunet.progress import Progress

SHORT = {"widths": [4, 8], "epochs": 1, "steps_per_epoch": 2, "calibrate": False, "tta_flips": False}


def candidate(name: str, score: float | None, items: list[float | None] | None = None, members: int = 1) -> Candidate:
    return Candidate((name,), score, dict(zip("abcdefgh", items or [])), members)


def test_the_difference_is_paired_and_has_students_interval() -> None:
    here, there = [0.9, 0.7, None, 0.8, 0.5], [0.6, 0.75, 0.1, 0.5, 0.5]
    found = pair(candidate("x", 1, here), candidate("y", 1, there))
    values = np.array([0.3, -0.05, 0.3, 0.0])
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert found.mean == pytest.approx(values.mean())
    assert found.interval == pytest.approx((expected.low, expected.high))
    assert (found.better, found.items, found.is_clear) == (2, 4, False)
    clear = pair(candidate("x", 1, [0.9, 0.8, 0.85]), candidate("y", 1, [0.5, 0.41, 0.44]))
    assert clear.is_clear
    alone = pair(candidate("x", 1, [0.9]), candidate("y", 1, [0.5]))
    assert (alone.interval, alone.is_clear, alone.items) == (None, False, 1)
    assert math.isnan(pair(candidate("x", 1), candidate("y", 1)).mean)


def test_the_best_score_is_first_and_of_equal_ones_the_simpler() -> None:
    found = [candidate("none", None), candidate("two", 0.5, members=2), candidate("one", 0.5), candidate("low", 0.1)]
    assert [one.name for one in rank(found)] == ["one", "two", "low", "none"]


def test_rows_without_an_item_are_scored_by_themselves() -> None:
    rows = RowScores(-1)
    classes = Piece(torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]]), torch.tensor([0, 0, -1]))
    whole = Piece(torch.zeros(1, 2, 4), torch.zeros(1, 4, dtype=torch.int64), item="image")
    assert len(list(rows.watch(iter([classes, whole])))) == 2
    assert rows.values == [1.0, 0.0, None]
    rows = RowScores(-1)
    list(rows.watch(iter([Piece(torch.tensor([[1.0, 3.0], [2.0, 2.0]]), torch.tensor([[2.0, 3.0], [2.0, math.nan]]))])))
    assert rows.values == [-0.5, 0.0]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("data")
    synthetic.write_polycrystal(folder, images=6, size=32, grains=8)
    return {"images": folder / "images", "masks": folder / "masks"}


@pytest.fixture(scope="module")
def runs(data: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of one split, and one of another."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "splits.json").write_text(json.dumps({"train": ["00", "01"], "val": ["02", "03", "04"], "test": ["05"]}))
    for name, own in (("a", {}), ("b", {"epochs": 3, "lr": 0.02}), ("other", {"splits": None})):
        given = {"splits": str(folder / "splits.json"), **data, **SHORT, **own}
        multiunet.train("image", given, folder / name, progress=Progress())
    return folder


def test_validation_chooses_among_runs_and_their_ensemble(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = multiunet.compare([runs / "a", runs / "b"], {"samples": 2}, progress=Progress())
    assert (found.scored, found.monitor, found.measure) == ("val split", "mean_iou", "mean_iou")
    assert {one.runs for one in found.candidates} == {(str(runs / "a"),), (str(runs / "b"),), found_pair(runs)}
    scores = [one.score for one in found.candidates]
    assert scores == sorted(scores, reverse=True)
    for one in found.candidates:
        report = inference.evaluate(list(one.runs), {"split": "val", "samples": 2, "raw": True}, progress=Progress())
        assert one.score == pytest.approx(report.metrics["mean_iou"])
        assert dict(one.items) == {name: item["mean_iou"] for name, item in report.items.items()}
    alone = multiunet.compare([runs / "a", runs / "b"], {"samples": 1}, ensembles=False, progress=Progress())
    assert len(alone.candidates) == 2


def found_pair(runs: Path) -> tuple[str, str]:
    return str(runs / "a"), str(runs / "b")


def test_the_command_says_what_to_do_next(runs: Path, capsys: pytest.CaptureFixture) -> None:
    from multiunet_cli.application import application

    words = ["compare", "image", "--run", str(runs / "a"), "--run", str(runs / "b"), "--samples", "1"]
    application()(words, standalone_mode=False)
    said = capsys.readouterr().out
    assert "of 3" in said
    assert "next: multiunet predict image --run" in said
    assert "--images IMAGES --out NAME.zarr" in said
    application()([*words, "--json"], standalone_mode=False)
    content = json.loads(capsys.readouterr().out)
    assert content["chosen"] == content["candidates"][0]["runs"]


def test_what_cannot_be_compared_is_refused(runs: Path) -> None:
    for paths, options, words in (
        (["a"], {}, "two runs or more"),
        (["a", "a"], {}, "named twice"),
        (["a", "other"], {}, "trained on another split"),
        (["a", "b"], {"split": "test"}, "leave `split` and other data out"),
    ):
        with pytest.raises(InputError, match=words):
            multiunet.compare([runs / path for path in paths], options, progress=Progress())


def test_folds_are_compared_fold_by_fold(data: dict[str, Path], tmp_path: Path) -> None:
    train_all("image", {**data, **SHORT, "folds": 3}, tmp_path / "a", progress=Progress())
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    found = multiunet.compare([tmp_path / "b", tmp_path / "a"], {"samples": 1}, progress=Progress())
    assert (found.folds, found.scored, len(found.candidates)) == (3, "val split, 3 folds pooled", 3)
    # one image of each fold is validated on, and of equal candidates the simplest is chosen
    assert {len(one.items) for one in found.candidates} == {3}
    assert [one.members for one in found.candidates] == [1, 1, 2]
    assert all(one.mean == 0 and not one.is_clear for one in found.differences)
    with pytest.raises(InputError, match=r"1 run, but .* has 3"):
        multiunet.compare([tmp_path / "a", tmp_path / "b/fold-0"], progress=Progress())


def test_nodes_of_a_graph_are_rows_without_items(train_graph: Callable[[str], Path]) -> None:
    found = multiunet.compare([train_graph("a"), train_graph("b")], {"samples": 1}, progress=Progress())
    assert (found.monitor, found.measure) == ("accuracy", "accuracy")
    assert found.candidates[0].score == pytest.approx(found.candidates[0].mean)


@pytest.fixture
def train_graph(tmp_path: Path) -> Callable[[str], Path]:
    synthetic.write_graph(tmp_path, nodes=60)

    def make(name: str) -> Path:
        given = {"graph": tmp_path / "graph.npz", "epochs": 2, "widths": [4, 4], "lr": {"a": 0.01, "b": 0.05}[name]}
        multiunet.train("graph", given | {"calibrate": False}, tmp_path / name, progress=Progress())
        return tmp_path / name

    return make


def test_an_ensemble_that_cannot_be_is_left_out_with_a_word(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(runs):
        if len(runs) > 1:
            raise InputError("cannot join")
        return runs[0]

    monkeypatch.setattr("multiunet.domains.comparing.join_runs", refuse)
    found = multiunet.compare([runs / "a", runs / "b"], {"samples": 1}, progress=Progress())
    assert found.left_out == (f"{runs / 'a'} + {runs / 'b'}: cannot join",)
    assert len(found.candidates) == 2
    assert SimpleNamespace(**found.as_dict()).folds == 1
