"""Positions of sites, as attention over all sites of a level sees them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from multiunet.geometries.choices import check_least


class Positions(ABC):
    """Describes how attention learns where sites are."""

    @abstractmethod
    def build(self, ndim: int, channels: int, heads: int) -> nn.Module:
        """Build a module from sites by axis to what ``MultiheadAttention`` takes beside a sequence.

        Sites are numbered as they lie in memory, the last axis first.
        """


@dataclass(frozen=True)
class Rotary(Positions):
    """Queries and keys turned by angles that grow with the place, so that scores see distances.

    Su et al. 2021, "RoFormer". On grids of several axes each axis turns a share of the channels of a head (Heo et al.
    2024, axial). Works at any distance, without anything learnt.

    Args:
        longest: the longest wavelength, in sites, by 2 pi.
    """

    longest: float = 10_000.0

    def build(self, ndim: int, channels: int, heads: int) -> nn.Module:
        pairs = channels // heads // 2
        if pairs < ndim:
            raise ValueError(
                f"rotary positions on {ndim} axes need {2 * ndim} channels a head or more; {channels} channels and "
                f"{heads} heads give {channels // heads}"
            )
        return RotaryPositions(ndim, pairs, self.longest)


class RotaryPositions(nn.Module):
    """Module of ``Rotary``; channels that no axis gets, and an odd last one, are not turned."""

    frequencies: Tensor

    def __init__(self, ndim: int, pairs: int, longest: float) -> None:
        super().__init__()
        self.ndim = ndim
        share = pairs // ndim
        self.register_buffer("frequencies", longest ** (-torch.arange(share) / share), persistent=False)

    def forward(self, space: Sequence[int]) -> dict[str, Callable[[Tensor], Tensor]]:
        places = _places(space, self.frequencies.device)
        angles = (places[:, :, None] * self.frequencies).flatten(1)  # (sites, pairs)
        return {"turn": lambda x: turn_pairs(x, angles)}


@dataclass(frozen=True)
class Relative(Positions):
    """Score of each head that is learnt by distance and side, of the features of Enformer and Borzoi.

    The features of a distance say whether it is below each of several widths, which double ("central mask";
    Avsec et al. 2021, methods; Linder et al. 2025), once for both sides alike and once with a sign. On grids of several
    axes those of all axes add up.

    Args:
        widths: number of widths: 1, 2, 4 and so on, in sites.
    """

    widths: int = 16

    def __post_init__(self) -> None:
        check_least("widths", self.widths, 1)

    def build(self, ndim: int, channels: int, heads: int) -> nn.Module:
        return RelativePositions(ndim, self.widths, heads)


class RelativePositions(nn.Module):
    """Module of ``Relative``; at first no distance counts more than another."""

    widths: Tensor

    def __init__(self, ndim: int, widths: int, heads: int) -> None:
        super().__init__()
        self.register_buffer("widths", 2.0 ** torch.arange(widths), persistent=False)
        self.scores = nn.Parameter(torch.zeros(ndim, 2 * widths, heads))

    def forward(self, space: Sequence[int]) -> dict[str, Tensor]:
        places = _places(space, self.widths.device)
        total: Any = 0
        for size, place, scores in zip(space, places.T, self.scores):
            distances = torch.arange(1 - size, size, device=places.device)
            near = (distances.abs()[:, None] < self.widths).to(scores)
            table = torch.cat([near, near * distances.sign()[:, None]], dim=1) @ scores  # (2 size - 1, heads)
            total = total + table[(place[None, :] - place[:, None]) + size - 1]
        return {"bias": total.movedim(-1, 0)}


def turn_pairs(x: Tensor, angles: Tensor) -> Tensor:
    """Turn pairs of channels of ``(..., sites, channels)`` by angles ``(sites, pairs)``.

    A pair is a channel of the first half and one of the second.
    """
    pairs = angles.shape[1]
    cos, sin = angles.cos().to(x), angles.sin().to(x)
    first, second, rest = x[..., :pairs], x[..., pairs : 2 * pairs], x[..., 2 * pairs :]
    return torch.cat([first * cos - second * sin, second * cos + first * sin, rest], dim=-1)


def _places(space: Sequence[int], device: torch.device) -> Tensor:
    """Return the place of each site on each axis, ``(sites, axes)``."""
    axes = [torch.arange(size, device=device) for size in space]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flatten(0, -2)
