"""UNet++, the nested U-Net."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from multiunet.catalogue import CHANNELS
from multiunet.core import NestedUNet
from multiunet.geometries.grid.block import Conv
from multiunet.geometries.grid.grid import Grid
from multiunet.geometries.grid.layers import Normalization, Sizes
from multiunet.geometries.grid.up import Transposed


def unet_plus_plus(
    ndim: int,
    in_channels: int,
    out_channels: int,
    channels: Sequence[int] = CHANNELS["unet_plus_plus"],
    *,
    normalization: Normalization = "batch",
    strides: Sequence[Sizes] | None = None,
    dropout: float = 0.0,
    deep_supervision: int | None = None,
    gradient_checkpointing: bool = False,
) -> NestedUNet[Tensor]:
    """Build the UNet++ of Zhou et al. 2018 ("UNet++: A Nested U-Net Architecture").

    Skips are dense chains of blocks; every node of the finest level is supervised. The paper's has no normalisation:
    then, in two dimensions from one channel to one, 9.04 million parameters. Any size.

    Args:
        ndim: axes of space: 1, 2 or 3.
        in_channels, out_channels: channels of the input and of the output.
        channels: channels by level, finest first.
        dropout: of all blocks behind the encoder.
        deep_supervision: shallower nodes of the finest level with a head of their own; all by default.

    >>> import torch
    >>> unet_plus_plus(2, in_channels=1, out_channels=2, channels=[4, 8])(torch.zeros(1, 1, 9, 8)).shape
    torch.Size([1, 2, 9, 8])
    """
    grid = Grid(ndim, up=Transposed(), normalization=normalization)
    return NestedUNet(
        grid,
        in_channels,
        out_channels,
        channels,
        strides=strides,
        decoder=replace(grid, block=Conv(dropout=dropout)),
        gradient_checkpointing=gradient_checkpointing,
        deep_supervision=len(channels) - 2 if deep_supervision is None else deep_supervision,
    )
