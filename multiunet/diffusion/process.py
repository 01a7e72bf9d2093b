"""Processes: from which levels of noise a network learns, and through which ones a sample goes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

Sigmas = tuple[float, ...]
"""Levels of noise of a sample: falling, the last is 0."""


class Process(ABC):
    """Way from data to noise: its levels ``sigma`` in training and in sampling.

    At every level ``x = data + sigma * noise``. The field that papers diffuse is ``alpha(sigma) * x``: of constant
    variance in DDPM, on straight lines from data to noise in flow matching.
    """

    @abstractmethod
    def alpha(self, sigma: Tensor) -> Tensor:
        """Return the factor of the data in the process's own field, of levels of any shape."""

    @abstractmethod
    def time(self, sigma: Tensor) -> Tensor:
        """Return the process's own time of levels of any shape."""

    @abstractmethod
    def draw(self, u: Tensor) -> Tensor:
        """Return levels for training, of uniform numbers in (0, 1): the quantiles of their distribution."""

    @abstractmethod
    def weight(self, sigma: Tensor) -> Tensor:
        """Return the weight that the squared error of ``D`` has in the loss, of levels of any shape."""

    @abstractmethod
    def sigmas(self, steps: int) -> Sigmas:
        """Return the levels of a sample in so many steps: the largest first, at the end 0.

        Raises:
            ValueError: for fewer steps than one, or more than the process has.
        """


@dataclass(frozen=True)
class EDM(Process):
    """Process of Karras et al. 2022, "Elucidating the design space of diffusion-based generative models".

    Args:
        sigma_data: standard deviation of the data.
        mean, deviation: of ``log(sigma)`` in training (table 1).
        least, most: smallest level but 0, and the largest, of a sample.
        rho: how much denser the levels of a sample lie near 0 (eq. 5).

    Raises:
        ValueError: when a number is not positive, or ``least`` not below ``most``.
    """

    sigma_data: float = 0.5
    mean: float = -1.2
    deviation: float = 1.2
    least: float = 0.002
    most: float = 80.0
    rho: float = 7.0

    def __post_init__(self) -> None:
        if not (self.sigma_data > 0 and self.deviation > 0 and 0 < self.least < self.most and self.rho > 0):
            raise ValueError(f"{self}: all but the mean must be positive, and least below most")

    def alpha(self, sigma: Tensor) -> Tensor:
        return torch.ones_like(sigma)

    def time(self, sigma: Tensor) -> Tensor:
        return sigma.log() / 4

    def draw(self, u: Tensor) -> Tensor:
        return torch.exp(self.mean + self.deviation * torch.special.ndtri(u))

    def weight(self, sigma: Tensor) -> Tensor:
        return (sigma**2 + self.sigma_data**2) / (sigma * self.sigma_data) ** 2

    def sigmas(self, steps: int) -> Sigmas:
        check_steps(steps)
        high, low = self.most ** (1 / self.rho), self.least ** (1 / self.rho)
        shares = [i / (steps - 1) if steps > 1 else 0.0 for i in range(steps)]
        return (*((high + share * (low - high)) ** self.rho for share in shares), 0.0)


@dataclass(frozen=True)
class FlowMatching(Process):
    """Straight lines from data to noise (Lipman et al. 2023; Liu et al. 2023, "Rectified flow").

    ``(1 - t) data + t noise``, so ``sigma = t / (1 - t)``.

    Args:
        latest: the time at which a sample begins, below 1, where sigma would be infinite.
        mean, deviation: of ``log(t / (1 - t))`` in training (Esser et al. 2024, eq. 19); with a deviation of 0 the time
            is uniform instead.

    Raises:
        ValueError: when a number is out of its range.
    """

    latest: float = 0.999
    mean: float = 0.0
    deviation: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.latest < 1 or not 0 <= self.deviation < math.inf:
            raise ValueError(f"{self}: latest must be in (0, 1), and deviation not negative")

    def alpha(self, sigma: Tensor) -> Tensor:
        return 1 / (1 + sigma)

    def time(self, sigma: Tensor) -> Tensor:
        return sigma / (1 + sigma)

    def draw(self, u: Tensor) -> Tensor:
        if self.deviation:
            return torch.exp(self.mean + self.deviation * torch.special.ndtri(u))
        t = u * self.latest
        return t / (1 - t)

    def weight(self, sigma: Tensor) -> Tensor:
        return ((1 + sigma) / sigma) ** 2

    def sigmas(self, steps: int) -> Sigmas:
        check_steps(steps)
        times = [self.latest * (1 - i / steps) for i in range(steps)]
        return (*(t / (1 - t) for t in times), 0.0)


def check_steps(steps: int, most: int | None = None) -> None:
    """Check the number of steps of a sample.

    Raises:
        ValueError: when it is below 1, or above ``most``.
    """
    if steps < 1 or (most is not None and steps > most):
        raise ValueError(f"steps {steps} must be at least 1" + ("" if most is None else f" and at most {most}"))
