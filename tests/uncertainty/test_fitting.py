from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import optimize

from multiunet.uncertainty import LEVELS, Moments
from multiunet.uncertainty.fitting import fit_classes, fit_factors, fit_quantities, fit_temperature
from multiunet.uncertainty.held_out import HeldOut, SiteSample


def _sites(logits: torch.Tensor, target: torch.Tensor, groups: int) -> HeldOut:
    p = logits.softmax(dim=1)
    place = torch.arange(len(p)) % groups
    return HeldOut(p, p * (1 - p), target, place, tuple(f"g{index}" for index in range(groups)))


def _classified(sites: int, temperature: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits that are ``temperature`` times too sure, and classes drawn from the true probabilities."""
    generator = torch.Generator().manual_seed(seed)
    true = 2 * torch.randn((sites, 3), generator=generator)
    target = true.softmax(dim=1).multinomial(1, generator=generator)[:, 0]
    return true * temperature, target


@pytest.mark.parametrize("temperature", [0.6, 1.0, 2.5])
def test_temperature_is_that_of_the_simulation(temperature: float) -> None:
    logits, target = _classified(20_000, temperature)
    assert fit_temperature(logits.softmax(dim=1), target) == pytest.approx(temperature, rel=0.05)


def test_temperature_has_the_least_loss_that_another_optimiser_finds() -> None:
    logits, target = _classified(2_000, 1.8)

    def loss(log_t: np.ndarray) -> float:
        return float(torch.nn.functional.cross_entropy(logits.double() / math.exp(log_t[0]), target))

    expected = math.exp(optimize.minimize(loss, [0.0], method="Nelder-Mead").x[0])
    assert fit_temperature(logits.softmax(dim=1), target) == pytest.approx(expected, rel=0.01)


def test_predictions_that_are_all_right_do_not_become_certain() -> None:
    p = torch.tensor([[0.9, 0.1]] * 10)
    fitted = fit_classes(
        HeldOut(p, p * (1 - p), torch.zeros(10, dtype=torch.long), torch.arange(10), tuple("abcdefghij")), "multiclass"
    )
    mean = fitted.apply(Moments(p, 0 * p, p * (1 - p))).mean
    assert 0.9 < mean[0, 0] < 0.99


def test_independent_labels_have_one_temperature() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = 2 * torch.randn((20_000, 2), generator=generator)
    target = (torch.rand(logits.shape, generator=generator) < logits.sigmoid()).long()
    assert fit_temperature((3 * logits).sigmoid(), target, "multilabel") == pytest.approx(3, rel=0.05)


def test_factors_are_the_mean_squares_of_standardised_errors() -> None:
    generator = torch.Generator().manual_seed(0)
    variance = torch.rand((5_000, 2), generator=generator) + 0.1
    error = torch.randn(variance.shape, generator=generator) * (variance * torch.tensor([9.0, 0.25])).sqrt()
    target = error.clone()
    target[::7, 0] = float("nan")
    assert fit_factors(torch.zeros_like(error), variance, target) == pytest.approx((9, 0.25), rel=0.1)
    nothing = torch.full((3, 1), float("nan"))
    assert fit_factors(torch.zeros(3, 1), torch.ones(3, 1), nothing) == (1.0,)


def test_sets_and_intervals_of_new_groups_hold_the_truth() -> None:
    """Sites of a group share most of their error: coverage is right over groups, though groups are few."""
    generator = torch.Generator().manual_seed(0)
    shared = torch.randn((400, 1), generator=generator).expand(400, 50)
    own = torch.randn((400, 50), generator=generator)
    error = (shared + 0.3 * own).reshape(-1, 1)
    place = torch.arange(400).repeat_interleave(50)
    names = tuple(map(str, range(400)))
    every = HeldOut(torch.zeros_like(error), torch.ones_like(error), error, place, names)
    covered = []
    for first in range(0, 400, 20):  # twenty groups to fit on, the next twenty to look at
        fitted = fit_quantities(every.select((place >= first) & (place < first + 20)))
        other = every.select((place >= (first + 20) % 400) & (place < (first + 20) % 400 + 20))
        half = fitted.multipliers[LEVELS.index(0.9)][0] * math.sqrt(fitted.factors[0])
        covered.append(float((other.target.abs() <= half).float().mean()))
        assert all(fitted.guaranteed)
    assert 0.87 < np.mean(covered) < 0.97


def test_one_group_has_a_temperature_and_no_limits() -> None:
    logits, target = _classified(100, 1.0)
    fitted = fit_classes(_sites(logits, target, 1), "multiclass")
    assert fitted.limits == {}
    assert fitted.guaranteed == ()


def test_few_groups_have_limits_without_a_guarantee() -> None:
    logits, target = _classified(400, 1.0)
    fitted = fit_classes(_sites(logits, target, 4), "multiclass")
    assert set(fitted.limits) == {"lac", "aps"}
    assert list(fitted.guaranteed) == [level <= 4 / 5 for level in LEVELS]


def test_sites_of_parts_join_by_the_names_of_their_groups() -> None:
    logits, target = _classified(12, 1.0)
    whole = _sites(logits, target, 3)
    joined = HeldOut.join([whole.without(["g1"]), whole.without(["g0", "g2"])])
    assert joined.groups == ("g0", "g2", "g1")
    assert [len(values) for values in joined.by_group(joined.target)] == [4, 4, 4]
    torch.testing.assert_close(joined.by_group(joined.mean)[2], whole.by_group(whole.mean)[1])


def test_a_sample_of_sites_is_even_and_bounded() -> None:
    kept = SiteSample(100, seed=3)
    for start in range(0, 10_000, 500):
        kept.add(torch.arange(start, start + 500), torch.ones(500, 2))
    places, ones = kept.columns()
    assert places.shape == (100,)
    assert ones.shape == (100, 2)
    assert len(places.unique()) == 100
    assert places.double().mean() == pytest.approx(5000, rel=0.2)
    few = SiteSample(100, seed=3)
    few.add(torch.arange(7))
    assert few.columns()[0].tolist() == list(range(7))
