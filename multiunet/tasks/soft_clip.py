"""Soft limit of extreme targets, which a few of would otherwise make the whole loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from multiunet.losses.sites import at_least_float32, on_axis_1


class SoftClips:
    """Square root above a threshold, one for each quantity, and back.

    A target y above the threshold c becomes ``f(y) = c + 2 u (sqrt(1 + (y - c) / u) - 1)``, which goes on from the line
    below without a kink and grows as a square root; u is the unit. Borzoi has ``c - 1 + sqrt(y - c + 1)``, half as
    steep at c (Linder et al. 2025, methods: ``clip_soft``).

    A prediction is stretched back: the mean is ``g(m)``, with g the inverse of f, the variance ``g'(m)^2 v`` (the delta
    method). Where the network's distribution is symmetric, ``g(m)`` is the median of the target's.

    Args:
        thresholds: of each quantity, in its own units; None: it has none.
        units: of each quantity, positive, in the same units.

    Raises:
        ValueError: for lists of different lengths, or a unit that is not positive.
    """

    def __init__(self, thresholds: Sequence[float | None], units: Sequence[float]) -> None:
        if len(thresholds) != len(units) or not all(unit > 0 for unit in units):
            raise ValueError(f"thresholds {list(thresholds)} and units {list(units)}: give a positive unit for each")
        self.thresholds = torch.tensor([torch.inf if value is None else value for value in thresholds])
        self.units = torch.tensor(list(units))

    def squash(self, target: Tensor) -> Tensor:
        """Return targets ``(N, C, *space)`` as they are learnt; NaN stays."""
        target = at_least_float32(target)
        excess, unit = self._above(target)
        return target - excess + 2 * unit * (torch.sqrt(1 + excess / unit) - 1)

    def stretch(self, mean: Tensor, variance: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return mean and variance ``(N, C, *space)`` in the targets' own units; None stays."""
        excess, unit = self._above(mean)
        slope = 1 + excess / (2 * unit)
        stretched = mean + excess**2 / (4 * unit)  # unit * (slope^2 - 1) is excess + excess^2 / 4 unit
        return stretched, None if variance is None else variance * slope**2

    def _above(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return how far values are above their thresholds, and the unit of each."""
        thresholds, units = (on_axis_1(part.to(values), values) for part in (self.thresholds, self.units))
        return (values - thresholds).clamp_min(0), units
