from __future__ import annotations

import math

import pytest
import torch
from torch import distributions

from multiunet.losses import NegativeBinomial, Poisson, PoissonMultinomial

COUNTS = torch.poisson(torch.full((2, 3, 20), 4.0), generator=torch.Generator().manual_seed(1))
RATES = torch.randn(2, 3, 20, generator=torch.Generator().manual_seed(2))


def test_negative_binomial_is_that_of_torch() -> None:
    log_dispersion = torch.linspace(-6, 2, 20).expand(2, 3, 20)
    # torch counts by successes until so many failures: size r, and the logit log(m / r)
    size = torch.exp(-log_dispersion)
    peer = distributions.NegativeBinomial(size, logits=RATES + log_dispersion)
    expected = -(peer.log_prob(COUNTS) + torch.lgamma(COUNTS + 1)).mean()
    output = torch.cat([RATES, log_dispersion], dim=1)
    torch.testing.assert_close(NegativeBinomial()(output, COUNTS), expected, rtol=1e-4, atol=1e-4)
    mean, variance = NegativeBinomial.moments(output)
    torch.testing.assert_close(mean, peer.mean)
    torch.testing.assert_close(variance, peer.variance)


def test_little_dispersion_is_poisson() -> None:
    small = torch.full_like(RATES, -7.0)
    dispersed = NegativeBinomial()(torch.cat([RATES, small], dim=1), COUNTS)
    torch.testing.assert_close(dispersed, Poisson()(RATES, COUNTS), rtol=0.02, atol=0.02)


def test_total_of_weight_one_is_poisson() -> None:
    torch.testing.assert_close(PoissonMultinomial(total_weight=1.0)(RATES, COUNTS), Poisson()(RATES, COUNTS))


def test_terms_are_those_of_torch() -> None:
    total, rate = COUNTS.sum(2), RATES.exp().sum(2)
    shape = torch.stack(
        [
            distributions.Multinomial(int(k.sum()), logits=r).log_prob(k) - torch.lgamma(k.sum() + 1)
            for k, r in zip(COUNTS.flatten(0, 1), RATES.flatten(0, 1))
        ]
    ) + torch.lgamma(COUNTS.flatten(0, 1) + 1).sum(1)
    amount = distributions.Poisson(rate).log_prob(total) + torch.lgamma(total + 1)
    expected = -(shape.sum() + 0.2 * amount.sum()) / COUNTS.numel()
    torch.testing.assert_close(PoissonMultinomial()(RATES, COUNTS), expected)


def test_shape_does_not_depend_on_the_total() -> None:
    """Were the total free of charge, a constant added to all log-rates would change nothing."""
    light, heavy = (PoissonMultinomial(w)(RATES + 1, COUNTS) - PoissonMultinomial(w)(RATES, COUNTS) for w in (0.1, 0.4))
    torch.testing.assert_close(heavy, 4 * light, rtol=1e-3, atol=1e-4)


def test_unknown_sites_count_as_if_cut_out() -> None:
    holes = COUNTS.clone()
    holes[:, :, 5:9] = math.nan
    kept = [*range(5), *range(9, 20)]
    torch.testing.assert_close(
        PoissonMultinomial()(RATES, holes), PoissonMultinomial()(RATES[..., kept], COUNTS[..., kept])
    )
    weight = torch.ones(2, 20)
    weight[:, 5:9] = 0
    torch.testing.assert_close(PoissonMultinomial()(RATES, COUNTS, weight), PoissonMultinomial()(RATES, holes))


@pytest.mark.parametrize("loss", [NegativeBinomial(), PoissonMultinomial()])
def test_a_window_without_known_sites_has_no_gradient(loss) -> None:
    target = COUNTS.clone()
    target[0] = math.nan
    output = torch.cat([RATES, RATES], dim=1) if isinstance(loss, NegativeBinomial) else RATES.clone()
    output = output.requires_grad_()
    loss(output, target).backward()
    assert output.grad is not None
    assert (output.grad[0] == 0).all()
    assert (output.grad[1] != 0).all()


def test_refusals() -> None:
    with pytest.raises(ValueError, match="no axis in space"):
        PoissonMultinomial()(torch.zeros(3, 2), torch.zeros(3, 2))
    with pytest.raises(ValueError, match="found -1, expected 0 or more"):
        NegativeBinomial()(torch.zeros(1, 2, 1), torch.tensor([[[-1.0]]]))
    with pytest.raises(ValueError, match="total_weight 0"):
        PoissonMultinomial(0)
