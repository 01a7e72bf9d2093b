"""The first U-Net."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from multiunet.core import UNet
from multiunet.geometries.grid.grid import Grid, Padding, Sizes
from multiunet.models.catalogue import WIDTHS


def unet2015(
    ndim: int,
    c_in: int,
    c_out: int,
    widths: Sequence[int] = WIDTHS["unet2015"],
    *,
    padding: Padding = "valid",
    strides: Sequence[Sizes] | None = None,
    dropout: float = 0.5,
    recompute: bool = False,
) -> UNet[Tensor]:
    """Ronneberger et al. 2015, "U-Net: Convolutional Networks for Biomedical Image Segmentation", figure 1.

    Two 3x3 convolutions with ReLU a level and no normalisation, 2x2 max-pooling, 2x2 up-convolutions, He
    initialisation, dropout at the end of the contracting path. In two dimensions, from one channel to two, 31.03
    million parameters.

    Args:
        padding: ``valid`` is the paper's: ``(N, c_in, 572, 572)`` becomes ``(N, c_out, 388, 388)``, its middle, and
            sizes are to be such that no pooling window is cut off, the least 188. ``same`` pads with zeros and keeps
            any size.
        dropout: of the coarsest level's features.

    >>> import torch
    >>> unet2015(2, c_in=1, c_out=2, widths=[4, 8])(torch.zeros(1, 1, 44, 44)).shape
    torch.Size([1, 2, 28, 28])
    """
    grid = Grid(ndim, normalization="none", padding=padding, upsample="transposed")
    decoder = [*[grid] * (len(widths) - 1), replace(grid, dropout=dropout)]
    return UNet(grid, c_in, c_out, widths, strides=strides, decoder=decoder, recompute=recompute)
