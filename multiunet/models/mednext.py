"""MedNeXt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from torch import Tensor

from multiunet.catalogue import CHANNELS
from multiunet.core import Add, LevelSpec, UNet
from multiunet.geometries.choices import check_choice
from multiunet.geometries.grid.grid import Grid
from multiunet.geometries.grid.inverted import Inverted, InvertedDown, InvertedUp
from multiunet.geometries.grid.layers import Sizes

Size = Literal["S", "B", "M", "L"]

BLOCKS: dict[Size, tuple[int, ...]] = {"S": (2,), "B": (2,), "M": (3, 4), "L": (3, 4, 8)}
EXPANSIONS: dict[Size, tuple[int, ...]] = {"S": (2,), "B": (2, 3, 4), "M": (2, 3, 4), "L": (3, 4, 8)}
"""By level, finest first, on the way down and up; the last number counts for all levels beyond."""


def mednext(
    ndim: int,
    in_channels: int,
    out_channels: int,
    channels: Sequence[int] = CHANNELS["mednext"],
    *,
    size: Size = "S",
    kernel: Sizes = 3,
    strides: Sequence[Sizes] | None = None,
    dropout: float = 0.0,
    deep_supervision: int | None = None,
    gradient_checkpointing: bool = False,
) -> UNet[Tensor]:
    """Build a MedNeXt (Roy et al. 2023, "MedNeXt: transformer-driven scaling of ConvNets").

    Inverted bottlenecks everywhere, also as ways down and up: each channel is convolved alone, so large kernels cost
    little, and channels grow for a moment only. Skips are added. Instance normalisation, GELU. The paper trains with
    heads at all coarser levels of the decoder and at the bottleneck; here the bottleneck has none. Any size and 1 to 3
    axes.

    Args:
        ndim: axes of space: 1, 2 or 3.
        in_channels, out_channels: channels of the input and of the output.
        channels: channels by level, finest first.
        size: of the paper's table 1: numbers of blocks, and channels inside them.
        kernel: 3 or 5 in the paper; odd.
        strides: by way down, one number an axis; 2 by default.
        dropout: of the bottleneck and the decoder; the paper has none.
        deep_supervision: coarser levels with a head of their own; all of the decoder by default.

    Raises:
        ValueError: for another size, or an even kernel.

    >>> import torch
    >>> mednext(2, in_channels=1, out_channels=2, channels=[4, 8])(torch.zeros(1, 1, 9, 8)).shape
    torch.Size([1, 2, 9, 8])
    """
    check_choice("size", size, get_args(Size))

    def level(index: int, rate: float) -> Grid:
        expansion = _at(EXPANSIONS[size], index)
        return Grid(
            ndim,
            block=Inverted(expansion, kernel, rate),
            down=InvertedDown(expansion, kernel),
            up=InvertedUp(expansion, kernel),
            normalization="instance",
            activation="gelu",
        )

    levels = range(len(channels))
    blocks = [_at(BLOCKS[size], index) for index in levels]
    first, *wider = (LevelSpec(c, count, entering=c) for c, count in zip(channels, blocks))
    return UNet(
        [level(index, 0.0) for index in levels],
        in_channels,
        out_channels,
        [LevelSpec(first.channels, first.blocks), *wider],
        strides=strides,
        skip=Add,
        decoder=[level(index, dropout) for index in levels],
        gradient_checkpointing=gradient_checkpointing,
        deep_supervision=max(0, len(channels) - 2) if deep_supervision is None else deep_supervision,
    )


def _at(numbers: Sequence[int], level: int) -> int:
    return numbers[min(level, len(numbers) - 1)]
