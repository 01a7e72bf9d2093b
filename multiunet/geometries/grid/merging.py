"""Ways down of transformers on a grid: merging of sites, and blocks that the skip does not see."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn
from torch.nn import functional

from multiunet.core.exporting import count_windows
from multiunet.core.receptive_field import read_locality
from multiunet.geometries.grid.layers import Layers
from multiunet.geometries.grid.parts import Block, Down
from multiunet.geometries.grid.window import split


@dataclass(frozen=True)
class PatchMerging(Down):
    """Sites of each window of one stride side by side, normalised and mapped to fewer channels.

    Liu et al. 2021, "Swin Transformer", section 3.1. A last, partial window is filled up with zeros.
    """

    def check(self, layers: Layers) -> None:
        if layers.padding == "valid":
            raise ValueError("padding='valid' goes with pooling, and with resizing or transposed convolution")

    def build(self, layers: Layers, in_channels: int, out_channels: int, stride: tuple[int, ...]) -> nn.Module:
        return Merged(in_channels, out_channels, stride)


class Merged(nn.Module):
    """Module of ``PatchMerging``; n sites become ceil(n / stride).

    Attributes:
        stride: by axis.
        reach: how far, in fine sites, a fine site's coarse parent looks.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: tuple[int, ...]) -> None:
        super().__init__()
        self.stride, self.reach = stride, tuple(step - 1 for step in stride)
        self.norm = nn.LayerNorm(math.prod(stride) * in_channels)
        self.reduce = nn.Linear(math.prod(stride) * in_channels, out_channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        space = x.shape[2:]
        counts = [count_windows(size, step) for size, step in zip(space, self.stride)]
        rests = [count * step - size for count, step, size in zip(counts, self.stride, space)]
        fill = [end for rest in reversed(rests) for end in (0, rest)]
        sites = split(functional.pad(x, fill).movedim(1, -1), self.stride).flatten(2)
        coarse: Tensor = self.reduce(self.norm(sites)).transpose(1, 2)
        return coarse.reshape(*coarse.shape[:2], *counts)


@dataclass(frozen=True)
class BlockDown(Down):
    """A block, then a way down: the skip carries what comes before the block, as in Swin UNETR.

    Args:
        block: keeps the channels. It is told no condition.
        down: the way down behind it.

    Raises:
        ValueError: for a block that reads a condition.
    """

    block: Block
    down: Down

    def check(self, layers: Layers) -> None:
        if self.block.example_condition(0) is not None:
            raise ValueError(f"ways down are told no condition, which {self.block!r} reads; make it a block of a level")
        self.block.check(layers)
        self.down.check(layers)

    def build(self, layers: Layers, in_channels: int, out_channels: int, stride: tuple[int, ...]) -> nn.Module:
        block = self.block.build(layers, in_channels, in_channels)
        return BlockThenDown(block, self.down.build(layers, in_channels, out_channels, stride))


class BlockThenDown(nn.Module):
    """Module of ``BlockDown``.

    Attributes:
        stride: by axis.
        reach, period, is_global: how far, in fine sites, a fine site's coarse parent looks; see ``Locality``.
        cheap_again: True, so that gradient checkpointing recomputes it, as it does the blocks of levels.
    """

    cheap_again = True

    def __init__(self, block: nn.Module, down: nn.Module) -> None:
        super().__init__()
        self.block, self.down = block, down
        way = cast("Any", down)
        seen = read_locality(block, len(way.stride))
        self.stride, self.period, self.is_global = way.stride, seen.period, seen.is_global
        self.reach = tuple(map(sum, zip(seen.reach, way.reach)))

    def forward(self, x: Tensor) -> Tensor:
        coarse: Tensor = self.down(self.block(x))
        return coarse
