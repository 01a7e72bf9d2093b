"""The plain network of nnU-Net."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from multiunet.core import UNet
from multiunet.core.unet import per_level, ways_down
from multiunet.geometries.grid.grid import Grid, Sizes
from multiunet.models.catalogue import CHANNELS


def nnunet_plain(
    ndim: int,
    in_channels: int,
    out_channels: int,
    channels: Sequence[int] = CHANNELS["nnunet_plain"],
    *,
    strides: Sequence[Sizes] | None = None,
    dropout: float = 0.0,
    deep_supervision: int | None = None,
    gradient_checkpointing: bool = False,
) -> UNet[Tensor]:
    """Isensee et al. 2021, "nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation".

    Two convolutions a level with instance normalisation and leaky ReLU, the first of which coarsens and widens;
    transposed convolutions; deep supervision of all levels but the coarsest one. Any size.

    Args:
        strides: by way down, one number an axis. An axis that is coarsened later than others is convolved from the
            level on at which it is: until then its sites are too far apart.
        dropout: of the bottleneck and the decoder; the paper has none.
        deep_supervision: coarser levels with a head of their own; the paper's by default.

    >>> import torch
    >>> nnunet_plain(2, in_channels=1, out_channels=2, channels=[4, 8])(torch.zeros(1, 1, 9, 8)).shape
    torch.Size([1, 2, 9, 8])
    """
    depth = ways_down(channels)
    grid = Grid(
        ndim,
        convs=1,
        normalization="instance",
        activation="leaky_relu",
        downsample="conv",
        down_activation=True,
        upsample="transposed",
    )
    given = per_level("strides", [2] * depth if strides is None else strides, depth)
    steps = [grid.sizes("stride", stride) for stride in given]
    kernels = kernels_for(steps)
    # the way down is the first convolution of the level below
    encoder = [replace(grid, kernel=a, down_kernel=b) for a, b in zip(kernels, [*kernels[1:], None])]
    return UNet(
        encoder,
        in_channels,
        out_channels,
        channels,
        blocks=[2, *[1] * depth],
        strides=steps,
        decoder=[replace(level, dropout=dropout) for level in encoder],
        gradient_checkpointing=gradient_checkpointing,
        deep_supervision=max(0, depth - 2) if deep_supervision is None else deep_supervision,
        widen="down",
        decoder_blocks=[2] * depth,
    )


def kernels_for(strides: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Kernels by level, 1 or 3 by axis: 1 on the levels above the one at which a late axis is first coarsened.

    >>> kernels_for([(1, 2, 2), (2, 2, 2)])
    [(1, 3, 3), (3, 3, 3), (3, 3, 3)]
    """
    levels = range(len(strides) + 1)
    firsts = [next((i for i in levels[:-1] if strides[i][axis] > 1), 0) for axis in range(len(strides[0]))]
    return [tuple(3 if i >= first else 1 for first in firsts) for i in levels]
