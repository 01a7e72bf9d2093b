"""Network that tells true fields from drawn ones, patch by patch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from multiunet.core import Geometry
from multiunet.geometries.grid.block import Conv
from multiunet.geometries.grid.down import StridedConv
from multiunet.geometries.grid.grid import Grid

S = TypeVar("S")


class PatchDiscriminator(nn.Module, Generic[S]):
    """Ways down and a block, which give each coarse site a score of what it sees of the field.

    Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks", sec. 3.2.2 ("PatchGAN"), on
    any geometry.

    Args:
        geometries: one a way down, finest first; the last also makes the block.
        in_channels: of the field that is judged: input and output of the other network.
        channels: behind each way down.
        strides: of the ways down; None: the geometries' own.

    Raises:
        ValueError: when the lists have different lengths.
    """

    def __init__(
        self,
        geometries: Sequence[Geometry[S]],
        in_channels: int,
        channels: Sequence[int],
        strides: Sequence[Any] | None = None,
    ) -> None:
        super().__init__()
        steps = [None] * len(channels) if strides is None else list(strides)
        if not len(geometries) == len(channels) == len(steps) > 0:
            raise ValueError(f"{len(geometries)} geometries, {len(channels)} channels and {len(steps)} strides")
        self.in_channels = in_channels
        ways = zip(geometries, pairwise((in_channels, *channels)), steps)
        self.downs = nn.ModuleList(one.make_down(a, b, step) for one, (a, b), step in ways)
        self.block = geometries[-1].make_block(channels[-1], channels[-1])
        self.head = geometries[-1].make_pointwise(channels[-1], 1)

    def forward(self, x: S) -> S:
        """Return a field of one channel, the scores, on the coarse sites."""
        for down in self.downs:
            x = down(x)
        scores: S = self.head(self.block(x))
        return scores


def patch_gan(
    ndim: int,
    in_channels: int,
    channels: Sequence[int] = (32, 64, 128),
    strides: Sequence[tuple[int, ...]] | None = None,
) -> PatchDiscriminator[Tensor]:
    """Build a discriminator of grids, whose scores each see 45 sites an axis.

    As the 70 x 70 one of Isola et al. 2017, sec. 6.1.2: convolutions of stride 2, without norm in the first, one of
    stride 1, and a score. Other than theirs, kernels have 5 sites in place of 4, so that sites stay where they are,
    norms are of groups of channels (Wu & He 2018), which do not mix samples, and it has half as many channels.

    Args:
        ndim: axes of space: 1, 2 or 3.
        in_channels: of input and output of the other network together.
        channels: behind each convolution with a stride.
        strides: of these, one number an axis; None halves every axis.

    >>> import torch
    >>> patch_gan(2, in_channels=2, channels=[8, 16])(torch.zeros(1, 2, 33, 20)).shape
    torch.Size([1, 1, 9, 5])
    """
    grid = Grid(ndim, Conv(convs=1), StridedConv(kernel=5, activated=True), activation="leaky_relu")
    plain, normed = replace(grid, normalization="none"), replace(grid, normalization="group")
    return PatchDiscriminator([plain, *[normed] * (len(channels) - 1)], in_channels, channels, strides)
