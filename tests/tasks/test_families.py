"""Mean and variance that an output states are those for which its loss is least."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from multiunet import Regression
from multiunet.tasks.families import FAMILIES


@pytest.mark.parametrize("p", [0.02, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("loss", ["bce", "focal"])
def test_probability_is_the_true_one_where_the_loss_is_least(loss: str, p: float) -> None:
    """A coin is known by its share of heads; the loss's best output must say that share."""
    family = FAMILIES[loss]()
    target = torch.tensor([[[p]]], dtype=torch.float64)

    def expected(logit: float) -> float:
        return float(family.criterion(torch.tensor([[[logit]]], dtype=torch.float64), target))

    best = minimize_scalar(expected, bounds=(-12, 12), method="bounded", options={"xatol": 1e-7}).x
    mean, variance = family.moments(torch.tensor([[[best]]], dtype=torch.float64))
    assert mean.item() == pytest.approx(p, abs=1e-4)
    assert variance is not None
    assert variance.item() == pytest.approx(p * (1 - p), abs=1e-4)


def test_probabilities_of_focal_loss_rise_and_stay_finite() -> None:
    mean, _ = FAMILIES["focal"]().moments(torch.linspace(-200, 200, 4001)[None, None])
    assert mean.isfinite().all()
    assert (mean.diff() >= 0).all()
    torch.testing.assert_close(mean + mean.flip(2), torch.ones_like(mean))


@pytest.mark.parametrize("loss", ["poisson", "poisson-multinomial", "negative-binomial"])
def test_stated_variance_of_counts_is_that_of_samples(loss: str) -> None:
    task = Regression(["t"], loss=loss)
    output = torch.full((1, task.channels, 1), 1.2)
    mean, variance = task.distribution(output)
    rng = np.random.default_rng(0)
    m, spread = float(torch.tensor(1.2).exp()), float(torch.tensor(1.2).exp())
    # a negative binomial is a Poisson whose rate is a gamma variable of mean m and variance a m^2
    rates = rng.gamma(1 / spread, m * spread, 400_000) if loss == "negative-binomial" else m
    counts = rng.poisson(rates, 400_000)
    assert mean.item() == pytest.approx(counts.mean(), rel=0.02)
    assert variance.item() == pytest.approx(counts.var(), rel=0.03)
    assert task.lowest == 0
