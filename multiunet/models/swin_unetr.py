"""Swin UNETR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from torch import Tensor, nn

from multiunet.catalogue import CHANNELS
from multiunet.core import Condition, Geometry, LazyConcat, LevelSpec, Skip, UNet
from multiunet.core.level import per_level
from multiunet.core.receptive_field import read_locality
from multiunet.geometries.grid.block import Conv
from multiunet.geometries.grid.down import StridedConv
from multiunet.geometries.grid.grid import Grid
from multiunet.geometries.grid.in_turn import InTurn
from multiunet.geometries.grid.layers import LayerNorm, Layers, Sizes
from multiunet.geometries.grid.merging import BlockDown, PatchMerging
from multiunet.geometries.grid.parts import Block
from multiunet.geometries.grid.transformer import count_heads
from multiunet.geometries.grid.up import Transposed
from multiunet.geometries.grid.window import Window

HEAD = 8
"""Channels of a head, unless ``heads`` says otherwise."""


def swin_unetr(
    ndim: int,
    in_channels: int,
    out_channels: int,
    channels: Sequence[int] = CHANNELS["swin_unetr"],
    *,
    window: Sizes = 7,
    depths: Sequence[int] = (2, 2, 2, 2),
    heads: Sequence[int] | None = None,
    strides: Sequence[Sizes] | None = None,
    dropout: float = 0.0,
    gradient_checkpointing: bool = False,
) -> UNet[Tensor]:
    """Build the Swin UNETR of Hatamizadeh et al. 2022.

    "Swin UNETR: Swin Transformers for Semantic Segmentation of Brain Tumors in MRI Images". A Swin transformer goes
    down: patches of one stride, then blocks of windows and merging of sites, level by level. What enters each level
    goes, normalised and through a residual block of convolutions, across to a decoder of such blocks and transposed
    convolutions, with instance normalisation. Any size and 1 to 3 axes; MONAI's takes 2 or 3 axes whose sizes are
    multiples of 32. With its weights the two agree, wherever no axis of a level is shorter than the window: there
    MONAI's reads wrong places of its table of biases.

    Args:
        ndim: axes of space: 1, 2 or 3.
        in_channels, out_channels: channels of the input and of the output.
        channels: channels by level, finest first; those of the first two are equal in the paper.
        window: sites of a window, one number or one an axis.
        depths: window blocks by level below the finest, plain and shifted in turn; the last number counts for levels
            beyond.
        heads: of the window blocks, level by level below the finest but the coarsest; one for ``HEAD`` channels by
            default.
        strides: by way down, one number an axis; 2 by default.
        dropout: of the bottleneck and the decoder.

    >>> import torch
    >>> swin_unetr(2, in_channels=1, out_channels=3, channels=[8, 8, 16])(torch.zeros(1, 1, 33, 20)).shape
    torch.Size([1, 3, 33, 20])
    """
    depth = len(channels) - 1
    steps = per_level("strides", [2] * depth if strides is None else strides, depth)
    counts = [count_heads(c, HEAD) for c in channels[1:-1]] if heads is None else per_level("heads", heads, depth - 1)
    convs = Conv(residual=True, normalized_shortcut=True, dropout=dropout)
    encoder = [Grid(ndim, block=Entering(), down=StridedConv(kernel=steps[0]))]
    for i, count in enumerate(counts):
        blocks = [Window(window, count, shifted=bool(k % 2), reads_fill=True) for k in range(_at(depths, i))]
        encoder.append(Grid(ndim, block=Entering(), down=BlockDown(InTurn(*blocks), PatchMerging())))
    across: list[Block] = [convs, *[Normalized(convs)] * (depth - 2), Normalized()][:depth]
    decoder = Grid(ndim, convs, up=Transposed(), normalization="instance", activation="leaky_relu")
    return UNet(
        [*encoder, encoder[-1]],
        in_channels,
        out_channels,
        [
            LevelSpec(in_channels, up_channels=channels[0], decoder_channels=channels[0]),
            *(LevelSpec(c, entering=c) for c in channels[1:]),
        ],
        strides=steps,
        skip=[partial(ConcatThrough, block=block) for block in across],
        decoder=[*[decoder] * depth, Grid(ndim, Normalized(convs), normalization="instance", activation="leaky_relu")],
        gradient_checkpointing=gradient_checkpointing,
    )


def _at(counts: Sequence[int], level: int) -> int:
    return counts[min(level, len(counts) - 1)]


@dataclass(frozen=True)
class Entering(Block):
    """Level without a block: what enters it is its field."""

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        if in_channels != out_channels:
            raise ValueError(
                f"{in_channels} channels enter a level of {out_channels} that has no block; make them equal"
            )
        return NormalizedBlock(None, None, layers.ndim)


@dataclass(frozen=True)
class Normalized(Block):
    """Block behind a norm of each site's channels, without scale and shift.

    Args:
        block: None: the norm alone.
    """

    block: Block | None = None

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        block = None if self.block is None else self.block.build(layers, in_channels, out_channels)
        return NormalizedBlock(LayerNorm(in_channels, elementwise_affine=False), block, layers.ndim)


class NormalizedBlock(nn.Module):
    """Module of ``Normalized``, and of ``Entering``.

    Attributes:
        reach: how many sites away an output site looks, by axis.
    """

    def __init__(self, norm: nn.Module | None, block: nn.Module | None, ndim: int) -> None:
        super().__init__()
        self.norm, self.block = norm, block
        self.reach = (0,) * ndim if block is None else read_locality(block, ndim).reach

    def forward(self, x: Tensor, condition: Condition | None = None) -> Tensor:
        y = x if self.norm is None else self.norm(x)
        return y if self.block is None else self.block(y, condition)


class ConcatThrough(Skip[Tensor]):
    """Encoder's field through a block of its own, beside the decoder's field.

    Attributes:
        reach: how many sites away the block looks, by axis.
    """

    def __init__(self, geometry: Geometry[Tensor], x_channels: int, skip_channels: int, block: Block) -> None:
        super().__init__(geometry, x_channels, skip_channels)
        layers = cast("Grid", geometry).layers
        self.block = block.build(layers, skip_channels, x_channels)
        self.channels = 2 * x_channels
        self.reach = cast("Any", self.block).reach

    def forward(self, x: Tensor, *skips: Tensor) -> LazyConcat[Tensor]:
        return LazyConcat(self.geometry, (x, self.block(self.side_by_side(skips))))
