from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from multiunet.metrics import IntervalCounts, SetCounts, normal_half_width


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
def test_normal_intervals_hold_their_share_of_normal_errors(level: float) -> None:
    assert normal_half_width(level) == pytest.approx(norm.interval(level)[1])
    rng = np.random.default_rng(3)
    deviation = rng.uniform(0.1, 4, 20_000)
    counts = IntervalCounts([level])
    error = rng.normal(0, deviation)
    for place in np.array_split(np.arange(error.size), 3):
        piece = IntervalCounts([level])
        piece.update(error[place], deviation[place], {level: normal_half_width(level)})
        counts.add(piece)
    share, width = counts.scores().values()
    assert share == pytest.approx(level, abs=0.01)
    assert width == pytest.approx(2 * normal_half_width(level) * deviation.mean())


def test_ends_belong_to_an_interval_and_levels_without_one_are_undefined() -> None:
    counts = IntervalCounts([0.5, 0.9])
    counts.update(np.array([1.0, -1.0, 1.01]), np.ones(3), {0.9: 1.0})
    assert counts.scores() == {
        "coverage_50": None,
        "coverage_90": pytest.approx(2 / 3),
        "interval_width_50": None,
        "interval_width_90": pytest.approx(2),
    }
    with pytest.raises(ValueError, match="differ in shape"):
        counts.update(np.zeros(2), np.ones(3), {})
    with pytest.raises(ValueError, match="levels"):
        counts.add(IntervalCounts([0.9]))


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
