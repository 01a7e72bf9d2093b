"""Do intervals of sums over regions hold the truth, at sizes that were and were not fitted?"""

from __future__ import annotations

import json

import numpy as np
import pytest

from multiunet.uncertainty.read_sums import read_sums
from multiunet.uncertainty.region_sums import SiteErrors, fit_regions
from multiunet.uncertainty.sums import Totals


def chromosomes(rng: np.random.Generator, count: int, kept: float = 0.9) -> list[SiteErrors]:
    """Errors that decay along a chromosome as an autoregression does, with the stated variance half of the true one."""
    found = []
    for _ in range(count):
        noise = rng.standard_normal(600) * np.sqrt(1 - kept**2)
        error = np.empty(600)
        error[0] = rng.standard_normal()
        for i in range(1, 600):
            error[i] = kept * error[i - 1] + noise[i]
        scale = np.exp(0.3 * np.sin(np.arange(600) / 40))
        found.append(SiteErrors((error * scale)[None], (0.5 * scale**2)[None]))
    return found


@pytest.mark.parametrize("size", [1, 5, 24, 100])
def test_regions_are_covered(size: int) -> None:
    rng, held, naive = np.random.default_rng(size), [], []
    for _ in range(60):
        known = chromosomes(rng, 8)
        fit = fit_regions(known[:6])
        assert fit is not None
        for new in known[6:]:
            for start in range(0, 600 - size, max(size, 20)):
                error, variance = (v[:, start : start + size].sum() for v in (new.error, new.variance))
                totals = Totals(np.array([[float(size)]]), np.array([[error]]), np.array([[variance]]))
                found = fit.interval(totals)
                assert found.high == fit.each(totals).high[0]
                held.append(found.low[0] <= 0 <= found.high[0])
                naive.append(error**2 / variance)
    assert np.mean(held) == pytest.approx(0.9, abs=0.03)
    assert np.mean(naive) > 1.9


def test_design_effect_is_that_of_an_autoregression() -> None:
    """Var of a sum of n = s^2 (n + 2 sum_k (n - k) a^k); here over the stated variance, n s^2 / 2."""
    fit = fit_regions([SiteErrors(c.error, np.full_like(c.error, 0.5)) for c in _plain(np.random.default_rng(0), 60)])
    assert fit is not None
    for size, (effect,) in zip(fit.sizes[:6], fit.effects):
        lags = np.arange(1, size)
        assert effect == pytest.approx(2 * (size + 2 * ((size - lags) * 0.8**lags).sum()) / size, rel=0.12)


def _plain(rng: np.random.Generator, count: int) -> list[SiteErrors]:
    found = []
    for _ in range(count):
        error = [rng.standard_normal()]
        for _ in range(999):
            error.append(0.8 * error[-1] + 0.6 * rng.standard_normal())
        found.append(SiteErrors(np.array(error)[None], np.ones((1, 1000))))
    return found


def test_unknown_sites_are_left_out() -> None:
    known = chromosomes(np.random.default_rng(1), 3)
    holed = [SiteErrors(np.where(np.arange(600) % 50 < 5, np.nan, c.error), c.variance) for c in known]
    fit, whole = fit_regions(holed), fit_regions(known)
    assert fit is not None
    assert whole is not None
    assert fit.effects[0][0] == pytest.approx(whole.effects[0][0], rel=0.2)


def test_one_chromosome_or_few_sites_give_none() -> None:
    known = chromosomes(np.random.default_rng(1), 2)
    assert fit_regions(known[:1]) is None
    assert fit_regions([]) is None
    assert fit_regions([SiteErrors(c.error[:, :3], c.variance[:, :3]) for c in known]) is None


def test_stored_and_read_again() -> None:
    fit = fit_regions(chromosomes(np.random.default_rng(1), 3))
    assert fit is not None
    assert read_sums(json.loads(json.dumps(fit.as_dict()))) == fit
