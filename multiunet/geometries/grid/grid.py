"""Fields on regular grids of any number of dimensions that torch convolves: sequences, images, volumes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import index
from typing import Literal, SupportsIndex, get_args

import torch
from torch import Tensor, nn

from multiunet.core import Geometry
from multiunet.geometries.batch_norm import BATCH_NORM
from multiunet.geometries.choices import check_choice, check_least
from multiunet.geometries.grid.block import ConvBlock, centre
from multiunet.geometries.grid.layers import ACTIVATION, CONV, GroupNorm
from multiunet.geometries.grid.levels import Down, ResizeUp, ShuffleUp, TransposedUp

Sizes = int | tuple[int, ...]
"""One number for every axis, or one an axis."""

Normalization = Literal["none", "batch", "instance", "group"]
Activation = Literal["relu", "leaky_relu", "prelu", "elu", "gelu", "silu"]
Downsample = Literal["max", "average", "conv"]
Upsample = Literal["nearest", "linear", "transposed", "shuffle"]
Padding = Literal["same", "valid"]
Growth = Literal["first", "last"]
Separable = Literal["none", "inner", "all"]

CHOICES: dict[str, tuple[str, ...]] = {
    "normalization": get_args(Normalization),
    "activation": get_args(Activation),
    "downsample": get_args(Downsample),
    "upsample": get_args(Upsample),
    "padding": get_args(Padding),
    "growth": get_args(Growth),
    "separable": get_args(Separable),
}
"""What each of a grid's settings may be."""


@dataclass(frozen=True)
class Grid(Geometry[Tensor]):
    """Fields ``(N, C, *space)`` on a grid of 1, 2 or 3 axes, of any size.

    Coarsening keeps a last, partial window, so a level of n sites has ceil(n / stride) below it; refining repeats each
    coarse site stride times and cuts the overhang. Sites therefore stay where they are at any size, odd or even.

    Args:
        ndim: axes of space.
        kernel: of the blocks' convolutions; odd.
        convs: convolutions a block.
        normalization: ``group`` has 8 channels a group, of C channels that 8 does not divide ``gcd(C, C // 8)`` groups;
            ``instance`` is one a group (Ulyanov et al. 2016).
        dropout: at the end of each block, whole channels (Tompson et al. 2015).
        residual: add the block's input to its output (He et al. 2016), through a 1x1 map where channels differ.
        growth: where the channels of a block that widens grow: in its first convolution, or half before its last and
            the rest in it, so that no narrow layer precedes a coarsening (Çiçek et al. 2016; Szegedy et al. 2016).
        separable: convolutions that are depthwise and then pointwise (Chollet 2017, "Xception"), at about a
            ``prod(kernel)``-th of the cost: all but the last of a block (``inner``), or all.
        padding: ``same`` pads with zeros and keeps sites; ``valid`` loses ``kernel // 2`` sites at every border with
            each convolution, and skips are cropped about the centre (Ronneberger et al. 2015).
        downsample: max or average pooling, or a convolution with a stride.
        down_kernel: of that convolution; by default the blocks' kernel, or the next odd number that spans the stride.
            Odd, or equal to the stride.
        down_activation, up_activation: a norm and an activation behind convolutions that coarsen and refine.
        upsample: resize (nearest or linear) and convolve, transposed convolution, or pixel shuffle (Shi et al. 2016).
        up_kernel: resize: of the convolution with it; 1 is applied before the resizing, with which it commutes, at a
            fraction of the cost. Transposed: of the convolution, a multiple of the stride.
        stride: of levels that name none.

    Raises:
        ValueError: for an even kernel, for a transposed kernel that is no multiple of its stride, for a tuple that
            does not have one entry an axis, for a name that is none of those known.
    """

    ndim: int
    kernel: Sizes = 3
    convs: int = 2
    normalization: Normalization = "batch"
    activation: Activation = "relu"
    dropout: float = 0.0
    residual: bool = False
    growth: Growth = "first"
    separable: Separable = "none"
    padding: Padding = "same"
    downsample: Downsample = "max"
    down_kernel: Sizes | None = None
    down_activation: bool = False
    upsample: Upsample = "nearest"
    up_kernel: Sizes | None = None
    up_activation: bool = False
    stride: Sizes = 2
    _kernel: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.ndim not in CONV:
            raise ValueError(f"a grid has 1, 2 or 3 axes, not {self.ndim}")
        for name, known in CHOICES.items():
            check_choice(name, getattr(self, name), known)
        check_least("convs", self.convs, 1)
        kernel = self.sizes("kernel", self.kernel)
        if any(k % 2 == 0 for k in kernel):
            raise ValueError(f"kernel {kernel} must be odd on every axis, so that it has a centre")
        if self.padding == "valid" and (self.upsample == "shuffle" or self.downsample == "conv"):
            raise ValueError("valid padding goes with pooling and with resizing or transposed convolution")
        object.__setattr__(self, "_kernel", kernel)

    def block(self, in_channels: int, out_channels: int) -> nn.Module:
        return ConvBlock(self, in_channels, out_channels)

    def down(self, channels: int, stride: Sizes | None = None) -> nn.Module:
        return self.down_to(channels, channels, stride)

    def down_to(self, in_channels: int, out_channels: int, stride: Sizes | None = None) -> nn.Module:
        return Down(self, in_channels, out_channels, self._steps(stride))

    def up(self, in_channels: int, out_channels: int, stride: Sizes | None = None) -> nn.Module:
        kind = {"nearest": ResizeUp, "linear": ResizeUp, "transposed": TransposedUp, "shuffle": ShuffleUp}[
            self.upsample
        ]
        return kind(self, in_channels, out_channels, self._steps(stride))

    def pointwise(self, in_channels: int, out_channels: int) -> nn.Module:
        return CONV[self.ndim](in_channels, out_channels, 1)

    def norm(self, channels: int) -> nn.Module:
        if self.normalization == "batch":
            return BATCH_NORM[self.ndim](channels)
        if self.normalization == "none":
            return nn.Identity()
        return GroupNorm(
            channels if self.normalization == "instance" else math.gcd(channels, max(1, channels // 8)), channels
        )

    def features(self, field: Tensor) -> Tensor:
        return field

    def with_features(self, field: Tensor, features: Tensor) -> Tensor:
        return features

    def collate(self, fields: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(fields), dim=0)

    def sample(self, values: Tensor, fine: Tensor, coarse: Tensor, stride: Sizes | None = None) -> Tensor:
        if self.padding == "valid":
            raise ValueError("deep supervision needs padding='same': where sites are lost, levels do not share borders")
        for axis, step in zip(range(-self.ndim, 0), self._steps(stride)):
            size, count = values.shape[axis], coarse.shape[axis]
            # the middle of each window; the last, partial one may end before its middle
            middles = (torch.arange(count, device=values.device) * step + step // 2).clamp(max=size - 1)
            values = values.index_select(axis, middles)
        return values

    def example(self, channels: int, seed: int) -> Tensor:
        sizes = {1: (37,), 2: (13, 18), 3: (7, 10, 9)}[self.ndim]
        return torch.randn((1, channels, *sizes), generator=torch.Generator().manual_seed(seed))

    def align(self, skip: Tensor, onto: Tensor) -> Tensor:
        if self.padding == "same":
            return skip
        return centre(skip, onto.shape[2:])

    def conv(
        self, in_channels: int, out_channels: int, kernel: tuple[int, ...], bias: bool, **options: object
    ) -> nn.Module:
        """A convolution with He initialisation (He et al. 2015, fan-in)."""
        layer = CONV[self.ndim](in_channels, out_channels, kernel, bias=bias, **options)  # type: ignore[arg-type]
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
        return layer

    def _steps(self, stride: Sizes | None) -> tuple[int, ...]:
        return self.sizes("stride", self.stride if stride is None else stride)

    def _down_kernel(self, stride: tuple[int, ...]) -> tuple[int, ...]:
        if self.down_kernel is None:
            return tuple(max(k, s + 1 - s % 2) for k, s in zip(self._kernel, stride))
        kernel = self.sizes("down_kernel", self.down_kernel)
        if any(k % 2 == 0 and k != s for k, s in zip(kernel, stride)):
            raise ValueError(f"down_kernel {kernel} must be odd, or equal to its stride {stride}, on every axis")
        return kernel

    def activated(self, layer: nn.Module, channels: int) -> nn.Module:
        """The layer with the grid's norm and activation behind it."""
        return nn.Sequential(layer, self.norm(channels), ACTIVATION[self.activation](channels))

    def sizes(self, name: str, value: Sizes) -> tuple[int, ...]:
        """The value by axis.

        Raises:
            ValueError: unless it is a positive whole number, or one an axis.
        """
        by_axis = tuple(value) if isinstance(value, Iterable) else (value,) * self.ndim
        # of any type that counts, such as NumPy's
        sizes = tuple(index(size) for size in by_axis if isinstance(size, SupportsIndex))
        if len(sizes) != len(by_axis) or len(sizes) != self.ndim or min(sizes) < 1:
            raise ValueError(f"{name} {value} needs {self.ndim} positive whole numbers, one an axis")
        return sizes
