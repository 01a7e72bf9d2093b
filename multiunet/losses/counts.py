"""Losses of counts: Poisson, negative binomial, and total and shape of a window.

A NaN target is not measured: it counts neither in the loss nor in its gradient. Counts may be means, so they need not
be whole numbers. Shapes and errors are those of ``regression.MSE``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from multiunet.losses.sites import Measured, at_least_float32, measured, ratio, weighted_mean


class Poisson(nn.Module):
    """Poisson negative log-likelihood of counts, ``exp(output) - target * output``.

    The output is the logarithm of the rate. The term of the target alone, log(target!), is left out, so the loss can be
    negative.
    """

    def forward(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar in nats; shapes as in ``MSE``.

        Raises:
            ValueError: as ``MSE`` does, and when a count is negative.
        """
        known = read_counts("Poisson", output, target, weight)
        surprise = functional.poisson_nll_loss(known.output, known.target, log_input=True, full=False, reduction="none")
        return weighted_mean(surprise, known.weight)


class NegativeBinomial(nn.Module):
    """Negative log-likelihood of counts that vary more than Poisson's, mean and dispersion both learnt.

    With mean m and dispersion a the variance is ``m + a m^2`` (NB2: Lawless 1987, "Negative binomial and mixed Poisson
    regression"; DESeq2: Love et al. 2014, eq. 2). With ``r = 1 / a`` the loss of a count k is ``-log(Gamma(k + r) /
    Gamma(r)) + r log(1 + a m) - k log(a m / (1 + a m))``; the term of the count alone, log(k!), is left out, so it can
    be negative.

    The first C channels of the output are the logarithms of the means, the last C those of the dispersions, which are
    clamped to ``LOG_DISPERSION_RANGE`` = [-7, 7].
    """

    LOG_DISPERSION_RANGE = (-7.0, 7.0)

    @classmethod
    def moments(cls, output: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance of each count.

        Args:
            output: ``(N, 2 C, *space)`` or ``(nodes, 2 C)``.

        Returns:
            Two of ``(N, C, *space)`` or ``(nodes, C)``.
        """
        log_mean, log_dispersion = at_least_float32(output).chunk(2, dim=1)
        mean = log_mean.exp()
        return mean, mean + log_dispersion.clamp(*cls.LOG_DISPERSION_RANGE).exp() * mean**2

    def forward(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar in nats.

        Args:
            output: ``(N, 2 C, *space)`` or ``(nodes, 2 C)``.
            target: ``(N, C, *space)`` or ``(nodes, C)``.
            weight: ``(N, *space)`` or ``(nodes,)``.

        Raises:
            ValueError: when the shapes do not fit each other, or a count is negative.
        """
        known = read_counts("negative binomial", output, target, weight, parameters=2)
        log_mean, log_dispersion = known.output.chunk(2, dim=1)
        log_dispersion = log_dispersion.clamp(*self.LOG_DISPERSION_RANGE)
        size, count = torch.exp(-log_dispersion), known.target
        log_odds = log_mean + log_dispersion  # log(a m)
        ways = torch.lgamma(count + size) - torch.lgamma(size)
        surprise = (size + count) * functional.softplus(log_odds) - count * log_odds - ways
        return weighted_mean(surprise, known.weight)


class PoissonMultinomial(nn.Module):
    """Loss of a window's counts as its total (Poisson) and its shape, given the total (multinomial).

    Linder et al. 2025, "Predicting RNA-seq coverage from DNA sequence as a unifying model of gene regulation" (Borzoi),
    methods; there the total weighs 0.2. The output is the logarithm of the rate of each site. With rates r and counts k
    of the sites of one sample and channel, R and K their sums, the loss is ``total_weight (R - K log R) - sum k log(r /
    R)``, divided by the number of sites. Terms of the counts alone are left out. With ``total_weight = 1`` it is
    ``Poisson``'s; with less, the shape counts for more.

    Args:
        total_weight: positive; weight of the total.
    """

    def __init__(self, total_weight: float = 0.2) -> None:
        super().__init__()
        if not total_weight > 0:
            raise ValueError(f"total_weight {total_weight} must be positive: without it no total is learnt")
        self.total_weight = total_weight

    def forward(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar in nats a site.

        Args:
            output, target: ``(N, C, *space)``; a sample is one window.
            weight: ``(N, *space)``; how often each site counts.

        Raises:
            ValueError: when the shapes do not fit each other or have no axis in space, or a count is negative.
        """
        if target.ndim < 3:
            raise ValueError(
                f"target {tuple(target.shape)} has no axis in space, (N, C, *space), to have a shape along"
            )
        known = read_counts("Poisson-multinomial", output, target, weight)
        rates, counts, weights = (part.flatten(2) for part in (known.output, known.target, known.weight))
        log_total = torch.where(weights > 0, rates + weights.clamp_min(_LEAST).log(), -_FAR).logsumexp(dim=2)
        total = (weights * counts).sum(dim=2)
        shape = (weights * counts * (log_total[..., None] - rates)).sum(dim=2)
        amount = torch.where((weights > 0).any(dim=2), log_total.exp(), 0.0) - total * log_total
        return ratio((shape + self.total_weight * amount).sum(), weights.sum())


_LEAST = math.exp(-80)
_FAR = 1e4
"""Minus the logarithm of a rate that adds nothing to any other; finite, so that gradients are."""


def read_counts(name: str, output: Tensor, target: Tensor, weight: Tensor | None, parameters: int = 1) -> Measured:
    """Return the known values of a loss of counts.

    Args:
        output: ``(N, parameters * C, *space)`` or ``(nodes, parameters * C)``.
        target: ``(N, C, *space)`` or ``(nodes, C)``.
        weight: ``(N, *space)`` or ``(nodes,)``.

    Raises:
        ValueError: when the shapes do not fit each other, or a count is negative.
    """
    known = measured(output, target, weight, parameters)
    if (known.target < 0).any():
        raise ValueError(f"{name} targets are counts: found {known.target.min().item():g}, expected 0 or more")
    return known
