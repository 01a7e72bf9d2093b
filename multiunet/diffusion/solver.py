"""Solvers: how a sample goes from one level of noise to a lower one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from multiunet.diffusion.denoiser import Denoise


@dataclass(frozen=True)
class State:
    """State of a sample between two moves: all that is needed to go on with the same bits.

    Attributes:
        x: data with noise of the level reached, as features.
        done: moves that are done.
        previous: the expected data of the move before, for a solver that looks back; None: there is none.
        previous_sigma: the level at which they were found.
    """

    x: Tensor
    done: int = 0
    previous: Tensor | None = None
    previous_sigma: float = math.inf


class Solver(ABC):
    """Method that moves a sample from one level of noise to a lower one."""

    @abstractmethod
    def move(self, denoise: Denoise, state: State, sigma: float, target: float, noise: Callable[[], Tensor]) -> State:
        """Return the state one move later.

        Args:
            denoise: gives the expected data.
            sigma, target: level of the state, and the lower one that is to be reached.
            noise: gives noise of variance 1 in the shape of ``state.x``.
        """


@dataclass(frozen=True)
class Euler(Solver):
    """Straight steps: Euler's method for the probability flow (Karras et al. 2022, eq. 4).

    On the levels of ``DDPM`` it is DDIM (Song et al. 2021, eq. 12, eta = 0), on those of ``FlowMatching`` the usual
    sampler of flow matching.
    """

    def move(self, denoise: Denoise, state: State, sigma: float, target: float, noise: Callable[[], Tensor]) -> State:
        kept = target / sigma
        return State(kept * state.x + (1 - kept) * denoise(state.x, sigma), state.done + 1)


@dataclass(frozen=True)
class Ancestral(Solver):
    """Steps that remove more noise than needed and add fresh noise (Ho et al. 2020, algorithm 2).

    Args:
        eta: share of the fresh noise's deviation: 1 is DDPM, 0 is ``Euler`` (Song et al. 2021, eq. 16).

    Raises:
        ValueError: when it is outside [0, 1].
    """

    eta: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.eta <= 1:
            raise ValueError(f"eta {self.eta} is outside [0, 1]")

    def move(self, denoise: Denoise, state: State, sigma: float, target: float, noise: Callable[[], Tensor]) -> State:
        fresh = self.eta * target * math.sqrt(1 - (target / sigma) ** 2)
        kept = math.sqrt(target**2 - fresh**2) / sigma
        x = kept * state.x + (1 - kept) * denoise(state.x, sigma)
        return State(x + fresh * noise() if fresh else x, state.done + 1)


@dataclass(frozen=True)
class Heun(Solver):
    """Steps with a slope from both ends: Heun's method, of second order.

    Karras et al. 2022, algorithm 1, without its churn. Two evaluations of the network a step, but for the last one.
    """

    def move(self, denoise: Denoise, state: State, sigma: float, target: float, noise: Callable[[], Tensor]) -> State:
        slope = (state.x - denoise(state.x, sigma)) / sigma
        x = state.x + (target - sigma) * slope
        if target > 0:
            x = state.x + (target - sigma) * (slope + (x - denoise(x, target)) / target) / 2
        return State(x, state.done + 1)


@dataclass(frozen=True)
class DPMSolver2M(Solver):
    """Steps of second order that use the step before: DPM-Solver++(2M) (Lu et al. 2022, algorithm 2).

    One evaluation of the network a step. The first step and the last are of first order.
    """

    def move(self, denoise: Denoise, state: State, sigma: float, target: float, noise: Callable[[], Tensor]) -> State:
        kept, data = target / sigma, denoise(state.x, sigma)
        expected = data
        if state.previous is not None and target > 0:
            ahead = math.log(state.previous_sigma / sigma) / math.log(sigma / target)
            expected = data + (data - state.previous) / (2 * ahead)
        return State(kept * state.x + (1 - kept) * expected, state.done + 1, data, sigma)


SOLVERS: dict[str, Callable[[], Solver]] = {
    "euler": Euler,
    "ancestral": Ancestral,
    "heun": Heun,
    "dpm++2m": DPMSolver2M,
}
"""Solvers by name; ``euler`` on DDPM's levels is DDIM, and ``ancestral`` DDPM."""
