from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from multiunet.domains.genome.peaks.negatives import Places
from multiunet.domains.genome.peaks.scores import PeakScore, average_precision
from multiunet.domains.labelled import Piece

PEAKS = {"c": [(0, 60), (100, 160), (200, 260)]}
PLACES = Places(PEAKS, {"c": [(300, 360), (400, 460)]}, 0, (0.5, 0.5, 0.5))
TARGET = np.random.default_rng(0).gamma(2.0, 2.0, 50).astype(np.float32)


def scored(predicted: np.ndarray) -> dict:
    score = PeakScore(["t"], PLACES, 10)
    piece = torch.from_numpy(np.asarray(predicted, np.float32))[None, None]
    score.add(Piece(piece, torch.from_numpy(TARGET)[None, None], item="c"))
    return score.result()


def test_average_precision_is_that_of_ranks_by_hand() -> None:
    values, there = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False])
    assert average_precision(values, there) == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert average_precision(np.zeros(8), np.arange(8) < 3) == pytest.approx(3 / 8)
    assert average_precision(values, np.ones(4, dtype=bool)) is None


def test_profiles_and_counts_are_those_of_scipy_and_numpy() -> None:
    predicted = TARGET + np.random.default_rng(1).random(50)
    found = scored(predicted)
    rows = [slice(0, 6), slice(10, 16), slice(20, 26)]
    distances = [jensenshannon(predicted[row], TARGET[row], base=2) for row in rows]
    assert found["peak_profile_jsd"] == pytest.approx(np.mean(distances), rel=1e-4)
    sums = np.array([[np.log1p(part[row].sum()) for row in rows] for part in (predicted, TARGET)])
    assert found["peak_log_count_pearson"] == pytest.approx(np.corrcoef(*sums)[0, 1], rel=1e-4)
    assert (found["peaks"], found["negatives"]) == (3, 2)


def test_a_perfect_and_a_constant_prediction() -> None:
    assert scored(TARGET)["peak_profile_jsd"] == pytest.approx(0, abs=1e-4)
    flat = scored(np.ones(50))
    assert flat["peak_auprc"] == pytest.approx(3 / 5)  # the share of peaks
    assert flat["peak_log_count_pearson"] is None
    even = [jensenshannon(np.ones(6), TARGET[start : start + 6], base=2) for start in (0, 10, 20)]
    assert flat["peak_profile_jsd"] == pytest.approx(np.mean(even), rel=1e-4)
