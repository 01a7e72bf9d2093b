"""Ways up on a grid: resizing, transposed convolution, and pixel shuffle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor, nn

from multiunet.core import reads_sites_alone
from multiunet.core.exporting import is_exporting
from multiunet.geometries.channels_last import interpolate
from multiunet.geometries.choices import check_choice
from multiunet.geometries.grid.crop import crop_start
from multiunet.geometries.grid.layers import LINEAR, TRANSPOSED, Layers, Sizes
from multiunet.geometries.grid.parts import Up

ResizeMode = Literal["nearest", "linear"]


@dataclass(frozen=True)
class Resize(Up):
    """Resize by the stride and convolve: no checkerboard (Odena et al. 2016).

    Args:
        mode: repeat the nearest site, or interpolate linearly.
        kernel: of the convolution; odd. 1 is applied before the resizing, with which it commutes, at a fraction of the
            cost.
        activated: put a norm and an activation behind the convolution.

    Raises:
        ValueError: for another mode, or an even kernel.
    """

    mode: ResizeMode = "nearest"
    kernel: Sizes = 1
    activated: bool = False

    def __post_init__(self) -> None:
        check_choice("mode", self.mode, get_args(ResizeMode))

    def check(self, layers: Layers) -> None:
        layers.odd_sizes("kernel of Resize", self.kernel)

    def build(self, layers: Layers, in_channels: int, out_channels: int, stride: tuple[int, ...]) -> nn.Module:
        kernel = layers.odd_sizes("kernel of Resize", self.kernel)
        conv = layers.make_conv(in_channels, out_channels, kernel, True, padding=tuple(k // 2 for k in kernel))
        if self.activated:
            conv = layers.activate(conv, out_channels)
        return ResizeUp(conv, kernel, LINEAR[layers.ndim] if self.mode == "linear" else "nearest", stride, layers)


@dataclass(frozen=True)
class Transposed(Up):
    """Transposed convolution.

    Args:
        kernel: a multiple of the stride, so that all fine sites get equally many taps. None: the stride.
        activated: put a norm and an activation behind it.
    """

    kernel: Sizes | None = None
    activated: bool = False

    def build(self, layers: Layers, in_channels: int, out_channels: int, stride: tuple[int, ...]) -> nn.Module:
        kernel = stride if self.kernel is None else layers.sizes("kernel of Transposed", self.kernel)
        if any(k % s for k, s in zip(kernel, stride)):
            raise ValueError(
                f"a transposed convolution with kernel {kernel} and stride {stride} paints a checkerboard: its fine "
                f"sites get unequal numbers of taps (Odena et al. 2016); make the kernel a multiple of the stride, or "
                f"use up=Resize()"
            )
        cut = tuple((k - s) // 2 for k, s in zip(kernel, stride))
        layer = TRANSPOSED[layers.ndim](in_channels, out_channels, kernel, stride=stride, padding=cut)
        if self.activated:
            layer = layers.activate(layer, out_channels)
        return TransposedUp(layer, kernel, stride, layers)


@dataclass(frozen=True)
class PixelShuffle(Up):
    """Convolution on the coarse sites whose channels become fine sites (Shi et al. 2016).

    Args:
        kernel: of the convolution; odd.
        activated: put a norm and an activation behind the convolution.
    """

    kernel: Sizes = 3
    activated: bool = False

    def check(self, layers: Layers) -> None:
        layers.odd_sizes("kernel of PixelShuffle", self.kernel)
        if layers.padding == "valid":
            raise ValueError("padding='valid' goes with pooling, and with resizing or transposed convolution")

    def build(self, layers: Layers, in_channels: int, out_channels: int, stride: tuple[int, ...]) -> nn.Module:
        kernel = layers.odd_sizes("kernel of PixelShuffle", self.kernel)
        fine = out_channels * math.prod(stride)
        conv = layers.make_conv(in_channels, fine, kernel, True, padding=tuple(k // 2 for k in kernel))
        if self.activated:
            conv = layers.activate(conv, fine)
        return ShuffleUp(conv, kernel, stride)


class ResizeUp(nn.Module):
    """Module of ``Resize``.

    Attributes:
        reach: how far, in fine sites, a fine site looks beyond its own coarse parent.
    """

    def __init__(
        self, conv: nn.Module, kernel: tuple[int, ...], mode: str, stride: tuple[int, ...], layers: Layers
    ) -> None:
        super().__init__()
        self.conv, self.mode, self.stride = conv, mode, stride
        self.conv_first = max(kernel) == 1
        self.factor = tuple(float(s) for s in stride)
        self.crop = layers.padding == "same"
        self.reach = tuple(k // 2 + (0 if mode == "nearest" else s) for k, s in zip(kernel, stride))

    @reads_sites_alone
    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        if self.crop:
            check_levels(x, skip, self.stride)
        if self.conv_first:
            return self.resize(self.conv(x), skip)
        y: Tensor = self.conv(self.resize(x, skip))
        return y

    @property
    def repeats(self) -> bool:
        """True where coarse sites, mapped one by one, come back as they are, each as often as the stride says."""
        return self.mode == "nearest" and self.conv_first and self.crop

    def resize(self, x: Tensor, skip: Tensor) -> Tensor:
        """Return the coarse field on the sites of the skip."""
        # by the factor, not to the size: coarse sites must stay on the fine sites they came from
        fine = interpolate(x, self.factor, self.mode)
        return crop_start(fine, skip.shape[2:]) if self.crop else fine


class TransposedUp(nn.Module):
    """Module of ``Transposed``.

    Attributes:
        reach: how far, in fine sites, a fine site looks beyond its own coarse parent.
    """

    def __init__(self, layer: nn.Module, kernel: tuple[int, ...], stride: tuple[int, ...], layers: Layers) -> None:
        super().__init__()
        self.layer, self.stride = layer, stride
        self.crop = layers.padding == "same"
        self.reach = tuple(k - s for k, s in zip(kernel, stride))

    @reads_sites_alone
    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        if self.crop:
            check_levels(x, skip, self.stride)
        fine: Tensor = self.layer(x)
        return crop_start(fine, skip.shape[2:]) if self.crop else fine


class ShuffleUp(nn.Module):
    """Module of ``PixelShuffle``.

    Attributes:
        reach: how far, in fine sites, a fine site looks beyond its own coarse parent.
    """

    def __init__(self, conv: nn.Module, kernel: tuple[int, ...], stride: tuple[int, ...]) -> None:
        super().__init__()
        self.conv, self.stride = conv, stride
        self.reach = tuple((k // 2) * s for k, s in zip(kernel, stride))

    @reads_sites_alone
    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        check_levels(x, skip, self.stride)
        y: Tensor = self.conv(x)
        n, _, *space = y.shape
        d = len(space)
        y = y.reshape(n, -1, *self.stride, *space)
        # (n, c, *stride, *space) -> (n, c, space 0, stride 0, space 1, stride 1, ...)
        y = y.permute(0, 1, *(axis for i in range(d) for axis in (2 + d + i, 2 + i)))
        fine = y.reshape(n, y.shape[1], *(a * s for a, s in zip(space, self.stride)))
        return crop_start(fine, skip.shape[2:])


def check_levels(coarse: Tensor, skip: Tensor, stride: Sequence[int]) -> None:
    """Check that the coarse field is what such a stride makes of the skip's sites.

    Raises:
        ValueError: when it is not: the way down had another stride.
    """
    if is_exporting():
        return
    expected = tuple(-(-size // step) for size, step in zip(skip.shape[2:], stride))
    if tuple(coarse.shape[2:]) != expected:
        raise ValueError(
            f"a way up of stride {tuple(stride)} onto {tuple(skip.shape[2:])} sites comes from {expected}, not from "
            f"{tuple(coarse.shape[2:])}: the way down had another stride; give encoder and decoder the same"
        )
