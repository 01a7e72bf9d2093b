"""Scores of several folds."""

from __future__ import annotations

import numpy as np
import pytest

from multiunet.domains.folds import each_fold, spread

FOLDS = [{"iou": 0.5, "r2": None, "names": ["a"]}, {"iou": 0.75, "r2": 0.5, "names": ["a"]}]


def test_mean_and_deviation_are_of_what_every_fold_has() -> None:
    found = spread(FOLDS)
    assert found["mean_of_folds"] == {"iou": 0.625}
    assert found["sd_of_folds"] == {"iou": pytest.approx(np.std([0.5, 0.75]))}
    assert spread(FOLDS[:1]) == {}


def test_scores_of_each_fold_are_in_their_order() -> None:
    assert each_fold(FOLDS) == {"iou": [0.5, 0.75], "r2": [None, 0.5]}


def test_a_fold_may_lack_a_score_as_one_without_limits_of_sets_does() -> None:
    rows = [{"iou": 0.5, "coverage_50": 0.4}, {"iou": 0.75}, {"iou": 1.0, "aurc": 0.2}]
    assert spread(rows)["mean_of_folds"] == {"iou": 0.75}
    assert each_fold(rows) == {"iou": [0.5, 0.75, 1.0], "coverage_50": [0.4, None, None], "aurc": [None, None, 0.2]}
