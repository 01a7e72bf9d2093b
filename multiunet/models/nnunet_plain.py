"""Plain network of nnU-Net."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from multiunet.catalogue import CHANNELS
from multiunet.core import LevelSpec, UNet
from multiunet.core.level import per_level
from multiunet.geometries.grid.block import Conv
from multiunet.geometries.grid.down import StridedConv
from multiunet.geometries.grid.grid import Grid
from multiunet.geometries.grid.layers import Layers, Sizes
from multiunet.geometries.grid.up import Transposed


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
    """Build the plain network of nnU-Net (Isensee et al. 2021, "nnU-Net: a self-configuring method").

    Two convolutions a level with instance normalisation and leaky ReLU, the first of which coarsens and widens;
    transposed convolutions; deep supervision of all levels but the coarsest one. Any size.

    Args:
        ndim: axes of space: 1, 2 or 3.
        in_channels, out_channels: channels of the input and of the output.
        channels: channels by level, finest first.
        strides: by way down, one number an axis. An axis that is coarsened later than others is convolved from the
            level on at which it is: until then its sites are too far apart.
        dropout: of the bottleneck and the decoder; the paper has none.
        deep_supervision: coarser levels with a head of their own; the paper's by default.

    >>> import torch
    >>> nnunet_plain(2, in_channels=1, out_channels=2, channels=[4, 8])(torch.zeros(1, 1, 9, 8)).shape
    torch.Size([1, 2, 9, 8])
    """
    depth = len(channels) - 1
    given = per_level("strides", [2] * depth if strides is None else strides, depth)
    steps = [Layers(ndim).sizes("stride", stride) for stride in given]
    kernels = choose_kernels(steps) if steps else []

    def level(index: int, rate: float) -> Grid:
        # the way down is the first convolution of the level below
        below = kernels[min(index + 1, depth)]
        return Grid(
            ndim,
            block=Conv(kernel=kernels[index], convs=1, dropout=rate),
            down=StridedConv(kernel=below, activated=True),
            up=Transposed(),
            normalization="instance",
            activation="leaky_relu",
        )

    wider = [LevelSpec(c, entering=c, decoder_blocks=2 if i < depth else None) for i, c in enumerate(channels[1:], 1)]
    return UNet(
        [level(i, 0.0) for i in range(len(kernels))],
        in_channels,
        out_channels,
        [LevelSpec(channels[0], blocks=2), *wider],
        strides=steps,
        decoder=[level(i, dropout) for i in range(len(kernels))],
        gradient_checkpointing=gradient_checkpointing,
        deep_supervision=max(0, depth - 2) if deep_supervision is None else deep_supervision,
    )


def choose_kernels(strides: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Return the kernels by level, 1 or 3 by axis.

    1 on the levels above the one at which a late axis is first coarsened.

    >>> choose_kernels([(1, 2, 2), (2, 2, 2)])
    [(1, 3, 3), (3, 3, 3), (3, 3, 3)]
    """
    levels = range(len(strides) + 1)
    firsts = [next((i for i in levels[:-1] if strides[i][axis] > 1), 0) for axis in range(len(strides[0]))]
    return [tuple(3 if i >= first else 1 for first in firsts) for i in levels]
