"""Noise by counter: what a site draws is a function of seed, sample, draw, channel and the site.

So a field that is made tile by tile has the noise of the whole, and a sample that is resumed that of one that was not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from multiunet.core import Geometry
from multiunet.seeds import derive

S = TypeVar("S")

Noise = Callable[[int], Tensor]
"""Function from the number of a draw to noise on all sites."""


@dataclass(frozen=True)
class SiteNoise(Generic[S]):
    """Random numbers on the sites of a field.

    On a grid a site is its place by axis; on graphs it is the number of a node within its graph.

    Args:
        geometry: of the fields.
        seed: of all numbers.
    """

    geometry: Geometry[S]
    seed: int

    def on(self, field: S, samples: Sequence[int], channels: int, start: Sequence[int] = ()) -> Noise:
        """Return ``normal`` on one field, as a function of the draw."""
        return lambda draw: self.normal(field, samples, channels, draw, start)

    def uniform_on(self, field: S, samples: Sequence[int], channels: int = 1, start: Sequence[int] = ()) -> Noise:
        """Return ``uniform`` on one field, as a function of the draw."""
        return lambda draw: self.uniform(field, samples, channels, draw, start)

    def normal(self, field: S, samples: Sequence[int], channels: int, draw: int, start: Sequence[int] = ()) -> Tensor:
        """Return numbers of mean 0 and variance 1, ``(N, channels, *space)`` or ``(nodes, channels)``.

        By Box & Muller 1958, in float64, then rounded to the type of the field (at least float32). They are the same to
        that rounding on every kind of device.

        Args:
            field: the sites; its features are not read.
            samples: number of each sample of the batch, by which its numbers are chosen.
            draw: another number, another draw: one for each step of a sample, say.
            start: place of the field's first site by axis, of a field that is part of a larger one; none: 0.

        Raises:
            ValueError: unless there is one number for each sample, and one place for each axis.
        """
        bits = self._bits(field, samples, channels, draw, start)
        # the upper half of the bits is the radius, the lower one the angle
        radius = ((bits >> 32) & _LOW).double().add_(0.5).mul_(2.0**-32).log_().mul_(-2).sqrt_()
        angle = (bits & _LOW).double().mul_(2 * math.pi * 2.0**-32).cos_()
        return self._as_field(field, radius.mul_(angle))

    def uniform(self, field: S, samples: Sequence[int], channels: int, draw: int, start: Sequence[int] = ()) -> Tensor:
        """Return numbers in (0, 1), float64 where the device has it; otherwise as ``normal``."""
        bits, device = self._bits(field, samples, channels, draw, start), self._features(field).device
        values = ((bits >> 12) & ((1 << 52) - 1)).double().add_(0.5).mul_(2.0**-52)
        return values if values.device == device else values.float().to(device)

    def _bits(self, field: S, samples: Sequence[int], channels: int, draw: int, start: Sequence[int]) -> Tensor:
        """Return 64 random bits for each channel of each site: splitmix64 (Steele et al. 2014), one axis after another.

        For given other axes the numbers along the last one are the stream of one generator.
        """
        features = self._features(field)
        count, axes = self.geometry.batch_size(field), features.ndim - 2
        if len(samples) != count:
            raise ValueError(f"{len(samples)} numbers of samples for a batch of {count}")
        if len(start) not in (0, axes):
            raise ValueError(f"start {tuple(start)} needs one place for each of {axes} axes")
        device = features.device if features.device.type in ("cpu", "cuda") else torch.device("cpu")
        keys = torch.tensor([derive("site noise", self.seed, sample, draw) for sample in samples], dtype=torch.int64)
        bits = self.geometry.at_sites(field, keys[:, None].to(features.device)).to(device)
        bits = _mix(bits, torch.arange(channels, device=device), 1)
        bits = _mix(bits, self._rows(field, count).to(device), 0)
        for axis, size in enumerate(features.shape[2:]):
            first = start[axis] if start else 0
            bits = _mix(bits, torch.arange(first, first + size, device=device), axis + 2)
        return bits

    def _rows(self, field: S, count: int) -> Tensor:
        """Return the place of each row of the features within its sample: 0 on a grid, a node's number on graphs."""
        device = self._features(field).device
        owner = self.geometry.at_sites(field, torch.arange(count, device=device)[:, None]).flatten()
        rows = torch.arange(len(owner), device=device)
        return rows - torch.searchsorted(owner, owner)  # owners ascend: less the first row of each

    def _features(self, field: S) -> Tensor:
        return self.geometry.features(field)

    def _as_field(self, field: S, values: Tensor) -> Tensor:
        features = self._features(field)
        return values.to(torch.promote_types(features.dtype, torch.float32)).to(features.device)


def _signed(number: int) -> int:
    """Return the 64 bits of a number as torch has them, with a sign."""
    return number - (1 << 64) if number >= 1 << 63 else number


_LOW = (1 << 32) - 1
_STEP, _FIRST, _SECOND = map(_signed, (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def _mix(state: Tensor, places: Tensor, axis: int) -> Tensor:
    """Return splitmix64's number of each place in the stream that begins at each state; places lie along an axis."""
    shape = [1] * state.ndim
    shape[axis] = len(places)
    bits = state + (places + 1).mul_(_STEP).view(shape)
    bits = bits.bitwise_xor_((bits >> 30) & ((1 << 34) - 1)).mul_(_FIRST)
    bits = bits.bitwise_xor_((bits >> 27) & ((1 << 37) - 1)).mul_(_SECOND)
    return bits.bitwise_xor_((bits >> 31) & ((1 << 33) - 1))
