"""3D U-Net."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from torch import Tensor

from multiunet.catalogue import CHANNELS
from multiunet.core import LevelSpec, UNet
from multiunet.geometries.grid.block import Conv
from multiunet.geometries.grid.grid import Grid
from multiunet.geometries.grid.layers import Padding, Sizes
from multiunet.geometries.grid.up import Transposed


def unet3d(
    ndim: int,
    in_channels: int,
    out_channels: int,
    channels: Sequence[int] = CHANNELS["unet3d"],
    *,
    padding: Padding = "valid",
    strides: Sequence[Sizes] | None = None,
    dropout: float = 0.0,
    gradient_checkpointing: bool = False,
) -> UNet[Tensor]:
    """Build the 3D U-Net (Çiçek et al. 2016, "3D U-Net", figure 2).

    Batch normalisation before each ReLU; channels double in the convolution before a pooling, which avoids bottlenecks;
    up-convolutions keep their channels. In three dimensions, from three channels to three, 19.07 million parameters.

    Args:
        ndim: axes of space: 1, 2 or 3.
        in_channels, out_channels: channels of the input and of the output.
        channels: channels by level, finest first.
        padding: ``valid`` is the paper's: ``(N, in_channels, 132, 132, 116)`` becomes
            ``(N, out_channels, 44, 44, 28)``, its middle.
            ``same`` pads with zeros and keeps the sites.
        dropout: of the bottleneck and the decoder; the paper has none.

    >>> import torch
    >>> unet3d(3, in_channels=1, out_channels=2, channels=[4, 8], padding="same")(torch.zeros(1, 1, 8, 8, 8)).shape
    torch.Size([1, 2, 8, 8, 8])
    """
    grid = Grid(ndim, block=Conv(growth="last"), up=Transposed(), padding=padding)
    return UNet(
        grid,
        in_channels,
        out_channels,
        [*[LevelSpec(c, up_channels=below) for c, below in pairwise(channels)], *channels[-1:]],
        strides=strides,
        decoder=replace(grid, block=Conv(growth="last", dropout=dropout)),
        gradient_checkpointing=gradient_checkpointing,
    )
