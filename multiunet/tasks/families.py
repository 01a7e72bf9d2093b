"""Families of distributions that losses of quantities learn, as in generalised linear models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from multiunet.losses import (
    MAE,
    MSE,
    CrossEntropy,
    Focal,
    GaussianNLL,
    Huber,
    NegativeBinomial,
    Poisson,
    PoissonMultinomial,
)

RegressionLoss = Literal[
    "beta-nll",
    "gaussian-nll",
    "mse",
    "mae",
    "huber",
    "poisson",
    "poisson-multinomial",
    "negative-binomial",
    "bce",
    "focal",
]


class Family(ABC):
    """Family of distributions of a loss: mean and variance of each quantity from a network's output.

    Attributes:
        criterion: the loss.
        parameters: channels of the output a quantity.
        standardized: whether the network works on ``(target - centre) / scale``; else on the target itself.
        lowest, highest: limits of what the mean can be; None: none.
    """

    parameters: int = 1
    standardized: bool = False
    lowest: float | None = None
    highest: float | None = None

    def __init__(self, criterion: nn.Module) -> None:
        self.criterion = criterion

    @abstractmethod
    def moments(self, output: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return mean and variance of ``(N, C, *space)``; None for a loss that learns no variance.

        Args:
            output: ``(N, parameters * C, *space)``, float32.
        """


class Location(Family):
    """Losses that learn a location alone."""

    standardized = True

    def moments(self, output: Tensor) -> tuple[Tensor, Tensor | None]:
        return output, None


class Gaussian(Family):
    """Normal distributions, mean and log-variance of each site."""

    parameters = 2
    standardized = True

    def moments(self, output: Tensor) -> tuple[Tensor, Tensor | None]:
        return output.chunk(2, dim=1)[0], GaussianNLL.log_variance(output).exp()


class Count(Family):
    """Poisson distributions, whose variance is their mean; the output is its logarithm."""

    lowest = 0.0

    def moments(self, output: Tensor) -> tuple[Tensor, Tensor | None]:
        rate = output.exp()
        return rate, rate


class DispersedCount(Family):
    """Negative binomial distributions; the outputs are the logarithms of mean and dispersion."""

    parameters = 2
    lowest = 0.0

    def moments(self, output: Tensor) -> tuple[Tensor, Tensor | None]:
        return NegativeBinomial.moments(output)


class Presence(Family):
    """Bernoulli distributions: the mean is the probability p, the variance ``p (1 - p)``.

    The least expected focal loss is not at the true probability. The sigmoid s of its output tells it, though: ``p =
    h(s) / (h(s) + h(1 - s))`` with ``h(s) = s / ((1 - s)^gamma - gamma (1 - s)^(gamma - 1) s log s)``
    (Charoenphakdee et al. 2021, "On focal loss for class-posterior probability estimation", theorem 11). Of
    ``gamma = 0``, the cross-entropy, it is s itself.
    """

    lowest, highest = 0.0, 1.0

    def __init__(self, criterion: nn.Module, gamma: float = 0.0) -> None:
        super().__init__(criterion)
        self.gamma = gamma

    def moments(self, output: Tensor) -> tuple[Tensor, Tensor | None]:
        # the ratio of h(s) and h(1 - s) in logarithms, which are exact for confident outputs
        logit = output + self._steepness(-output) - self._steepness(output) if self.gamma else output
        p = logit.sigmoid()
        return p, p * (1 - p)

    def _steepness(self, logit: Tensor) -> Tensor:
        """Return ``log((1 - s)^gamma - gamma (1 - s)^(gamma - 1) s log s)`` of ``s = sigmoid(logit)``."""
        inside, outside = nn.functional.logsigmoid(logit), nn.functional.logsigmoid(-logit)
        second = torch.log(self.gamma * -inside.clamp_max(-torch.finfo(logit.dtype).tiny)) + inside - outside
        return self.gamma * outside + nn.functional.softplus(second)


FOCAL_GAMMA = 2.0

FAMILIES: Mapping[str, Callable[[], Family]] = {
    "beta-nll": lambda: Gaussian(GaussianNLL(beta=0.5)),
    "gaussian-nll": lambda: Gaussian(GaussianNLL()),
    "mse": lambda: Location(MSE()),
    "mae": lambda: Location(MAE()),
    "huber": lambda: Location(Huber()),
    "poisson": lambda: Count(Poisson()),
    "poisson-multinomial": lambda: Count(PoissonMultinomial()),
    "negative-binomial": lambda: DispersedCount(NegativeBinomial()),
    "bce": lambda: Presence(CrossEntropy(kind="multilabel", ignore_index=None)),
    "focal": lambda: Presence(Focal(FOCAL_GAMMA, kind="multilabel", ignore_index=None), FOCAL_GAMMA),
}
"""Makes the family of each loss."""
