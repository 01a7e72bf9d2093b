"""The sampler: from noise to data, level by level, around what is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import pairwise

import torch
from torch import Tensor

from multiunet.diffusion.denoiser import Denoise
from multiunet.diffusion.process import Sigmas
from multiunet.diffusion.site_noise import Noise
from multiunet.diffusion.solver import Heun, Solver, State

Move = tuple[float, float]
"""Level of noise before and after; upwards where a part of the way is gone once more."""


@dataclass(frozen=True)
class Known:
    """Sites whose data are known: samples fill in the others (Lugmayr et al. 2022, "RePaint").

    Args:
        values: data, in the shape of the sample's features; unknown sites may hold anything finite.
        mask: True where they are known, of a shape that broadcasts against ``values``, such as ``(N, 1, *space)``.
        turns: how often each part of the way is gone, noise being added in between; more than 1 lets the unknown sites
            agree better with the known ones (algorithm 1, ``U``).
        length: moves of such a part (appendix B, jump length).

    Raises:
        ValueError: when the mask is not of bool, or a number is below 1.
    """

    values: Tensor
    mask: Tensor
    turns: int = 1
    length: int = 1

    def __post_init__(self) -> None:
        if self.mask.dtype != torch.bool:
            raise ValueError(f"the mask of known sites is {self.mask.dtype}; it must be of bool, True where known")
        if self.turns < 1 or self.length < 1:
            raise ValueError(f"turns {self.turns} and length {self.length} must be at least 1")

    def put_into(self, x: Tensor, sigma: float, noise: Callable[[], Tensor]) -> Tensor:
        """Return ``x`` with the known data, under noise of this level, at the known sites."""
        values = self.values.to(x)
        return torch.where(self.mask.to(x.device), values + sigma * noise() if sigma else values, x)


@dataclass(frozen=True)
class Sampler:
    """Sampler from the first of ``sigmas`` to the last, 0.

    Everything random comes from ``noise``, a function of the number of the draw. Move ``m`` uses draws ``2 m + 1`` (of
    the solver) and ``2 m + 2`` (of known sites), and the start draw 0. So ``advance`` is a function of the state alone:
    a sample that is stopped between two moves and resumed has the same bits.

    Args:
        sigmas: levels, such as ``EDM().sigmas(18)``; shortened by ``shorten`` to start from a given field.
        solver: the method.
        known: sites that keep their values; None: none.

    Raises:
        ValueError: when the levels do not fall to 0.
    """

    sigmas: Sigmas
    solver: Solver = field(default_factory=Heun)
    known: Known | None = None

    def __post_init__(self) -> None:
        falls = all(a > b for a, b in pairwise(self.sigmas))
        if len(self.sigmas) < 2 or not falls or self.sigmas[-1] != 0 or not math.isfinite(self.sigmas[0]):
            raise ValueError(f"sigmas {self.sigmas} must fall from a finite level to 0")

    @cached_property
    def moves(self) -> tuple[Move, ...]:
        """All moves of a sample, in order."""
        turns, length = (1, 1) if self.known is None else (self.known.turns, self.known.length)
        return plan_moves(self.sigmas, turns, length)

    def start(self, noise: Noise, around: Tensor | None = None) -> State:
        """Return the state before the first move: noise of the largest level.

        Args:
            noise: on the sites of the sample.
            around: data to start from, to which the noise is added (Meng et al. 2022, "SDEdit"); None: zero.
        """
        first, draw = self.sigmas[0], noise(0)
        x = first * draw if around is None else around.to(draw) + first * draw
        return State(x if self.known is None else self.known.put_into(x, first, lambda: draw))

    def advance(self, denoise: Denoise, noise: Noise, state: State) -> State:
        """Return the state one move later.

        Raises:
            ValueError: when the sample is complete.
        """
        if state.done >= len(self.moves):
            raise ValueError(f"all {len(self.moves)} moves are done: `state.x` is the sample")
        sigma, target = self.moves[state.done]
        draw = partial(noise, 2 * state.done + 1)
        if target > sigma:
            after = State(state.x + math.sqrt(target**2 - sigma**2) * draw(), state.done + 1)
        else:
            after = self.solver.move(denoise, state, sigma, target, draw)
        if self.known is None:
            return after
        x = self.known.put_into(after.x, target, partial(noise, 2 * state.done + 2))
        return State(x, after.done, after.previous, after.previous_sigma)

    def run(
        self,
        denoise: Denoise,
        noise: Noise,
        around: Tensor | None = None,
        watch: Callable[[State], None] | None = None,
    ) -> Tensor:
        """Return a sample, in the shape of the noise.

        Args:
            denoise: gives the expected data, such as ``Denoiser.on(...)``.
            noise: such as ``SiteNoise(...).on(...)``.
            around: see ``start``.
            watch: is called with the state after each move.
        """
        state = self.start(noise, around)
        while state.done < len(self.moves):
            state = self.advance(denoise, noise, state)
            if watch is not None:
                watch(state)
        return state.x


def shorten(sigmas: Sigmas, strength: float) -> Sigmas:
    """Return the last part of the levels, to start from a given field.

    Args:
        strength: share of the steps that are kept; 1: all.

    Raises:
        ValueError: when the strength is not in (0, 1].
    """
    if not 0 < strength <= 1:
        raise ValueError(
            f"strength {strength} must be in (0, 1]: the share of the steps that a given field goes through"
        )
    steps = len(sigmas) - 1
    return sigmas[steps - max(1, round(strength * steps)) :]


def plan_moves(sigmas: Sequence[float], turns: int = 1, length: int = 1) -> tuple[Move, ...]:
    """Return the moves through the levels, each part of ``length`` moves gone ``turns`` times.

    >>> plan_moves((2.0, 1.0, 0.0), turns=2)
    ((2.0, 1.0), (1.0, 2.0), (2.0, 1.0), (1.0, 0.0), (0.0, 1.0), (1.0, 0.0))
    """
    moves: list[Move] = []
    for first in range(0, len(sigmas) - 1, length):
        part = sigmas[first : first + length + 1]
        for turn in range(turns):
            if turn:
                moves.append((part[-1], part[0]))
            moves += pairwise(part)
    return tuple(moves)
