"""U-Net for little memory and little time."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from multiunet.catalogue import CHANNELS
from multiunet.core import UNet
from multiunet.geometries.grid.block import Conv
from multiunet.geometries.grid.grid import Grid
from multiunet.geometries.grid.layers import Sizes


def depthwise_unet(
    ndim: int,
    in_channels: int,
    out_channels: int,
    channels: Sequence[int] = CHANNELS["depthwise_unet"],
    *,
    strides: Sequence[Sizes] | None = None,
    dropout: float = 0.0,
    gradient_checkpointing: bool = False,
) -> UNet[Tensor]:
    """Build a U-Net of depthwise-separable blocks (Chollet 2017, "Xception").

    The last convolution of each block of the encoder mixes space and channels at once: its features are read twice, by
    the next level and by the decoder, and are what fine detail depends on. All others are depthwise, then pointwise.
    Any size.

    Args:
        ndim: axes of space: 1, 2 or 3.
        in_channels, out_channels: channels of the input and of the output.
        channels: channels by level, finest first.
        dropout: of the bottleneck and the decoder.

    >>> import torch
    >>> depthwise_unet(2, in_channels=1, out_channels=2, channels=[4, 8])(torch.zeros(1, 1, 9, 8)).shape
    torch.Size([1, 2, 9, 8])
    """
    grid = Grid(ndim, block=Conv(separable="inner"))
    decoder = Grid(ndim, block=Conv(separable="all", dropout=dropout))
    return UNet(
        grid,
        in_channels,
        out_channels,
        channels,
        strides=strides,
        decoder=decoder,
        gradient_checkpointing=gradient_checkpointing,
    )
