"""Do intervals of sums hold the truth as often as they say, where errors are shared by sites and by items?"""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from multiunet.uncertainty.read_sums import read_sums
from multiunet.uncertainty.sums import Totals, fit_items


def simulate(
    rng: np.random.Generator, items: int, bias: float, shared: float, classes: int = 2
) -> tuple[Totals, np.ndarray]:
    """Sums of probabilities whose errors have a part that all items share, and a part that all sites of one share."""
    sites = rng.choice([4_000, 16_000], items)[:, None] * np.ones(classes)
    variance = rng.uniform(0.01, 0.05, (items, 1)) * np.ones(classes)
    own = shared * rng.standard_normal((items, 1))
    independent = rng.standard_normal((items, 1)) / np.sqrt(sites)
    error = (bias + own + independent) * np.sqrt(variance) * np.array([1, -1])[:classes]
    mean = rng.uniform(0.2, 0.8, (items, 1)) * np.ones(classes)
    return Totals(sites, mean * sites, variance * sites), (mean - error) * sites


def test_interval_is_that_of_a_normal_sample() -> None:
    """Of items of one size and one variance: Geisser's interval of the errors themselves, by scipy's quantile."""
    rng = np.random.default_rng(0)
    errors, sites, mean = rng.normal(3, 5, 7), np.full((7, 1), 100.0), np.full((7, 1), 40.0)
    totals = Totals(sites, mean, np.full((7, 1), 4.0))
    fit = fit_items(totals, mean - errors[:, None])
    found = fit.interval(totals[:1], 0.8)
    half = stats.t.ppf(0.9, 6) * errors.std(ddof=1) * np.sqrt(1 + 1 / 7)
    assert found.estimate == pytest.approx([40 - errors.mean()])
    assert found.high == pytest.approx([40 - errors.mean() + half])
    assert found.low == pytest.approx([40 - errors.mean() - half])
    each = fit.each(totals, 0.8)
    assert each.high[:, 0] == pytest.approx([found.high[0]] * 7)
    three = fit.interval(totals[:3], 0.8)
    assert three.high - three.estimate == pytest.approx([half / np.sqrt(1 + 1 / 7) * np.sqrt(3 + 9 / 7)])


@pytest.mark.parametrize("items", [4, 8, 20])
@pytest.mark.parametrize("shared", [0.0, 0.1])
def test_intervals_cover_and_deviations_are_as_large_as_errors(items: int, shared: float) -> None:
    """Independent sites alone would state deviations some ten times too small here."""
    rng, held, pooled, units, naive = np.random.default_rng(items), [], [], [], []
    for _ in range(600):
        totals, true = simulate(rng, items + 6, bias=0.05 * rng.standard_normal(), shared=shared)
        fit, new, truth = fit_items(totals[:items], true[:items]), totals[items:], true[items:]
        for row in range(6):
            found = fit.interval(new[row : row + 1])
            held.append((found.low <= truth[row]) & (truth[row] <= found.high))
            units.append((found.estimate - truth[row]) / found.deviation)
            naive.append((new.mean[row] - truth[row]) / np.sqrt(new.variance[row]))
        together = fit.interval(new)
        pooled.append((together.low <= truth.sum(axis=0)) & (truth.sum(axis=0) <= together.high))
    assert np.mean(held) == pytest.approx(0.9, abs=0.025)
    assert np.mean(pooled) == pytest.approx(0.9, abs=0.03)
    assert np.quantile(np.abs(units), 0.6827) == pytest.approx(1, abs=0.1)
    assert np.sqrt(np.mean(np.square(naive))) > 3


def test_independent_sites_as_stated_need_no_correction() -> None:
    rng = np.random.default_rng(1)
    p = rng.uniform(0, 1, (400, 50))
    true = (rng.random(p.shape) < p).sum(axis=1, keepdims=True).astype(float)
    sites = np.full((400, 1), 50.0)
    fit = fit_items(Totals(sites, p.sum(axis=1, keepdims=True), (p * (1 - p)).sum(axis=1, keepdims=True)), true)
    assert fit.correlation[0] < 0.01
    assert fit.deviation[0] == pytest.approx(1, abs=0.1)
    assert abs(fit.bias[0]) < 0.15


def test_correlation_is_that_of_the_errors() -> None:
    """Errors of equal variance with the intraclass correlation 0.2: Kish's design effect."""
    rng = np.random.default_rng(2)
    sites = rng.integers(5, 60, 4000)
    sums = np.array(
        [np.sqrt(0.2) * n * rng.standard_normal() + np.sqrt(0.8 * n) * rng.standard_normal() for n in sites]
    )
    n = sites[:, None].astype(float)
    assert fit_items(Totals(n, sums[:, None], n), np.zeros((4000, 1))).correlation[0] == pytest.approx(0.2, abs=0.02)


def test_rare_class_that_is_never_predicted_is_held() -> None:
    """A class of 0.3 % of the sites whose probability is never the largest: its share is not 0.00 +- 0.00."""
    rng, held = np.random.default_rng(3), []
    for _ in range(300):
        true = rng.gamma(4, 0.003 / 4, 9)[:, None]
        p = true * rng.lognormal(0, 0.3, 9)[:, None] + 0.001
        n = np.full((9, 1), 10_000.0)
        fit = fit_items(Totals(n, p * n, p * (1 - p) * n)[:8], true[:8] * n[:8])
        found = fit.interval(Totals(n, p * n, p * (1 - p) * n)[8:])
        held.append(found.low[0] <= true[8, 0] * 10_000 <= found.high[0])
        assert found.high[0] > 0
    assert 0.84 < np.mean(held) < 0.96


def test_what_cannot_be_known_is_nan() -> None:
    one = Totals(np.array([[10.0, 0.0]]), np.array([[4.0, 0.0]]), np.array([[2.0, 0.0]]))
    found = fit_items(one, np.array([[3.0, 0.0]])).interval(one)
    assert np.isnan(found.low).all()
    assert np.isnan(found.deviation).all()
    with pytest.raises(ValueError, match="level 90"):
        fit_items(one, np.array([[3.0, 0.0]])).interval(one, 90)


def test_a_sure_item_is_not_believed_beyond_reason() -> None:
    n = np.full((5, 1), 100.0)
    fit = fit_items(Totals(n, n / 2, n / 4), n / 2 + np.array([[1.0], [-2], [3], [-1], [0]]))
    sure = fit.interval(Totals(n[:1], n[:1], np.zeros((1, 1))))
    assert sure.high - sure.low > 0


def test_items_without_variance_and_without_error_have_no_width() -> None:
    n, none = np.full((4, 1), 10.0), np.zeros((4, 1))
    found = fit_items(Totals(n, none, none), none).interval(Totals(n[:1], none[:1], none[:1]))
    assert found.low == found.high == 0
    wrong = fit_items(Totals(n, none, none), none + 1).interval(Totals(n[:1], none[:1], none[:1]))
    assert np.isnan(wrong.low)


def test_stored_and_read_again() -> None:
    totals, true = simulate(np.random.default_rng(4), 6, 0.1, 0.1)
    fit = fit_items(totals, true)
    assert read_sums(json.loads(json.dumps(fit.as_dict()))) == fit
    with pytest.raises(ValueError, match="'other'"):
        read_sums({"of": "other"})
    with pytest.raises(ValueError, match="no intervals"):
        read_sums({})
