"""Inverted bottlenecks, after MedNeXt and ConvNeXt: a block, a way down and a way up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from multiunet.core import Condition, Dropout, reads_sites_alone
from multiunet.geometries.choices import check_least
from multiunet.geometries.grid.crop import crop_start
from multiunet.geometries.grid.layers import TRANSPOSED, Layers, Sizes
from multiunet.geometries.grid.parts import Block, Down, Up
from multiunet.geometries.grid.up import check_levels


@dataclass(frozen=True)
class Inverted(Block):
    """Convolution of each channel, norm, more channels, activation, fewer channels, added to what enters.

    The block of MedNeXt (Roy et al. 2023, section 2.1), after ConvNeXt (Liu et al. 2022). Where the channels change,
    an affine map of them comes before it.

    Args:
        expansion: channels inside, as a multiple of those of the block.
        kernel: of the convolution; odd; one number, or one an axis.
        dropout: probability that a channel of what is added is dropped, at all sites.

    Raises:
        ValueError: for an expansion below 1, or an even kernel.
    """

    expansion: int = 2
    kernel: Sizes = 3
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_least("expansion", self.expansion, 1)

    def check(self, layers: Layers) -> None:
        _check(layers, self.kernel)

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        kernel = layers.odd_sizes("kernel", self.kernel)
        same = in_channels == out_channels
        entering = nn.Identity() if same else layers.make_pointwise(in_channels, out_channels)
        conv = _depthwise(layers, out_channels, kernel)
        added = Expanded(layers, conv, out_channels, out_channels, self.expansion)
        return InvertedBlock(entering, added, self.dropout, tuple(k // 2 for k in kernel))


@dataclass(frozen=True)
class InvertedDown(Down):
    """Inverted bottleneck with a stride, added to a map of the first site of each window.

    Roy et al. 2023, section 2.2.

    Args:
        expansion: channels inside, as a multiple of those that enter.
        kernel: odd; at least ``2 stride - 1`` is taken, so that it looks at all sites.

    Raises:
        ValueError: for an expansion below 1, or an even kernel.
    """

    expansion: int = 2
    kernel: Sizes = 3

    def __post_init__(self) -> None:
        check_least("expansion", self.expansion, 1)

    def check(self, layers: Layers) -> None:
        _check(layers, self.kernel)

    def build(self, layers: Layers, in_channels: int, out_channels: int, stride: tuple[int, ...]) -> nn.Module:
        kernel = _spanning(layers, self.kernel, stride)
        conv = _depthwise(layers, in_channels, kernel, stride=stride)
        added = Expanded(layers, conv, in_channels, out_channels, self.expansion)
        ones = (1,) * layers.ndim
        shortcut = layers.make_conv(in_channels, out_channels, ones, True, stride=stride)
        return InvertedWayDown(added, shortcut, stride, kernel)


@dataclass(frozen=True)
class InvertedUp(Up):
    """Inverted bottleneck that is transposed, added to each coarse site on the last of its fine sites.

    Roy et al. 2023, section 2.2.

    Args:
        expansion: channels inside, as a multiple of those that enter.
        kernel: odd; at least ``2 stride - 1`` is taken, so that it reaches all sites.

    Raises:
        ValueError: for an expansion below 1, or an even kernel.
    """

    expansion: int = 2
    kernel: Sizes = 3

    def __post_init__(self) -> None:
        check_least("expansion", self.expansion, 1)

    def check(self, layers: Layers) -> None:
        _check(layers, self.kernel)

    def build(self, layers: Layers, in_channels: int, out_channels: int, stride: tuple[int, ...]) -> nn.Module:
        kernel = _spanning(layers, self.kernel, stride)
        transposed = TRANSPOSED[layers.ndim]
        padding = tuple(k // 2 for k in kernel)
        conv = transposed(in_channels, in_channels, kernel, stride=stride, padding=padding, groups=in_channels)
        added = Expanded(layers, conv, in_channels, out_channels, self.expansion)
        shortcut = transposed(in_channels, out_channels, 1, stride=stride)
        return InvertedWayUp(added, shortcut, stride, kernel)


class Expanded(nn.Module):
    """A convolution of each channel alone, norm, more channels, activation, fewer channels."""

    def __init__(self, layers: Layers, conv: nn.Module, in_channels: int, out_channels: int, expansion: int) -> None:
        super().__init__()
        inside = expansion * in_channels
        self.conv, self.norm = conv, layers.make_norm(in_channels)
        self.expand, self.activation = layers.make_pointwise(in_channels, inside), layers.make_activation(inside)
        self.compress = layers.make_pointwise(inside, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.compress(self.activation(self.expand(self.norm(self.conv(x)))))
        return y


class InvertedBlock(nn.Module):
    """Module of ``Inverted``.

    Attributes:
        reach: how many sites away an output site looks, by axis.
    """

    def __init__(self, entering: nn.Module, added: Expanded, dropout: float, reach: tuple[int, ...]) -> None:
        super().__init__()
        self.entering, self.added, self.reach = entering, added, reach
        self.dropout = Dropout(dropout, whole_channels=True)

    def forward(self, x: Tensor, condition: Condition | None = None) -> Tensor:
        x = self.entering(x)
        return x + self.dropout(self.added(x))  # type: ignore[no-any-return]


class InvertedWayDown(nn.Module):
    """Module of ``InvertedDown``; n sites become ceil(n / stride).

    Attributes:
        stride: by axis.
        reach: how far, in fine sites, a fine site's coarse parent looks.
        cheap_again: True, so that gradient checkpointing recomputes it, as it does the blocks of levels.
    """

    cheap_again = True

    def __init__(self, added: Expanded, shortcut: nn.Module, stride: tuple[int, ...], kernel: tuple[int, ...]) -> None:
        super().__init__()
        self.added, self.shortcut, self.stride = added, shortcut, stride
        self.reach = tuple(s - 1 + k // 2 for s, k in zip(stride, kernel))

    def forward(self, x: Tensor) -> Tensor:
        coarse: Tensor = self.shortcut(x) + self.added(x)
        return coarse


class InvertedWayUp(nn.Module):
    """Module of ``InvertedUp``.

    Attributes:
        reach: how far, in fine sites, a fine site looks beyond its own coarse parent.
    """

    def __init__(self, added: Expanded, shortcut: nn.Module, stride: tuple[int, ...], kernel: tuple[int, ...]) -> None:
        super().__init__()
        self.added, self.shortcut, self.stride = added, shortcut, stride
        # both give (n - 1) stride + 1 sites, of which the first belongs to the last fine site of the first coarse one
        self.fill = [end for s in reversed(stride) for end in (s - 1, 0)]
        self.reach = tuple(k // 2 for k in kernel)

    @reads_sites_alone
    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        check_levels(x, skip, self.stride)
        fine = self.shortcut(x) + self.added(x)
        return crop_start(functional.pad(fine, self.fill), skip.shape[2:])


def _check(layers: Layers, kernel: Sizes) -> None:
    layers.odd_sizes("kernel", kernel)
    if layers.padding == "valid":
        raise ValueError("padding='valid' goes with Conv, pooling, and resizing or transposed convolution")


def _spanning(layers: Layers, kernel: Sizes, stride: Sequence[int]) -> tuple[int, ...]:
    return tuple(max(k, 2 * s - 1) for k, s in zip(layers.odd_sizes("kernel", kernel), stride))


def _depthwise(layers: Layers, channels: int, kernel: tuple[int, ...], stride: Sequence[int] | int = 1) -> nn.Module:
    padding = tuple(k // 2 for k in kernel)
    return layers.make_conv(channels, channels, kernel, True, stride=stride, padding=padding, groups=channels)
