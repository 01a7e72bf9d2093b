"""Losses of real quantities.

A NaN target is not measured: it counts neither in the loss nor in its gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from multiunet.losses.sites import at_least_float32, measured, weighted_mean


class MSE(nn.Module):
    """Mean squared error, in the target's units squared."""

    def forward(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar.

        Args:
            output, target: ``(N, C, *space)`` or ``(nodes, C)``.
            weight: ``(N, *space)`` or ``(nodes,)``.

        Raises:
            ValueError: when the shapes do not fit each other.
        """
        known = measured(output, target, weight)
        return weighted_mean((known.output - known.target) ** 2, known.weight)


class MAE(nn.Module):
    """Mean absolute error, in the target's units."""

    def forward(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar; shapes and errors as in ``MSE``."""
        known = measured(output, target, weight)
        return weighted_mean((known.output - known.target).abs(), known.weight)


class Huber(nn.Module):
    """Huber loss: quadratic up to ``|error| = delta``, linear beyond (Huber 1964).

    ``error^2 / 2``, and ``delta (|error| - delta / 2)`` beyond.

    Args:
        delta: positive, in the target's units.
    """

    def __init__(self, delta: float = 1.0) -> None:
        super().__init__()
        if not delta > 0:
            raise ValueError(f"delta {delta} must be positive")
        self.delta = delta

    def forward(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar; shapes and errors as in ``MSE``."""
        known = measured(output, target, weight)
        error = functional.huber_loss(known.output, known.target, reduction="none", delta=self.delta)
        return weighted_mean(error, known.weight)


class GaussianNLL(nn.Module):
    """Negative log-likelihood of a Gaussian whose mean and variance are both learnt, for each value.

    ``variance^beta * (log variance + (target - mean)^2 / variance) / 2``, where no gradient flows through the factor
    ``variance^beta``: the beta-NLL of Seitzer et al. 2022, "On the Pitfalls of Heteroscedastic Uncertainty Estimation",
    sec. 4. ``beta = 0`` is the plain likelihood (Nix & Weigend 1994) without its constant, log(2 pi) / 2; at
    ``beta = 1`` the mean is taught as by ``MSE``.

    The first C channels of the output are the means, the last C the log-variances, which are clamped to
    ``LOG_VARIANCE_RANGE`` = [-20, 20] (standard deviations 4.5e-5 to 2.2e4: scale the targets to order one).

    Args:
        beta: in [0, 1].
    """

    LOG_VARIANCE_RANGE = (-20.0, 20.0)

    def __init__(self, beta: float = 0.0) -> None:
        super().__init__()
        if not 0.0 <= beta <= 1.0:
            raise ValueError(f"beta {beta} is outside [0, 1]")
        self.beta = beta

    @classmethod
    def log_variance(cls, output: Tensor) -> Tensor:
        """Return the clamped log-variances of an output.

        Args:
            output: ``(N, 2 C, *space)`` or ``(nodes, 2 C)``.

        Returns:
            ``(N, C, *space)`` or ``(nodes, C)``, as the loss uses them.
        """
        return at_least_float32(output).chunk(2, dim=1)[1].clamp(*cls.LOG_VARIANCE_RANGE)

    def forward(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar; in nats for ``beta`` = 0.

        Args:
            output: ``(N, 2 C, *space)`` or ``(nodes, 2 C)``.
            target: ``(N, C, *space)`` or ``(nodes, C)``.
            weight: ``(N, *space)`` or ``(nodes,)``.

        Raises:
            ValueError: when the shapes do not fit each other.
        """
        known = measured(output, target, weight, parameters=2)
        mean = known.output.chunk(2, dim=1)[0]
        log_variance = self.log_variance(known.output)
        surprise = (log_variance + (known.target - mean) ** 2 * torch.exp(-log_variance)) / 2
        factor = torch.exp(self.beta * log_variance.detach())
        return weighted_mean(factor * surprise, known.weight)
