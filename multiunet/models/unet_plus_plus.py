"""UNet++."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from multiunet.core import NestedUNet
from multiunet.geometries.grid.grid import Grid, Normalization, Sizes
from multiunet.models.catalogue import WIDTHS


def unet_plus_plus(
    ndim: int,
    c_in: int,
    c_out: int,
    widths: Sequence[int] = WIDTHS["unet_plus_plus"],
    *,
    normalization: Normalization = "batch",
    strides: Sequence[Sizes] | None = None,
    dropout: float = 0.0,
    deep_supervision: int | None = None,
    recompute: bool = False,
) -> NestedUNet[Tensor]:
    """Zhou et al. 2018, "UNet++: A Nested U-Net Architecture for Medical Image Segmentation".

    Skips are dense chains of blocks; every node of the finest level is supervised. The paper's has no normalisation:
    then, in two dimensions from one channel to one, 9.04 million parameters. Any size.

    Args:
        dropout: of all blocks behind the encoder.
        deep_supervision: shallower nodes of the finest level with a head of their own; all by default.

    >>> import torch
    >>> unet_plus_plus(2, c_in=1, c_out=2, widths=[4, 8])(torch.zeros(1, 1, 9, 8)).shape
    torch.Size([1, 2, 9, 8])
    """
    grid = Grid(ndim, normalization=normalization, upsample="transposed")
    return NestedUNet(
        grid,
        c_in,
        c_out,
        widths,
        strides=strides,
        decoder=replace(grid, dropout=dropout),
        recompute=recompute,
        deep_supervision=len(widths) - 2 if deep_supervision is None else deep_supervision,
    )
