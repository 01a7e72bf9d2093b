"""Attention U-Net."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from multiunet.catalogue import CHANNELS
from multiunet.core import AttentionGate, UNet
from multiunet.geometries.grid.block import Conv
from multiunet.geometries.grid.grid import Grid
from multiunet.geometries.grid.layers import Sizes
from multiunet.geometries.grid.up import Resize


def attention_unet(
    ndim: int,
    in_channels: int,
    out_channels: int,
    channels: Sequence[int] = CHANNELS["attention_unet"],
    *,
    strides: Sequence[Sizes] | None = None,
    dropout: float = 0.0,
    deep_supervision: int | None = None,
    gradient_checkpointing: bool = False,
) -> UNet[Tensor]:
    """Build the Attention U-Net of Oktay et al. 2018 ("Learning Where to Look for the Pancreas").

    A U-Net with batch normalisation whose skips are weighted site by site by additive attention (eq. 1 and 2), and
    whose decoder levels are all supervised (section 2.3). The gate asks with the refined decoder field, on the skip's
    own sites, so its weights need no resampling. Any size.

    Args:
        ndim: axes of space: 1, 2 or 3.
        in_channels, out_channels: channels of the input and of the output.
        channels: channels by level, finest first.
        channels: the paper's, a quarter of the first U-Net's.
        dropout: of the bottleneck and the decoder; the paper has none.
        deep_supervision: coarser levels with a head of their own; all by default.

    >>> import torch
    >>> attention_unet(3, in_channels=1, out_channels=2, channels=[4, 8])(torch.zeros(1, 1, 9, 8, 7)).shape
    torch.Size([1, 2, 9, 8, 7])
    """
    grid = Grid(ndim, up=Resize("linear"))
    return UNet(
        grid,
        in_channels,
        out_channels,
        channels,
        strides=strides,
        skip=AttentionGate,
        decoder=replace(grid, block=Conv(dropout=dropout)),
        gradient_checkpointing=gradient_checkpointing,
        deep_supervision=len(channels) - 2 if deep_supervision is None else deep_supervision,
    )
