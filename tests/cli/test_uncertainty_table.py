from __future__ import annotations

from typing import Any

import torch
from multiunet_cli.uncertainty_table import GOALS, UNSHOWN, make_table, without_uncertainty

from multiunet.tasks import ClassificationScore, RegressionScore, Score
from multiunet.uncertainty import ClassCalibration, Moments


def results(score: Score, target: torch.Tensor) -> tuple[dict[str, Any], set[str]]:
    """Scores with moments, and the names of those without."""
    mean = torch.rand(40, 2).softmax(dim=1)
    score.add(mean, target, Moments(mean, 0.2 * mean, 0.8 * mean))
    silent = type(score)(["y", "z"], -1) if isinstance(score, ClassificationScore) else RegressionScore(["y", "z"])
    silent.add(mean, target)
    return score.result(), set(silent.result())


def test_the_tables_share_the_scores_of_classes() -> None:
    calibration = ClassCalibration(1.0, limits={"lac": [[0.5], [0.6], [0.7], [0.8]]})
    found, plain = results(ClassificationScore(["y", "z"], -1, calibration), torch.arange(40) % 2)
    assert set(without_uncertainty(found)) == plain
    assert found.keys() - plain <= set(GOALS) | UNSHOWN
    table = make_table(found)
    assert table is not None
    names = list(table.columns[0].cells)
    assert {"calibration_error", "coverage_90", "set_size_90", "error_auroc", "aurc"} <= set(names)
    assert len(names) <= 16
    assert [str(column.header) for column in table.columns] == ["uncertainty", "model", "at best"]


def test_the_tables_share_the_scores_of_quantities_and_folds() -> None:
    found, plain = results(RegressionScore(["y", "z"]), torch.rand(40, 2))
    found |= {"mean_of_folds": {"coverage_90": 0.9, "r2": 0.5}, "sd_of_folds": {"coverage_90": 0.1, "r2": 0.2}}
    kept = without_uncertainty(found)
    assert set(kept) == plain | {"mean_of_folds", "sd_of_folds"}
    assert kept["mean_of_folds"] == {"r2": 0.5}
    assert not any("coverage_90" in track for track in kept["per_track"])
    table = make_table(found)
    assert table is not None
    assert [str(column.header) for column in table.columns] == [
        *("uncertainty", "mean of all", "mean of folds", "sd of folds", "y", "z", "at best")
    ]


def test_what_states_nothing_has_no_table() -> None:
    assert make_table({"accuracy": 0.5}) is None
