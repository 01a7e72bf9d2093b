"""Layers of torch by number of axes and by name, from which the parts of a grid are made."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import index
from typing import Literal, SupportsIndex, get_args

import torch
from torch import Tensor, nn

from multiunet.geometries.batch_norm import BATCH_NORM
from multiunet.geometries.channels_last import AvgPool1d, Conv1d, MaxPool1d
from multiunet.geometries.choices import check_choice

Sizes = int | tuple[int, ...]
"""One number for every axis, or one an axis."""

Normalization = Literal["none", "batch", "instance", "group", "layer"]
Activation = Literal["relu", "leaky_relu", "prelu", "elu", "gelu", "silu"]
Padding = Literal["same", "valid"]

CONV: dict[int, type[nn.Conv1d] | type[nn.Conv2d] | type[nn.Conv3d]] = {1: Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: dict[int, Callable[..., nn.Module]] = {
    1: nn.ConvTranspose1d,
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}
MAX_POOL: dict[int, Callable[..., nn.Module]] = {1: MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
AVERAGE_POOL: dict[int, Callable[..., nn.Module]] = {1: AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
ACTIVATION: dict[str, Callable[[int], nn.Module]] = {
    "relu": lambda channels: nn.ReLU(inplace=True),
    "leaky_relu": lambda channels: nn.LeakyReLU(0.01, inplace=True),
    "prelu": nn.PReLU,
    "elu": lambda channels: nn.ELU(inplace=True),
    "gelu": lambda channels: nn.GELU(),
    "silu": lambda channels: nn.SiLU(inplace=True),
}
"""By name, made for a number of channels."""


class GroupNorm(nn.GroupNorm):
    """Group normalisation (Wu & He 2018) that also takes fields of one site, where torch's own refuses."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)


class LayerNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each site (Ba et al. 2016) of fields ``(N, C, *space)``."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


@dataclass(frozen=True)
class Layers:
    """Layers for one number of axes, one kind of norm and one activation: what a part of a grid gets.

    Args:
        ndim: axes of space: 1, 2 or 3.
        normalization: ``group`` has 8 channels a group, of C channels that 8 does not divide ``gcd(C, C // 8)`` groups;
            ``instance`` is one a group (Ulyanov et al. 2016). ``layer`` is over the channels of each site, so it is
            local: tiles of a network with it are exact.
        activation: its name.
        padding: ``same``: blocks keep all sites, and sites beyond a field's border are zero. ``valid``: blocks lose the
            sites that would need them, and skips are cropped about the centre (Ronneberger et al. 2015).
        groups: number of groups of ``group``, in place of 8 channels each.

    Raises:
        ValueError: for another number of axes, or a name that is none of those known.
    """

    ndim: int
    normalization: Normalization = "batch"
    activation: Activation = "relu"
    padding: Padding = "same"
    groups: int | None = None

    def __post_init__(self) -> None:
        if self.ndim not in CONV:
            raise ValueError(f"a grid has 1, 2 or 3 axes, not {self.ndim}")
        check_choice("normalization", self.normalization, get_args(Normalization))
        check_choice("activation", self.activation, get_args(Activation))
        check_choice("padding", self.padding, get_args(Padding))
        if self.groups is not None and (self.normalization != "group" or self.groups < 1):
            raise ValueError(f"groups {self.groups} is a number of groups, at least 1, of normalization='group'")

    @property
    def normalizes(self) -> bool:
        """True when there is a norm: its own shift makes the bias of a layer before it idle."""
        return self.normalization != "none"

    def make_conv(
        self, in_channels: int, out_channels: int, kernel: tuple[int, ...], bias: bool, **options: object
    ) -> nn.Module:
        """Make a convolution with He initialisation (He et al. 2015, fan-in)."""
        layer = CONV[self.ndim](in_channels, out_channels, kernel, bias=bias, **options)  # type: ignore[arg-type]
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
        return layer

    def make_pointwise(self, in_channels: int, out_channels: int) -> nn.Module:
        """Make an affine map of the channels, site by site."""
        return CONV[self.ndim](in_channels, out_channels, 1)

    def make_norm(self, channels: int, eps: float = 1e-5) -> nn.Module:
        """Make the norm; an identity where there is none.

        Args:
            eps: added to the variance.

        Raises:
            ValueError: when ``groups`` does not divide the channels.
        """
        if self.normalization == "batch":
            return BATCH_NORM[self.ndim](channels, eps=eps)
        if self.normalization == "none":
            return nn.Identity()
        if self.normalization == "layer":
            return LayerNorm(channels, eps=eps)
        return GroupNorm(self._count_groups(channels), channels, eps=eps)

    def _count_groups(self, channels: int) -> int:
        if self.normalization == "instance":
            return channels
        if self.groups is None:
            return math.gcd(channels, max(1, channels // 8))
        if channels % self.groups:
            raise ValueError(f"{channels} channels are not a multiple of groups={self.groups}; give a divisor of them")
        return self.groups

    def make_activation(self, channels: int) -> nn.Module:
        """Make the activation."""
        return ACTIVATION[self.activation](channels)

    def activate(self, layer: nn.Module, channels: int) -> nn.Module:
        """Put the norm and the activation behind a layer that gives so many channels."""
        return nn.Sequential(layer, self.make_norm(channels), self.make_activation(channels))

    def sizes(self, name: str, value: Sizes) -> tuple[int, ...]:
        """Return the value by axis.

        Raises:
            ValueError: unless it is a positive whole number, or one an axis.
        """
        by_axis = tuple(value) if isinstance(value, Iterable) else (value,) * self.ndim
        # of any type that counts, such as NumPy's
        sizes = tuple(index(size) for size in by_axis if isinstance(size, SupportsIndex))
        if len(sizes) != len(by_axis) or len(sizes) != self.ndim or min(sizes) < 1:
            raise ValueError(f"{name} {value} needs {self.ndim} positive whole numbers, one an axis")
        return sizes

    def odd_sizes(self, name: str, value: Sizes) -> tuple[int, ...]:
        """Return the value by axis; see ``sizes``.

        Raises:
            ValueError: also for an even number.
        """
        sizes = self.sizes(name, value)
        if any(size % 2 == 0 for size in sizes):
            raise ValueError(f"{name} {sizes} must be odd on every axis, so that it has a centre")
        return sizes
