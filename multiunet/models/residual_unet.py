"""Residual U-Net."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from multiunet.catalogue import CHANNELS
from multiunet.core import LevelSpec, UNet
from multiunet.geometries.grid.block import Conv
from multiunet.geometries.grid.down import StridedConv
from multiunet.geometries.grid.grid import Grid
from multiunet.geometries.grid.layers import Sizes


def residual_unet(
    ndim: int,
    in_channels: int,
    out_channels: int,
    channels: Sequence[int] = CHANNELS["residual_unet"],
    *,
    blocks: int | Sequence[int] = (1, 3, 4, 6, 6),
    strides: Sequence[Sizes] | None = None,
    dropout: float = 0.0,
    gradient_checkpointing: bool = False,
) -> UNet[Tensor]:
    """Build a U-Net whose encoder is a residual network and whose decoder is light.

    The blocks are those of He et al. 2016 ("Deep Residual Learning for Image Recognition", figure 2), many on the way
    down and one a level on the way up: the shape of Myronenko 2018 ("3D MRI brain tumor segmentation using autoencoder
    regularization") and of nnU-Net's residual encoder (Isensee et al. 2024, "nnU-Net Revisited"), whose counts are the
    default. Strided convolutions coarsen. Any size.

    Args:
        ndim: axes of space: 1, 2 or 3.
        in_channels, out_channels: channels of the input and of the output.
        channels: channels by level, finest first.
        blocks: residual blocks by level of the encoder, finest first; the last number counts for levels beyond.
        dropout: of the bottleneck and the decoder.

    >>> import torch
    >>> residual_unet(2, in_channels=1, out_channels=2, channels=[4, 8])(torch.zeros(1, 1, 9, 8)).shape
    torch.Size([1, 2, 9, 8])
    """
    levels = len(channels)
    counts = [blocks] * levels if isinstance(blocks, int) else [*blocks, *[blocks[-1]] * levels][:levels]
    described = list(zip(channels, counts))
    grid = Grid(ndim, block=Conv(residual=True), down=StridedConv())
    return UNet(
        grid,
        in_channels,
        out_channels,
        [*[LevelSpec(c, count, decoder_blocks=1) for c, count in described[:-1]], LevelSpec(*described[-1])],
        strides=strides,
        decoder=replace(grid, block=Conv(residual=True, dropout=dropout)),
        gradient_checkpointing=gradient_checkpointing,
    )
