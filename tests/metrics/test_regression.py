from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from scipy import stats
from torchmetrics.functional.regression import r2_score

from multiunet.metrics import regression_scores

NAMES = ("pearson_r", "spearman_r", "r2", "mse", "rmse", "mae")


@pytest.fixture
def track() -> tuple[np.ndarray, np.ndarray]:
    """500 values with ties and a large offset."""
    rng = np.random.default_rng(0)
    target = 1e4 + rng.poisson(3, 500).astype(float)
    return target + rng.normal(size=500).round(1), target


def test_equals_scipy_and_torchmetrics(track: tuple[np.ndarray, np.ndarray]) -> None:
    scores = regression_scores(*track)
    p, t = track
    assert scores["pearson_r"] == pytest.approx(stats.pearsonr(p, t).statistic, rel=1e-12)
    assert scores["spearman_r"] == pytest.approx(stats.spearmanr(p, t).statistic, rel=1e-12)
    # torchmetrics subtracts sums of squares, which costs it eight digits at this offset
    assert scores["r2"] == pytest.approx(r2_score(torch.tensor(p), torch.tensor(t)).item(), rel=1e-7)
    assert scores["mse"] == pytest.approx(np.mean((p - t) ** 2))
    assert scores["mae"] == pytest.approx(np.mean(np.abs(p - t)))
    assert "per_track" not in scores


def test_nan_targets_drop_out(track: tuple[np.ndarray, np.ndarray]) -> None:
    p, t = track[0].copy(), track[1].copy()
    t[::3], p[0] = np.nan, np.nan
    known = ~np.isnan(t)
    assert regression_scores(p, t) == regression_scores(p[known], t[known])


def test_invariances(track: tuple[np.ndarray, np.ndarray]) -> None:
    p, t = track
    scores, scaled = regression_scores(p, t), regression_scores(3 * p + 7, 3 * t + 7)
    for name, factor in zip(NAMES, (1, 1, 1, 9, 3, 3)):
        assert scaled[name] == pytest.approx(factor * scores[name])
    assert regression_scores(np.exp(p / 1e3), t)["spearman_r"] == pytest.approx(scores["spearman_r"])
    assert regression_scores(-p, t)["pearson_r"] == pytest.approx(-scores["pearson_r"])


def test_the_mean_predicts_with_r2_zero_and_no_correlation() -> None:
    t = np.array([1.0, 2.0, 6.0])
    scores = regression_scores(np.full(3, 3.0), t)
    assert [scores[name] for name in NAMES] == [None, None, 0.0, 14 / 3, (14 / 3) ** 0.5, 2.0]


def test_what_rounding_leaves_of_the_mean_is_no_r2() -> None:
    t = np.random.default_rng(0).normal(size=100_000)
    assert regression_scores(np.full(t.size, t.mean() + 1e-9), t)["r2"] == 0.0
    assert regression_scores(np.full(t.size, t.mean() + 1e-3), t)["r2"] == pytest.approx(-1e-6, rel=0.02)


@pytest.mark.parametrize("constant", [0.1, 1e8 / 3])  # whose mean of many is not itself
def test_a_constant_target_has_no_r(constant: float) -> None:
    scores = regression_scores(np.arange(1000.0), np.full(1000, constant))
    assert (scores["pearson_r"], scores["spearman_r"], scores["r2"]) == (None, None, None)
    assert scores["mae"] == pytest.approx(np.abs(np.arange(1000.0) - constant).mean())


@pytest.mark.parametrize("target", [np.full(2, np.nan), np.full((1, 2), np.nan), np.zeros((1, 0))])
def test_nothing_measured_is_none(target: np.ndarray) -> None:
    assert regression_scores(np.zeros_like(target), target) == dict.fromkeys(NAMES)


def test_a_perfect_prediction_stays_within_one() -> None:
    t = np.array([0.1, 0.2, 0.7, 0.30000000000000004])
    assert regression_scores(t / 3, t)["pearson_r"] == pytest.approx(1.0)
    assert regression_scores(t / 3, t)["pearson_r"] <= 1.0


def test_several_tracks_give_their_means(track: tuple[np.ndarray, np.ndarray]) -> None:
    p = np.stack([track[0], track[0][::-1], np.arange(500.0)]).reshape(3, 20, 25)
    t = np.stack([track[1], track[1], np.full(500, 2.0)]).reshape(3, 20, 25)
    scores = regression_scores(torch.tensor(p), torch.tensor(t))
    singles = [regression_scores(a.ravel(), b.ravel()) for a, b in zip(p, t)]
    assert scores["per_track"] == singles
    assert scores["pearson_r"] == pytest.approx((singles[0]["pearson_r"] + singles[1]["pearson_r"]) / 2)
    assert not {"mse", "rmse", "mae"} & scores.keys()  # tracks may have different units
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores


def test_bfloat16_prediction() -> None:
    p = torch.tensor([1.0, 2.0, 4.0], dtype=torch.bfloat16)
    assert regression_scores(p, torch.tensor([1.0, 2.0, 3.0]))["mse"] == pytest.approx(1 / 3)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="1 of 2 predicted values are not finite"):
        regression_scores(np.array([1.0, np.nan, np.nan]), np.array([1.0, 2.0, np.nan]))
    with pytest.raises(ValueError, match="1 of 2 target values are not finite"):
        regression_scores(np.zeros(2), np.array([1.0, np.inf]))
    with pytest.raises(ValueError, match="differ in shape"):
        regression_scores(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match=r"values \(0, 4\)"):
        regression_scores(np.zeros((0, 4)), np.zeros((0, 4)))
