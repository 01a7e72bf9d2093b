"""Averages of a network's weights whose length is chosen after training.

Karras et al. 2024, "Analyzing and improving the training dynamics of diffusion models" (EDM2), section 3.1 to 3.2 and
appendix C, eq. 108 to 127 and 146 to 151.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from multiunet.errors import InputError
from multiunet.training.checkpoint import Checkpoint, load, save
from multiunet.training.recipe import LONGEST_AVERAGE

SNAPSHOTS = 16
"""Snapshots of a training, evenly spread.

With averages of 0.05 and 0.1, the profiles of lengths from 0.04 to 0.15 are then met to 1 %, from 0.03 to 0.2 to 4 %.
"""

NAME = re.compile(r"average-(\d+)\.safetensors")


class PowerAverage:
    """Average of weights over training in which step ``t`` counts in proportion to ``t^gamma``.

    Args:
        net: the network, as it is before the first step.
        length: standard deviation of the steps that count, as a share of the training so far; 0.05 and 0.1 are usual.

    Attributes:
        net: the averaged network, in evaluation mode.

    Raises:
        ValueError: when the length is not in (0, ``LONGEST_AVERAGE``].
    """

    def __init__(self, net: nn.Module, length: float) -> None:
        self.length, self.gamma = length, find_gamma(length)
        self.net = copy.deepcopy(net).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, net: nn.Module, updates: int) -> None:
        """Add the weights after a step; ``updates`` is how many steps there were before."""
        keep = (1 - 1 / (updates + 1)) ** (self.gamma + 1)
        for mine, theirs in zip(self.net.state_dict().values(), net.state_dict().values()):
            if mine.is_floating_point():
                mine.lerp_(theirs.to(mine), 1 - keep)
            else:
                mine.copy_(theirs)


@dataclass(frozen=True)
class Profile:
    """Share that each step of a training has in an average: ``gamma``, and the step at which it was taken."""

    gamma: float
    step: float


class PowerSnapshots:
    """Folder of snapshots of power-function averages.

    There is one file each: ``average-640.safetensors`` after step 640. It holds the averages of all lengths,
    ``length-0.05.*`` and so on.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def paths(self) -> dict[int, Path]:
        """Return the files by step, the first first."""
        found = {int(match[1]): path for path in self.folder.glob("average-*") if (match := NAME.fullmatch(path.name))}
        return dict(sorted(found.items()))

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a snapshot after step ``checkpoint.state["step"]``, atomically."""
        save(self.folder / f"average-{checkpoint.state['step']}.safetensors", checkpoint)

    def reconstruct(self, length: float, step: int | None = None) -> dict[str, Tensor]:
        """Return the weights averaged over any length, of the snapshots up to a step.

        Args:
            length: see ``PowerAverage``.
            step: at which the average ends; None: that of the last snapshot.

        Raises:
            InputError: without snapshots, or when one is damaged.
            ValueError: when the length is not in (0, ``LONGEST_AVERAGE``].
        """
        paths = {at: path for at, path in self.paths().items() if step is None or at <= step}
        if not paths:
            raise InputError(
                f"{self.folder}: there are no snapshots of averages to choose a length from; train with "
                "`power_averages=0.05,0.1`"
            )
        lengths = [float(number) for number in load(next(iter(paths.values()))).state["lengths"]]
        profiles = [Profile(find_gamma(one), at) for at in paths for one in lengths]
        shares = iter(solve_shares(profiles, Profile(find_gamma(length), step or max(paths))))
        total: dict[str, Tensor] = {}
        for path in paths.values():  # one after the other: together they may not fit into memory
            snapshot = load(path)
            for one in lengths:
                _add(total, snapshot.part(part_name(one)), float(next(shares)))
        return {name: value.float() if value.dtype == torch.float64 else value for name, value in total.items()}


def take_snapshot(averages: Sequence[PowerAverage], step: int) -> Checkpoint:
    """Return what ``PowerSnapshots`` keeps of the averages after a step."""
    tensors = {
        f"{part_name(average.length)}.{name}": tensor
        for average in averages
        for name, tensor in average.net.state_dict().items()
    }
    return Checkpoint(tensors, {"step": step, "lengths": [average.length for average in averages]})


def part_name(length: float) -> str:
    """Return under which name a checkpoint keeps the average of a length."""
    return f"length-{length:g}"


def find_gamma(length: float) -> float:
    """Return the exponent ``gamma`` of the average of a length.

    The length is ``sqrt(gamma + 1) / ((gamma + 2) sqrt(gamma + 3))``.

    Raises:
        ValueError: when the length is not in (0, ``LONGEST_AVERAGE``].

    >>> round(find_gamma(0.05), 2), round(find_gamma(0.1), 2)
    (16.97, 6.94)
    """
    if not 0 < length <= LONGEST_AVERAGE:
        raise ValueError(f"length {length} of an average must be in (0, {LONGEST_AVERAGE}], a share of the training")
    roots = np.roots([1, 7, 16 - length**-2, 12 - length**-2])
    return float(roots.real.max())


def solve_shares(profiles: Sequence[Profile], wanted: Profile) -> NDArray[np.float64]:
    """Return the share of each snapshot in the average that is nearest to the wanted one.

    Least squares of the difference of their profiles over training; the shares add up to 1.
    """
    gammas, steps = (np.array([getattr(one, name) for one in profiles]) for name in ("gamma", "step"))
    overlaps = _overlap(gammas[:, None], steps[:, None], gammas[None], steps[None])
    shares = np.linalg.lstsq(overlaps, _overlap(gammas, steps, wanted.gamma, wanted.step), rcond=None)[0]
    result: NDArray[np.float64] = shares / shares.sum()
    return result


def is_snapshot_due(done: int, steps: int) -> bool:
    """Return whether a snapshot follows step ``done`` of so many: the last is always one."""
    return done * SNAPSHOTS // steps > (done - 1) * SNAPSHOTS // steps


def _overlap(gamma: np.ndarray, step: np.ndarray, other: np.ndarray | float, at: np.ndarray | float) -> np.ndarray:
    """Return the integral over training of the product of two profiles."""
    earlier = np.where(step < at, (step / at) ** other, (at / step) ** gamma)
    result: np.ndarray = (gamma + 1) * (other + 1) * earlier / ((gamma + other + 1) * np.maximum(step, at))
    return result


def _add(total: dict[str, Tensor], weights: dict[str, Tensor], share: float) -> None:
    for name, value in weights.items():
        if not value.is_floating_point():
            total[name] = value  # a counter: that of the last snapshot
        elif name in total:
            total[name] += share * value.double()
        else:
            total[name] = share * value.double()
