from __future__ import annotations

import numpy as np
import pytest

from multiunet.metrics import Ranking, aurc, excess_aurc, part_right_from_wrong, risk_coverage_curve
from multiunet.metrics.ranking import Ranked
from multiunet.metrics.risk_coverage import risk_at


def ranked(values: np.ndarray, losses: np.ndarray, exact: int = 1 << 20) -> Ranked:
    ranking = Ranking(exact=exact)
    ranking.add(values, [losses])
    return ranking.sorted()


def by_definition(values: np.ndarray, losses: np.ndarray) -> float:
    """Geifman et al. 2019, eq. 3, of values without ties: the mean of the selective risks."""
    sorted_losses = losses[np.argsort(values)]
    return float(np.mean(np.cumsum(sorted_losses) / np.arange(1, losses.size + 1)))


def test_area_equals_the_definition() -> None:
    rng = np.random.default_rng(0)
    values, losses = rng.random(500).astype(np.float32), rng.random(500)
    assert aurc(ranked(values, losses)) == pytest.approx(by_definition(values, losses))
    wrong = (losses < values).astype(float)
    found = ranked(values, wrong)
    best = by_definition(np.argsort(np.argsort(wrong, kind="stable")).astype(float), wrong)
    assert excess_aurc(found, part_right_from_wrong(found)) == pytest.approx(by_definition(values, wrong) - best)
    assert excess_aurc(ranked(values, losses), ranked(losses, losses)) == pytest.approx(
        by_definition(values, losses) - by_definition(losses, losses)
    )


def test_ties_are_in_random_order() -> None:
    rng = np.random.default_rng(1)
    values, losses = rng.integers(0, 4, 40) / 4, rng.random(40)
    shuffled = [by_definition(values + 1e-3 * rng.random(40), losses) for _ in range(4000)]
    assert aurc(ranked(values, losses)) == pytest.approx(np.mean(shuffled), abs=4 * np.std(shuffled) / 4000**0.5)


def test_no_order_has_the_risk_of_all_and_the_best_no_excess() -> None:
    wrong = np.array([0, 1, 0, 1, 0])
    found = ranked(np.ones(5), wrong)
    assert aurc(found) == pytest.approx(0.4)
    perfect = ranked(wrong, wrong)
    assert excess_aurc(perfect, part_right_from_wrong(perfect)) == pytest.approx(0, abs=1e-12)
    for one_kind in (np.zeros(3), np.ones(3)):
        found = ranked(np.array([0.1, 0.2, 0.3]), one_kind)
        assert aurc(found) == pytest.approx(one_kind[0])
        assert excess_aurc(found, part_right_from_wrong(found)) == pytest.approx(0, abs=1e-12)


def test_risk_by_hand_and_between_sites() -> None:
    found = ranked(np.array([0.1, 0.3, 0.2, 0.4]), np.array([0.0, 1.0, 0.0, 1.0]))
    assert risk_at(found, np.array([0.25, 0.5, 0.75, 1.0])).tolist() == [0, 0, pytest.approx(1 / 3), 0.5]
    assert risk_at(found, np.array([0.625])) == pytest.approx(0.5 / 2.5)
    coverage, risk = risk_coverage_curve(found)
    assert (coverage[0], coverage[-1], risk[-1], len(risk)) == (0.01, 1.0, 0.5, 100)


def test_rounded_values_change_the_area_little() -> None:
    rng = np.random.default_rng(2)
    values = rng.random(20_000) ** 3
    wrong = (rng.random(20_000) < values).astype(float)
    assert aurc(ranked(values, wrong, exact=0)) == pytest.approx(by_definition(values, wrong), rel=1e-4)


def test_nothing_has_no_area() -> None:
    found = Ranking().sorted()
    assert aurc(found) is None
    assert excess_aurc(found, part_right_from_wrong(found)) is None
    assert [len(part) for part in risk_coverage_curve(found)] == [0, 0]
