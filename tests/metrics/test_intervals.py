from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from multiunet.metrics import SetCounts, coverage, normal_half_width


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
def test_normal_intervals_hold_their_share_of_normal_errors(level: float) -> None:
    assert normal_half_width(level) == pytest.approx(norm.interval(level)[1])
    rng = np.random.default_rng(3)
    mean, deviation = rng.normal(size=20_000), rng.uniform(0.1, 4, 20_000)
    target = rng.normal(mean, deviation)
    half = normal_half_width(level) * deviation
    assert coverage(mean, half, target) == pytest.approx(level, abs=0.01)
    target[:5] = np.nan
    assert coverage(mean, half, target) == pytest.approx(level, abs=0.01)


def test_ends_belong_to_an_interval() -> None:
    assert coverage(np.zeros(4), np.ones(4), np.array([1.0, -1.0, 1.01, np.nan])) == pytest.approx(2 / 3)
    assert coverage(np.zeros(1), np.ones(1), np.array([np.nan])) is None
    with pytest.raises(ValueError, match="differ in shape"):
        coverage(np.zeros(2), np.ones(3), np.zeros(2))


def test_sets_are_counted_by_level() -> None:
    counts, more = SetCounts([0.5, 0.9]), SetCounts([0.5, 0.9])
    narrow = np.array([[True, False, False], [False, False, False]])
    counts.update({0.5: narrow, 0.9: ~narrow}, np.array([0, 1]))
    more.update({0.9: np.array([[True, True, True]])}, np.array([2]))
    counts.add(more)
    assert counts.scores() == {
        "coverage_50": 0.5,
        "coverage_90": pytest.approx(2 / 3),
        "set_size_50": 0.5,
        "set_size_90": pytest.approx((2 + 3 + 3) / 3),
    }
    assert SetCounts([0.9]).scores() == {}
    with pytest.raises(ValueError, match="levels"):
        counts.add(SetCounts([0.9]))
    with pytest.raises(ValueError, match="do not fit"):
        counts.update({0.9: narrow}, np.array([0, 1, 2]))
