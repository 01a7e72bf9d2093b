"""The least parts of a grid: one that keeps a field as it is, and a convolution alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from multiunet.core import Condition, LazyConcat, reads_lazy_concat, reads_sites_alone
from multiunet.geometries.grid.chain import call_on_parts
from multiunet.geometries.grid.layers import Layers, Sizes
from multiunet.geometries.grid.parts import Block, Down, Up


@dataclass(frozen=True)
class Keep(Block, Down, Up):
    """Field as it is: a block that does nothing, or a way of stride 1 down or up.

    Levels of stride 1 are for networks whose decoder is given several fields of one resolution.
    """

    def build(
        self, layers: Layers, in_channels: int, out_channels: int, stride: tuple[int, ...] | None = None
    ) -> nn.Module:
        if in_channels != out_channels:
            raise ValueError(
                f"Keep() keeps the channels: {in_channels} cannot become {out_channels}; give another part"
            )
        if stride is not None and max(stride) > 1:
            raise ValueError(f"Keep() keeps the sites: a stride of {stride} needs another part; give a stride of 1")
        return Kept(layers.ndim)


class Kept(nn.Module):
    """Module of ``Keep``: it returns the first field that it is given.

    Attributes:
        stride, reach: by axis, 1 and 0.
    """

    def __init__(self, ndim: int) -> None:
        super().__init__()
        self.stride, self.reach = (1,) * ndim, (0,) * ndim

    @reads_sites_alone
    def forward(self, x: Tensor, other: Any = None) -> Tensor:
        return x


@dataclass(frozen=True)
class PlainConv(Block):
    """One convolution, without norm and activation.

    Args:
        kernel: odd; one number, or one an axis.
    """

    kernel: Sizes = 3

    def check(self, layers: Layers) -> None:
        layers.odd_sizes("kernel", self.kernel)

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        kernel = layers.odd_sizes("kernel", self.kernel)
        padding = tuple(k // 2 for k in kernel) if layers.padding == "same" else 0
        conv = layers.make_conv(in_channels, out_channels, kernel, True, padding=padding)
        return PlainConvBlock(conv, tuple(k // 2 for k in kernel))


class PlainConvBlock(nn.Module):
    """Module of ``PlainConv``.

    Attributes:
        reach: how many sites away an output site looks, by axis.
    """

    def __init__(self, conv: nn.Module, reach: tuple[int, ...]) -> None:
        super().__init__()
        self.conv, self.reach = conv, reach

    @reads_lazy_concat
    def forward(self, x: Tensor | LazyConcat[Tensor], condition: Condition | None = None) -> Tensor:
        return call_on_parts(self.conv, x)
