"""V-Net."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from multiunet.catalogue import CHANNELS
from multiunet.core import LevelSpec, UNet
from multiunet.core.level import per_level
from multiunet.geometries.grid.block import Conv
from multiunet.geometries.grid.down import StridedConv
from multiunet.geometries.grid.grid import Grid
from multiunet.geometries.grid.layers import Sizes
from multiunet.geometries.grid.up import Transposed


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
    """Build the V-Net of Milletari et al. 2016 ("V-Net: Fully Convolutional Neural Networks").

    Each level learns a residual of its input with one to three 5x5x5 convolutions (figure 2); 2x2x2 convolutions with
    stride 2 coarsen and double the channels, their transposes refine; PReLU throughout. Batch normalisation as in all
    later implementations. Any size: the paper's is ``(N, in_channels, 128, 128, 64)``.

    Args:
        ndim: axes of space: 1, 2 or 3.
        in_channels, out_channels: channels of the input and of the output.
        channels: channels by level, finest first.
        convs: convolutions by level, finest first; the last number counts for levels beyond.
        decoder_convs: the same for the decoder, without the bottleneck's.
        dropout: of the bottleneck and the decoder; the paper has none.

    >>> import torch
    >>> vnet(3, 1, 2, channels=[4, 8], convs=[1, 2], decoder_convs=[1])(torch.zeros(1, 1, 9, 8, 8)).shape
    torch.Size([1, 2, 9, 8, 8])
    """
    depth = len(channels) - 1
    steps = per_level("strides", [2] * depth if strides is None else strides, depth)

    kernels = [*steps, None]  # a way down or up spans its stride, no more
    down = [_grid(ndim, kernel, _at(convs, i), 0.0) for i, kernel in enumerate(kernels)]
    up = [_grid(ndim, kernel, _at(decoder_convs, i), dropout) for i, kernel in enumerate(steps)]
    return UNet(
        down,
        in_channels,
        out_channels,
        [_level(c, first=i == 0, last=i == depth) for i, c in enumerate(channels)],
        strides=steps,
        decoder=[*up, _grid(ndim, None, _at(convs, depth), dropout)],
        gradient_checkpointing=gradient_checkpointing,
    )


def _at(counts: Sequence[int], level: int) -> int:
    return counts[min(level, len(counts) - 1)]


def _grid(ndim: int, kernel: Sizes | None, convs: int, dropout: float) -> Grid:
    """Return the operators of a level whose ways down and up have this kernel."""
    return Grid(
        ndim,
        block=Conv(kernel=5, convs=convs, residual=True, dropout=dropout),
        down=StridedConv(kernel=kernel, activated=True),
        up=Transposed(activated=True),
        activation="prelu",
    )


def _level(channels: int, first: bool, last: bool) -> LevelSpec:
    """Return a level: each way down widens, and the decoder's blocks have the channels of the joined field."""
    return LevelSpec(
        channels,
        entering=None if first else channels,
        up_channels=None if last else channels,
        decoder_channels=None if last else 2 * channels,
    )
