"""The V-Net."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from multiunet.core import UNet
from multiunet.core.unet import per_level, ways_down
from multiunet.geometries.grid.grid import Grid, Sizes
from multiunet.models.catalogue import CHANNELS


def vnet(
    ndim: int,
    in_channels: int,
    out_channels: int,
    channels: Sequence[int] = CHANNELS["vnet"],
    *,
    convs: Sequence[int] = (1, 2, 3, 3, 3),
    decoder_convs: Sequence[int] = (1, 2, 3, 3),
    strides: Sequence[Sizes] | None = None,
    dropout: float = 0.0,
    gradient_checkpointing: bool = False,
) -> UNet[Tensor]:
    """Milletari et al. 2016, "V-Net: Fully Convolutional Neural Networks for Volumetric Medical Image Segmentation".

    Each level learns a residual of its input with one to three 5x5x5 convolutions (figure 2); 2x2x2 convolutions with
    stride 2 coarsen and double the channels, their transposes refine; PReLU throughout. Batch normalisation as in all
    later implementations. Any size: the paper's is ``(N, in_channels, 128, 128, 64)``.

    Args:
        convs: convolutions by level, finest first; the last number counts for levels beyond.
        decoder_convs: the same for the decoder, without the bottleneck's.
        dropout: of the bottleneck and the decoder; the paper has none.

    >>> import torch
    >>> vnet(3, 1, 2, channels=[4, 8], convs=[1, 2], decoder_convs=[1])(torch.zeros(1, 1, 9, 8, 8)).shape
    torch.Size([1, 2, 9, 8, 8])
    """
    depth = ways_down(channels)
    falls = [convs[min(i, len(convs) - 1)] for i in range(depth + 1)]
    climbs = [decoder_convs[min(i, len(decoder_convs) - 1)] for i in range(depth)]
    grid = Grid(
        ndim,
        kernel=5,
        residual=True,
        activation="prelu",
        downsample="conv",
        down_activation=True,
        upsample="transposed",
        up_activation=True,
    )
    steps = per_level("strides", [2] * depth if strides is None else strides, depth)

    def level(index: int, count: int, rate: float) -> Grid:
        # a way down or up spans its stride, no more
        return replace(grid, convs=count, dropout=rate, down_kernel=steps[index] if index < depth else None)

    encoder = [level(i, count, 0.0) for i, count in enumerate(falls)]
    decoder = [level(i, count, dropout) for i, count in enumerate([*climbs, falls[-1]])]
    return UNet(
        encoder,
        in_channels,
        out_channels,
        channels,
        strides=steps,
        decoder=decoder,
        gradient_checkpointing=gradient_checkpointing,
        widen="down",
        up_channels=channels[:-1],
        decoder_channels=[2 * width for width in channels[:-1]],
    )
