"""Samplers against exact denoisers, known sites, starts from a field, and resuming."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from multiunet import Geometry
from multiunet.diffusion import (
    EDM,
    SOLVERS,
    Ancestral,
    Denoiser,
    Euler,
    Heun,
    Known,
    Preconditioned,
    Sampler,
    SiteNoise,
    Solver,
    State,
    plan_moves,
    shorten,
)

from .conftest import Formula, make_field

DEVIATION = 0.5


def gaussian(x: Tensor, sigma: float) -> Tensor:
    """Expected data of a Gaussian of mean 0, given noisy data."""
    return x * DEVIATION**2 / (DEVIATION**2 + sigma**2)


def error_of(solver: Solver, steps: int) -> float:
    """Error of the samples' deviation: they are the noise by a factor, which is known."""
    sigmas = EDM().sigmas(steps)
    sample = Sampler(sigmas, solver).run(gaussian, lambda draw: torch.ones(1, dtype=torch.float64))
    true = sigmas[0] * DEVIATION / math.sqrt(DEVIATION**2 + sigmas[0] ** 2)
    return abs(float(sample) - true)


@pytest.mark.parametrize(("name", "order"), [("euler", 1), ("heun", 2), ("dpm++2m", 2)])
def test_error_falls_with_the_steps_by_the_order_of_the_solver(name: str, order: int) -> None:
    errors = [error_of(SOLVERS[name](), steps) for steps in (40, 80, 160)]
    for coarse, fine in pairwise(errors):
        assert coarse / fine == pytest.approx(2**order, rel=0.25)


@pytest.mark.parametrize(("steps", "least", "most"), [(18, 0.06, 0.125), (40, 0.009, 0.022)])
@pytest.mark.parametrize("variance", [0.16, 1.0, 8.6])
def test_few_steps_overstate_the_variance_as_much_as_the_page_says(
    variance: float, steps: int, least: float, most: float
) -> None:
    sampler = Sampler(EDM(sigma_data=1.0).sigmas(steps), Heun())
    factor = sampler.run(lambda x, sigma: x * variance / (variance + sigma**2), lambda draw: torch.ones(1).double())
    assert least < float(factor) ** 2 / variance - 1 < most


def mixture(x: Tensor, sigma: float) -> Tensor:
    """Expected data of a mixture of Gaussians at -1 and 2, of weights 0.3 and 0.7 and deviation 0.1."""
    variance = 0.01 + sigma**2
    scores = torch.stack(
        [math.log(share) - (x - place) ** 2 / (2 * variance) for share, place in ((0.3, -1), (0.7, 2))]
    )
    means = torch.stack([place + 0.01 / variance * (x - place) for place in (-1, 2)])
    return (scores.softmax(dim=0) * means).sum(dim=0)


@pytest.mark.parametrize("solver", [Heun(), Ancestral()], ids=["heun", "ancestral"])
def test_a_mixture_is_met(solver: Solver) -> None:
    noise = lambda draw: torch.randn(8000, generator=torch.Generator().manual_seed(draw), dtype=torch.float64)  # noqa: E731
    sample = Sampler(EDM().sigmas(80), solver).run(mixture, noise)
    upper = sample > 0.5
    assert abs(float(upper.double().mean()) - 0.7) < 0.02
    assert float(sample[upper].mean()) == pytest.approx(2, abs=0.02)
    assert float(sample[upper].std()) == pytest.approx(0.1, abs=0.02)


def test_known_sites_keep_their_values(geometry: Geometry) -> None:
    field = make_field(geometry, 2)
    values = geometry.features(field)
    mask = torch.rand(values.shape) < 0.5
    net = Formula(lambda x, noise: torch.tanh(x) + noise)
    denoise = Denoiser(net, Preconditioned(), geometry).on(field)
    noise = SiteNoise(geometry, 0).on(field, [0, 1], 2)
    sample = Sampler(EDM().sigmas(6), known=Known(values, mask, turns=3, length=2)).run(denoise, noise)
    torch.testing.assert_close(sample[mask], values[mask], rtol=0, atol=1e-6)
    assert not torch.isclose(sample, values)[~mask].any()


def pairs(x: Tensor, sigma: float) -> Tensor:
    """Expected data of two numbers of deviation 1 with a correlation of 0.9, ``(N, 2)``."""
    covariance = torch.tensor([[1, 0.9], [0.9, 1]], dtype=torch.float64)
    return x @ torch.linalg.solve(covariance + sigma**2 * torch.eye(2, dtype=torch.float64), covariance)


def test_turns_let_unknown_sites_agree_with_known_ones() -> None:
    """Given one of two correlated numbers, the other has the mean 0.9 of it; without turns it knows too little."""
    known = torch.tensor([[2.0, 0.0]], dtype=torch.float64).expand(4000, 2)
    mask = torch.tensor([[True, False]])
    noise = lambda draw: torch.randn(4000, 2, generator=torch.Generator().manual_seed(draw), dtype=torch.float64)  # noqa: E731
    means = [
        float(Sampler(EDM().sigmas(18), Ancestral(), Known(known, mask, turns)).run(pairs, noise)[:, 1].mean())
        for turns in (1, 10)
    ]
    assert abs(means[0] - 1.8) > 0.6
    assert abs(means[1] - 1.8) < 0.1


def test_a_start_from_a_field_stays_near_it() -> None:
    around = torch.full((1000,), 0.8, dtype=torch.float64)
    noise = lambda draw: torch.randn(1000, generator=torch.Generator().manual_seed(draw), dtype=torch.float64)  # noqa: E731
    sigmas = EDM().sigmas(18)
    distance = [
        float((Sampler(shorten(sigmas, strength)).run(gaussian, noise, around) - around).abs().mean())
        for strength in (0.2, 0.5, 1.0)
    ]
    assert distance[0] < 0.1 < distance[1] < distance[2]


@pytest.mark.parametrize("name", SOLVERS)
def test_a_sample_that_is_resumed_has_the_same_bits(name: str, geometry: Geometry) -> None:
    field = make_field(geometry, 1)
    denoise = Denoiser(Formula(lambda x, noise: torch.tanh(x) * noise), Preconditioned(), geometry).on(field)
    noise = SiteNoise(geometry, 3).on(field, [0, 1], 1)
    sampler, states = Sampler(EDM().sigmas(5), SOLVERS[name]()), []
    whole = sampler.run(denoise, noise, watch=states.append)
    state: State = replace(states[2], x=states[2].x.clone())
    assert state.done == 3
    while state.done < len(sampler.moves):
        state = sampler.advance(denoise, noise, state)
    assert torch.equal(state.x, whole)
    with pytest.raises(ValueError, match="all 5 moves are done"):
        sampler.advance(denoise, noise, state)


def test_moves_of_parts_that_are_gone_twice() -> None:
    assert plan_moves((3, 2, 1, 0), turns=2, length=2) == (
        *((3, 2), (2, 1), (1, 3), (3, 2), (2, 1)),
        *((1, 0), (0, 1), (1, 0)),
    )


@pytest.mark.parametrize("sigmas", [(1.0,), (1.0, 2.0, 0.0), (2.0, 1.0), (math.inf, 1.0, 0.0)])
def test_levels_that_do_not_fall_to_zero_are_refused(sigmas: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="must fall from a finite level to 0"):
        Sampler(sigmas, Euler())


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="must be of bool"):
        Known(torch.zeros(1), torch.ones(1))
    with pytest.raises(ValueError, match="strength 0"):
        shorten((1.0, 0.0), 0)
    with pytest.raises(ValueError, match="eta 2"):
        Ancestral(2)
