"""Features of sequences with single bases changed, computed where they change and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor, nn

from multiunet.models.genomic import Tower
from multiunet.models.reading_frames import ReadingFrames


@dataclass(frozen=True)
class Patch:
    """Stretches that replace parts of a field, one for each mutant.

    Attributes:
        starts: ``(mutants,)``, first site of each.
        values: ``(mutants, channels, sites)``.
    """

    starts: Tensor
    values: Tensor


class PatchedTower:
    """Tower that has read a sequence, and reads again only what a changed base can reach, layer by layer.

    A change of one base reaches as far as each layer's reach, so of the first, widest field a few sites are computed
    anew instead of all. As fast in-silico mutagenesis by Nair et al. 2022, "fastISM".

    Args:
        x: one-hot bases of one sequence, ``(1, 4, bases)``; whole bins.

    Attributes:
        features: of the sequence, ``(1, channels, bins)``.
    """

    def __init__(self, tower: Tower, x: Tensor) -> None:
        self.tower = tower
        self._layers: list[Any] = []
        self._inputs: list[Tensor] = []
        operators = [layer for pair in zip_longest(tower.blocks, tower.downs) for layer in pair if layer is not None]
        for layer in operators if tower.frames is None else [_Beside(tower.frames), *operators]:
            self._layers.append(layer)
            self._inputs.append(x)
            x = layer(x)
        self.features = x

    def mutate(self, places: Tensor, letters: Tensor) -> Tensor:
        """Return the features of sequences with one base changed, ``(mutants, channels, bins)``.

        Args:
            places: of the bases, ``(mutants,)``.
            letters: what each becomes, 0 to 3.
        """
        values = nn.functional.one_hot(letters, 4).to(self.features.dtype)[:, :, None]
        patch = Patch(places, values)
        for layer, x in zip(self._layers, self._inputs):
            patch = _pass(layer, x, patch)
        return _put(self.features, patch)


class _Beside:
    """Reading frames as a layer: bases, and their frames beside them."""

    def __init__(self, frames: ReadingFrames) -> None:
        self.frames, self.reach = frames, (frames.reach,)

    def __call__(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.frames(x)], dim=1)


def _pass(layer: Any, x: Tensor, patch: Patch) -> Patch:
    """Return what a layer makes of the stretches, and of what lies near enough to see them.

    Args:
        x: the field that they are patches of, ``(1, channels, sites)``.
    """
    step = layer.stride[0] if hasattr(layer, "stride") else 1
    reach = layer.reach[0] - (step - 1)  # beyond its own window
    size = patch.values.shape[2]
    first = torch.div(patch.starts - reach, step, rounding_mode="floor")  # of the outputs that change
    count = (size + 2 * reach + step - 2) // step + 1
    length = -(-x.shape[2] // step)
    inside = first.clamp(0, max(0, length - count))
    if count > length or not torch.equal(inside, first):
        return _pass_near_end(layer, x, patch, inside, count)
    # what these outputs look at, from the begin of a window of the layer
    before = -(-reach // step) * step
    start = first * step - before
    seen = _replace(_cut(x, start, count * step + 2 * before), patch, start)
    return Patch(first, layer(seen)[:, :, before // step : before // step + count])


def _pass_near_end(layer: Any, x: Tensor, patch: Patch, first: Tensor, count: int) -> Patch:
    """Compute whole fields, where stretches reach beyond an end: zeros there would be those of another layer."""
    made = layer(_put(x, patch))
    index = (first[:, None] + torch.arange(count, device=x.device)).clamp(max=made.shape[2] - 1)
    values = made.gather(2, index[:, None].expand(-1, made.shape[1], -1))
    return Patch(first, values[:, :, : made.shape[2]])


def _cut(x: Tensor, starts: Tensor, size: int) -> Tensor:
    """Return stretches ``(mutants, channels, size)`` of a field, zero beyond its ends."""
    index = starts[:, None] + torch.arange(size, device=x.device)
    inside = (index >= 0) & (index < x.shape[2])
    found = x[0][:, index.clamp(0, x.shape[2] - 1)].movedim(0, 1)
    return torch.where(inside[:, None], found, torch.zeros((), dtype=x.dtype, device=x.device))


def _replace(seen: Tensor, patch: Patch, starts: Tensor) -> Tensor:
    """Put the patches into stretches that begin at ``starts`` and hold them."""
    index = (patch.starts - starts)[:, None] + torch.arange(patch.values.shape[2], device=seen.device)
    return seen.scatter(2, index[:, None].expand(-1, seen.shape[1], -1), patch.values)


def _put(x: Tensor, patch: Patch) -> Tensor:
    """Return copies of a field with the patches put in, ``(mutants, channels, sites)``."""
    copies = x.expand(len(patch.starts), -1, -1).clone()
    return _replace(copies, patch, torch.zeros_like(patch.starts))
