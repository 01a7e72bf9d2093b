"""Default network of images and volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from torch import Tensor

from multiunet.catalogue import CHANNELS
from multiunet.core import SKIPS, UNet
from multiunet.geometries.grid.block import Conv
from multiunet.geometries.grid.grid import Grid
from multiunet.geometries.grid.in_turn import put_behind
from multiunet.geometries.grid.layers import Normalization
from multiunet.geometries.grid.parts import Block

FEWEST = 8
"""An axis is not coarsened to fewer sites of a patch than this, nor by more than two sites' distance of another."""


def image_unet(
    ndim: int,
    in_channels: int,
    out_channels: int,
    channels: Sequence[int] = CHANNELS["image_unet"],
    *,
    strides: Sequence[tuple[int, ...]] | None = None,
    normalization: Normalization = "batch",
    residual: bool = False,
    dropout: float = 0.1,
    skip: Literal["concat", "add", "attention", "none"] = "concat",
    attention: Sequence[Block] = (),
    gradient_checkpointing: bool = False,
) -> UNet[Tensor]:
    """Build a U-Net of two-convolution blocks.

    ``(N, in_channels, *space)`` of any size becomes ``(N, out_channels, *space)``.

    Ronneberger et al. 2015, with padded convolutions and batch normalisation, resized instead of transposed up-sampling
    (Odena et al. 2016), and dropout of whole channels at the end of the blocks of the bottleneck and the decoder
    (Kendall et al. 2017, "Bayesian SegNet": the deepest half is where dropout helps), so that Monte-Carlo samples share
    one pass of the encoder.

    Args:
        ndim: axes of space: 1, 2 or 3.
        in_channels, out_channels: channels of the input and of the output.
        channels: channels by level, finest first.
        strides: by way down, one number an axis; None halves every axis. See ``choose_strides``.
        dropout: probability; 0: no Monte-Carlo uncertainty.
        attention: blocks behind the convolutions of the coarsest levels of the encoder, the last the bottleneck's, such
            as ``[Transformer(heads=8)]``.

    >>> import torch
    >>> image_unet(2, in_channels=1, out_channels=3, channels=[8, 16])(torch.zeros(1, 1, 33, 20)).shape
    torch.Size([1, 3, 33, 20])
    """
    grid, plain = Grid(ndim, normalization=normalization), Conv(residual=residual)
    encoder = [replace(grid, block=block) for block in put_behind(plain, attention, len(channels))]
    dropping = put_behind(replace(plain, dropout=dropout), attention[-1:], len(channels))
    decoder = [replace(grid, block=block) for block in dropping]
    return UNet(
        encoder,
        in_channels,
        out_channels,
        channels,
        strides=strides,
        skip=SKIPS[skip],
        decoder=decoder,
        gradient_checkpointing=gradient_checkpointing,
    )


def choose_strides(patch: Sequence[int], spacing: Sequence[float], depth: int) -> list[tuple[int, ...]]:
    """Return the strides of ``depth`` ways down, 2 or 1 by axis, for a patch of such spacing.

    An axis waits while its sites are more than twice as far apart as the closest ones of another axis that can still be
    halved (as in nnU-Net, Isensee et al. 2021), or while halving would leave fewer than ``FEWEST`` sites.

    >>> choose_strides((16, 128, 128), (4.0, 1.0, 1.0), depth=3)
    [(1, 2, 2), (2, 2, 2), (1, 2, 2)]
    """
    sites, apart = list(patch), list(spacing)
    ways = []
    for _ in range(depth):
        can = [n // 2 >= FEWEST for n in sites]
        closest = min((a for a, yes in zip(apart, can) if yes), default=min(apart))
        step = tuple(2 if yes and a < 2 * closest + 1e-6 else 1 for a, yes in zip(apart, can))
        if max(step) == 1:  # too small a patch to say: coarsen all, any size works
            step = (2,) * len(sites)
        sites = [-(-n // s) for n, s in zip(sites, step)]
        apart = [a * s for a, s in zip(apart, step)]
        ways.append(step)
    return ways
