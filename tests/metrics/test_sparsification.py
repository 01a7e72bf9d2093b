from __future__ import annotations

import numpy as np
import pytest

from multiunet.metrics import Ranking, sparsify
from multiunet.metrics.ranking import Ranked


def ranked(values: np.ndarray, losses: np.ndarray) -> Ranked:
    ranking = Ranking()
    ranking.add(values, [losses])
    return ranking.sorted()


def left(values: np.ndarray, losses: np.ndarray, removed: float) -> np.ndarray:
    """Losses of the sites that are left."""
    return losses[np.argsort(values)][: round(len(losses) * (1 - removed))]


@pytest.mark.parametrize("root", [False, True])
def test_curves_equal_the_definition(root: bool) -> None:
    rng = np.random.default_rng(0)
    values, losses = rng.random(400).astype(np.float32), rng.random(400) ** 2
    how = (lambda kept: kept.mean() ** 0.5) if root else np.mean
    found = sparsify(ranked(values, losses), ranked(losses, losses), root=root)
    shares = [k / 100 for k in range(100)]
    assert found.removed.tolist() == pytest.approx(shares)
    assert found.error.tolist() == pytest.approx([how(left(values, losses, f)) / how(losses) for f in shares])
    assert found.best.tolist() == pytest.approx([how(left(losses, losses, f)) / how(losses) for f in shares])
    assert found.ause == pytest.approx(np.mean(found.error - found.best))


def test_the_order_of_the_errors_leaves_no_area_and_no_order_the_most() -> None:
    losses = np.array([0.0, 1.0, 2.0, 3.0])
    oracle = ranked(losses, losses)
    assert sparsify(oracle, oracle).ause == 0
    none = sparsify(ranked(np.ones(4), losses), oracle)
    assert none.error.tolist() == pytest.approx([1.0] * 100)
    assert 0.3 < none.ause < sparsify(ranked(3 - losses, losses), oracle).ause


def test_without_errors_there_is_no_curve() -> None:
    nothing, right = Ranking().sorted(), ranked(np.array([0.1, 0.2]), np.zeros(2))
    assert sparsify(nothing, nothing).ause is None
    assert sparsify(right, right).ause is None
