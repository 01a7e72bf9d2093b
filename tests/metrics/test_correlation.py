from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from multiunet.metrics import pearson, spearman


def test_equal_those_of_scipy_also_with_ties() -> None:
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(size=60), 1)
    y = np.round(x + rng.normal(size=60), 1)
    assert pearson(x, y) == pytest.approx(stats.pearsonr(x, y).statistic)
    assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)


def test_a_constant_has_none() -> None:
    assert spearman(np.ones(3), np.arange(3.0)) is None
    assert pearson(np.empty(0), np.empty(0)) is None
    with pytest.raises(ValueError, match="differ in shape"):
        spearman(np.ones(3), np.ones(2))
