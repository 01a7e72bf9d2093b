"""Parameterisations: what a network predicts, and how the expected data follow from it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from multiunet.diffusion.process import Process


class Scalings(NamedTuple):
    """Four factors that make a denoiser of a network ``F``, each ``(N,)``: one for each level of noise.

    ``D(x; sigma) = skip x + out F(into x; noise)`` (Karras et al. 2022, eq. 7).
    """

    skip: Tensor
    out: Tensor
    into: Tensor
    noise: Tensor


@dataclass(frozen=True)
class Parameterization(ABC):
    """Prediction target of a network, as scalings of the one denoiser ``D(x; sigma)``.

    ``x = data + sigma * noise`` with noise of variance 1, and ``D`` is the expected data given ``x``.

    Args:
        times: process whose time the network is given as ``Condition.noise``: steps of ``DDPM``, or times of
            ``FlowMatching``; None: ``log(sigma) / 4`` (Karras et al. 2022, table 1).
    """

    times: Process | None = None

    @abstractmethod
    def factors(self, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return skip, out and into of levels of noise ``(N,)``, each ``(N,)``."""

    def scalings(self, sigma: Tensor) -> Scalings:
        """Return the scalings of levels of noise ``(N,)``.

        Raises:
            ValueError: when a level is not positive: without noise there is nothing to predict.
        """
        if not bool((sigma > 0).all()):
            raise ValueError(
                f"sigma {sigma.min().item():g} must be positive: without noise there is nothing to predict"
            )
        told = sigma.log() / 4 if self.times is None else self.times.time(sigma)
        return Scalings(*self.factors(sigma), told.to(sigma))


@dataclass(frozen=True)
class PredictNoise(Parameterization):
    """Prediction of the noise, "eps" (Ho et al. 2020, eq. 12), on inputs of constant variance."""

    def factors(self, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return torch.ones_like(sigma), -sigma, (1 + sigma**2).rsqrt()


@dataclass(frozen=True)
class PredictV(Parameterization):
    """Prediction of ``v = alpha noise - s data``, where the input is ``alpha data + s noise``.

    Salimans & Ho 2022, "Progressive distillation", appendix D; ``alpha = 1 / sqrt(1 + sigma^2)``, ``s = alpha sigma``.
    """

    def factors(self, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        alpha = (1 + sigma**2).rsqrt()
        return alpha**2, -sigma * alpha, alpha


@dataclass(frozen=True)
class PredictData(Parameterization):
    """Prediction of the data themselves, "x0", on inputs of constant variance."""

    def factors(self, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return torch.zeros_like(sigma), torch.ones_like(sigma), (1 + sigma**2).rsqrt()


@dataclass(frozen=True)
class Preconditioned(Parameterization):
    """Prediction with input and target of variance 1 at every level.

    Karras et al. 2022, "Elucidating the design space of diffusion-based generative models", table 1, "EDM".

    Args:
        sigma_data: standard deviation of the data.

    Raises:
        ValueError: when it is not positive.
    """

    sigma_data: float = 0.5

    def __post_init__(self) -> None:
        check_positive("sigma_data", self.sigma_data)

    def factors(self, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        total = sigma**2 + self.sigma_data**2
        return self.sigma_data**2 / total, sigma * self.sigma_data * total.rsqrt(), total.rsqrt()


@dataclass(frozen=True)
class PredictFlow(Parameterization):
    """Prediction of ``noise - data``, where the input is ``(1 - t) data + t noise``.

    ``sigma = t / (1 - t)``, data at t = 0. The velocity of flow matching on straight paths (Lipman et al. 2023, eq. 23;
    Liu et al. 2023, eq. 1).
    """

    def factors(self, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        alpha = 1 / (1 + sigma)
        return alpha, -sigma * alpha, alpha


PARAMETERIZATIONS: dict[str, Callable[..., Parameterization]] = {
    "eps": PredictNoise,
    "v": PredictV,
    "x0": PredictData,
    "edm": Preconditioned,
    "flow": PredictFlow,
}
"""Parameterisations by the names that the field has for them."""


def check_positive(name: str, value: float) -> None:
    """Check that a setting is a positive number.

    Raises:
        ValueError: naming it.
    """
    if not 0 < value < math.inf:
        raise ValueError(f"{name} {value} must be a positive number")
