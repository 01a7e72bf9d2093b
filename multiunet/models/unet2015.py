"""First U-Net (Ronneberger et al. 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from multiunet.catalogue import CHANNELS
from multiunet.core import UNet
from multiunet.geometries.grid.block import Conv
from multiunet.geometries.grid.grid import Grid
from multiunet.geometries.grid.layers import Padding, Sizes
from multiunet.geometries.grid.up import Transposed


def unet2015(
    ndim: int,
    in_channels: int,
    out_channels: int,
    channels: Sequence[int] = CHANNELS["unet2015"],
    *,
    padding: Padding = "valid",
    strides: Sequence[Sizes] | None = None,
    dropout: float = 0.5,
    gradient_checkpointing: bool = False,
) -> UNet[Tensor]:
    """Build the first U-Net (Ronneberger et al. 2015, figure 1).

    Two 3x3 convolutions with ReLU a level and no normalisation, 2x2 max-pooling, 2x2 up-convolutions, He
    initialisation, dropout at the end of the contracting path. In two dimensions, from one channel to two, 31.03
    million parameters.

    Args:
        ndim: axes of space: 1, 2 or 3.
        in_channels, out_channels: channels of the input and of the output.
        channels: channels by level, finest first.
        padding: ``valid`` is the paper's: ``(N, in_channels, 572, 572)`` becomes ``(N, out_channels, 388, 388)``, its
            middle, and sizes are to be such that no pooling window is cut off, the least 188. ``same`` pads with zeros
            and keeps any size.
        dropout: of the coarsest level's features.

    >>> import torch
    >>> unet2015(2, in_channels=1, out_channels=2, channels=[4, 8])(torch.zeros(1, 1, 44, 44)).shape
    torch.Size([1, 2, 28, 28])
    """
    grid = Grid(ndim, up=Transposed(), normalization="none", padding=padding)
    decoder = [*[grid] * (len(channels) - 1), replace(grid, block=Conv(dropout=dropout))]
    return UNet(
        grid,
        in_channels,
        out_channels,
        channels,
        strides=strides,
        decoder=decoder,
        gradient_checkpointing=gradient_checkpointing,
    )
