from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm

from multiunet.metrics import calibration_curve, ence, gaussian_nll, miscalibration_area


@pytest.fixture(scope="module")
def right() -> tuple[np.ndarray, np.ndarray]:
    """Variances, and squared errors that they state rightly."""
    rng = np.random.default_rng(0)
    variance = rng.uniform(0.1, 4, 20_000)
    return variance, rng.normal(0, np.sqrt(variance)) ** 2


def test_right_variances_have_no_error(right: tuple[np.ndarray, np.ndarray]) -> None:
    assert ence(*right) < 0.02
    assert miscalibration_area(*right) < 0.01


def test_variances_that_are_four_times_too_small(right: tuple[np.ndarray, np.ndarray]) -> None:
    variance, squared = right
    assert ence(variance / 4, squared) == pytest.approx(1, abs=0.04)  # RMSE is twice the stated
    expected = np.linspace(0, 1, 2001)
    observed = 2 * norm.cdf(norm.ppf((1 + expected) / 2) / 2) - 1
    assert miscalibration_area(variance / 4, squared) == pytest.approx(np.mean(expected - observed), abs=0.01)


def test_ence_by_hand() -> None:
    variance, squared = np.array([4.0, 1.0, 4.0, 1.0]), np.array([4.0, 4.0, 4.0, 4.0])
    assert ence(variance, squared, bins=2) == pytest.approx((1 + 0) / 2)
    assert ence(variance, squared, bins=10) == pytest.approx((1 + 1 + 0 + 0) / 4)  # as many bins as sites
    assert ence(np.array([0.0, 1.0]), np.ones(2), bins=2) is None
    assert ence(np.empty(0), np.empty(0)) is None


def test_curve_is_the_share_of_intervals_that_hold_the_truth(right: tuple[np.ndarray, np.ndarray]) -> None:
    variance, squared = (values[:500] for values in right)
    expected, observed = calibration_curve(variance, squared)
    for share, found in list(zip(expected, observed))[1:-1:10]:
        half = norm.ppf((1 + share) / 2) * np.sqrt(variance)
        assert found == pytest.approx(np.mean(np.sqrt(squared) <= half))
    assert (observed[0], observed[-1]) == (0, 1)


def test_variance_of_zero_is_sure_and_must_be_right() -> None:
    _, observed = calibration_curve(np.zeros(4), np.array([0.0, 0.0, 0.0, 1.0]))
    assert observed[:-1].tolist() == [0.75] * 100
    assert gaussian_nll(np.zeros(2), np.zeros(2)) is None


def test_nll_equals_that_of_torch(right: tuple[np.ndarray, np.ndarray]) -> None:
    variance, squared = (torch.from_numpy(values) for values in right)
    peer = torch.nn.functional.gaussian_nll_loss(squared.sqrt(), torch.zeros_like(squared), variance, full=True)
    assert gaussian_nll(variance, squared) == pytest.approx(peer.item())
    assert gaussian_nll(np.empty(0), np.empty(0)) is None
    assert miscalibration_area(np.empty(0), np.empty(0)) is None
