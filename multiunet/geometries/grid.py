"""Fields on regular grids of any number of dimensions that torch convolves: sequences, images, volumes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from multiunet.core import Condition, Dropout, Geometry

Sizes = int | tuple[int, ...]
"""One number for every axis, or one an axis."""

CONV: dict[int, type[nn.Conv1d] | type[nn.Conv2d] | type[nn.Conv3d]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: dict[int, Callable[..., nn.Module]] = {
    1: nn.ConvTranspose1d,
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}
MAX_POOL: dict[int, Callable[..., nn.Module]] = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
AVERAGE_POOL: dict[int, Callable[..., nn.Module]] = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
BATCH_NORM: dict[int, Callable[[int], nn.Module]] = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
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
            if getattr(self, name) not in known:
                raise ValueError(f"{name} {getattr(self, name)!r} is none of {', '.join(known)}")
        if self.convs < 1:
            raise ValueError(f"convs {self.convs} must be at least 1")
        kernel = self.sizes("kernel", self.kernel)
        if any(k % 2 == 0 for k in kernel):
            raise ValueError(f"kernel {kernel} must be odd on every axis, so that it has a centre")
        if self.padding == "valid" and (self.upsample == "shuffle" or self.downsample == "conv"):
            raise ValueError("valid padding goes with pooling and with resizing or transposed convolution")
        object.__setattr__(self, "_kernel", kernel)

    def block(self, c_in: int, c_out: int) -> nn.Module:
        return ConvBlock(self, c_in, c_out)

    def down(self, channels: int, stride: Sizes | None = None) -> nn.Module:
        return self.down_to(channels, channels, stride)

    def down_to(self, c_in: int, c_out: int, stride: Sizes | None = None) -> nn.Module:
        return Down(self, c_in, c_out, self.sizes("stride", self.stride if stride is None else stride))

    def up(self, c_in: int, c_out: int, stride: Sizes | None = None) -> nn.Module:
        steps = self.sizes("stride", self.stride if stride is None else stride)
        kind = {"nearest": ResizeUp, "linear": ResizeUp, "transposed": TransposedUp, "shuffle": ShuffleUp}[
            self.upsample
        ]
        return kind(self, c_in, c_out, steps)

    def pointwise(self, c_in: int, c_out: int) -> nn.Module:
        return CONV[self.ndim](c_in, c_out, 1)

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

    def sample(self, values: Tensor, fine: Tensor, coarse: Tensor) -> Tensor:
        if self.padding == "valid":
            raise ValueError("deep supervision needs padding='same': where sites are lost, levels do not share borders")
        for axis in range(-self.ndim, 0):
            size, count = values.shape[axis], coarse.shape[axis]
            step = -(-size // count)
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
        return _centre(skip, onto.shape[2:])

    def conv(self, c_in: int, c_out: int, kernel: tuple[int, ...], bias: bool, **options: object) -> nn.Module:
        """A convolution with He initialisation (He et al. 2015, fan-in)."""
        layer = CONV[self.ndim](c_in, c_out, kernel, bias=bias, **options)  # type: ignore[arg-type]
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
        return layer

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
        """The value by axis."""
        sizes = (value,) * self.ndim if isinstance(value, int) else tuple(value)
        if len(sizes) != self.ndim or min(sizes) < 1:
            raise ValueError(f"{name} {value} needs {self.ndim} positive numbers, one an axis")
        return sizes


class GroupNorm(nn.GroupNorm):
    """Group normalisation (Wu & He 2018) that also takes fields of one site, where torch's own refuses."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)


class ConvBlock(nn.Module):
    """Convolutions, each with its norm and activation; dropout at the end.

    Attributes:
        reach: how many sites away an output site looks, by axis.
    """

    def __init__(self, grid: Grid, c_in: int, c_out: int) -> None:
        super().__init__()
        halfway = c_out // 2 if grid.growth == "last" and c_out > c_in else c_out
        channels = [c_in, *[halfway] * (grid.convs - 1), c_out]
        layers: list[nn.Module] = []
        for i, (a, b) in enumerate(pairwise(channels)):
            whole = grid.separable == "none" or (grid.separable == "inner" and i == grid.convs - 1)
            layers += [_full(grid, a, b) if whole else _separable(grid, a, b)]
            layers += [grid.norm(b), ACTIVATION[grid.activation](b)]
        self.last = layers.pop() if grid.residual else nn.Identity()
        self.layers = nn.Sequential(*layers)
        self.shortcut: nn.Module | None = None
        if grid.residual:
            self.shortcut = nn.Identity() if c_in == c_out else grid.pointwise(c_in, c_out)
        self.dropout = Dropout(grid.dropout, whole_channels=True)
        self.reach = tuple(grid.convs * (k // 2) for k in grid._kernel)

    def forward(self, x: Tensor, condition: Condition | None = None) -> Tensor:
        y: Tensor = self.layers(x)
        if self.shortcut is not None:
            y = self.last(y + _centre(self.shortcut(x), y.shape[2:]))
        return self.dropout(y)  # type: ignore[no-any-return]

    def stages(self) -> list[nn.Module]:
        """Each convolution with what follows it; a residual block is one stage."""
        if self.shortcut is not None:
            return [self]
        each = [self.layers[first : first + 3] for first in range(0, len(self.layers), 3)]
        return [*each[:-1], nn.Sequential(each[-1], self.dropout)]


def _full(grid: Grid, c_in: int, c_out: int) -> nn.Module:
    pad = tuple(k // 2 for k in grid._kernel) if grid.padding == "same" else 0
    # a norm's own shift makes a bias idle
    return grid.conv(c_in, c_out, grid._kernel, grid.normalization == "none", padding=pad)


def _separable(grid: Grid, c_in: int, c_out: int) -> nn.Module:
    """No activation in between: Chollet 2017, figure 10."""
    pad = tuple(k // 2 for k in grid._kernel) if grid.padding == "same" else 0
    return nn.Sequential(
        grid.conv(c_in, c_in, grid._kernel, False, padding=pad, groups=c_in),
        grid.conv(c_in, c_out, (1,) * grid.ndim, grid.normalization == "none"),
    )


class Down(nn.Module):
    """Coarsening by a stride; n sites become ceil(n / stride), or floor where blocks lose sites.

    Attributes:
        stride: by axis.
        reach: how far, in fine sites, a fine site's coarse parent looks.
        cheap_again: whether it pools: a maximum keeps its places, in 8 bytes each, a convolution nothing of its own.
    """

    def __init__(self, grid: Grid, c_in: int, c_out: int, stride: tuple[int, ...]) -> None:
        super().__init__()
        self.stride = stride
        self.cheap_again = grid.downsample != "conv"
        keep_rest = grid.padding == "same"
        self.layer: nn.Module
        look = (0,) * grid.ndim
        if grid.downsample == "conv":
            kernel = grid._down_kernel(stride)
            # odd, with half its width as padding: ceil(n / stride) sites, exactly n / stride where that is whole
            look = tuple(0 if k == s else k // 2 for k, s in zip(kernel, stride))
            bias = not (grid.down_activation and grid.normalization != "none")
            self.layer = grid.conv(c_in, c_out, kernel, bias, stride=stride, padding=look)
            if grid.down_activation:
                self.layer = grid.activated(self.layer, c_out)
        else:
            if grid.downsample == "max":
                self.layer = MAX_POOL[grid.ndim](stride, ceil_mode=keep_rest)
            else:  # the last window divides by the sites it has
                self.layer = AVERAGE_POOL[grid.ndim](stride, ceil_mode=keep_rest, count_include_pad=False)
            if c_in != c_out:
                self.layer = nn.Sequential(self.layer, grid.pointwise(c_in, c_out))
        # a kernel that just spans its stride has no padding of its own for a last, partial window
        self.fill = tuple(s if grid.downsample == "conv" and padding == 0 else 1 for s, padding in zip(stride, look))
        self.reach = tuple(s - 1 + r for s, r in zip(stride, look))

    def forward(self, x: Tensor) -> Tensor:
        missing = [-size % fill for size, fill in zip(x.shape[2:], self.fill)]
        if any(missing):
            x = functional.pad(x, [end for rest in reversed(missing) for end in (0, rest)])
        coarse: Tensor = self.layer(x)
        return coarse


class ResizeUp(nn.Module):
    """Resize by the stride and convolve: no checkerboard (Odena et al. 2016).

    Attributes:
        reach: how far, in fine sites, a fine site looks beyond its own coarse parent.
    """

    def __init__(self, grid: Grid, c_in: int, c_out: int, stride: tuple[int, ...]) -> None:
        super().__init__()
        kernel = grid.sizes("up_kernel", 1 if grid.up_kernel is None else grid.up_kernel)
        if any(k % 2 == 0 for k in kernel):
            raise ValueError(f"up_kernel {kernel} must be odd for {grid.upsample} up-sampling")
        self.conv = grid.conv(c_in, c_out, kernel, True, padding=tuple(k // 2 for k in kernel))
        if grid.up_activation:
            self.conv = grid.activated(self.conv, c_out)
        self.conv_first = max(kernel) == 1
        self.factor = tuple(float(s) for s in stride)
        self.mode = LINEAR[grid.ndim] if grid.upsample == "linear" else "nearest"
        self.crop = grid.padding == "same"
        linear = grid.upsample == "linear"
        self.reach = tuple(k // 2 + (s if linear else 0) for k, s in zip(kernel, stride))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        if self.conv_first:
            return self._cut(self._resize(self.conv(x)), skip)
        y: Tensor = self.conv(self._cut(self._resize(x), skip))
        return y

    def _resize(self, x: Tensor) -> Tensor:
        # by the factor, not to the size: coarse sites must stay on the fine sites they came from
        return functional.interpolate(x, scale_factor=self.factor, mode=self.mode)

    def _cut(self, x: Tensor, skip: Tensor) -> Tensor:
        return _start(x, skip.shape[2:]) if self.crop else x


class TransposedUp(nn.Module):
    """A transposed convolution whose kernel is a multiple of its stride: all fine sites get equally many taps."""

    def __init__(self, grid: Grid, c_in: int, c_out: int, stride: tuple[int, ...]) -> None:
        super().__init__()
        kernel = stride if grid.up_kernel is None else grid.sizes("up_kernel", grid.up_kernel)
        if any(k % s for k, s in zip(kernel, stride)):
            raise ValueError(
                f"a transposed convolution with kernel {kernel} and stride {stride} paints a checkerboard: its fine "
                f"sites get unequal numbers of taps (Odena et al. 2016); make the kernel a multiple of the stride, or "
                f"use upsample='nearest'"
            )
        self.cut = tuple((k - s) // 2 for k, s in zip(kernel, stride))
        self.layer = TRANSPOSED[grid.ndim](c_in, c_out, kernel, stride=stride, padding=self.cut)
        if grid.up_activation:
            self.layer = grid.activated(self.layer, c_out)
        self.crop = grid.padding == "same"
        self.reach = tuple(k - s for k, s in zip(kernel, stride))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        fine: Tensor = self.layer(x)
        return _start(fine, skip.shape[2:]) if self.crop else fine


class ShuffleUp(nn.Module):
    """A convolution on the coarse sites whose channels become fine sites (sub-pixel convolution, Shi et al. 2016)."""

    def __init__(self, grid: Grid, c_in: int, c_out: int, stride: tuple[int, ...]) -> None:
        super().__init__()
        self.stride = stride
        pad = tuple(k // 2 for k in grid._kernel)
        fine = c_out * math.prod(stride)
        self.conv = grid.conv(c_in, fine, grid._kernel, True, padding=pad)
        if grid.up_activation:
            self.conv = grid.activated(self.conv, fine)
        self.reach = tuple((k // 2) * s for k, s in zip(grid._kernel, stride))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        n, _, *space = y.shape
        d = len(space)
        y = y.reshape(n, -1, *self.stride, *space)
        # (n, c, *stride, *space) -> (n, c, space 0, stride 0, space 1, stride 1, ...)
        y = y.permute(0, 1, *(axis for i in range(d) for axis in (2 + d + i, 2 + i)))
        return _start(y.reshape(n, y.shape[1], *(a * s for a, s in zip(space, self.stride))), skip.shape[2:])


def _start(x: Tensor, space: Sequence[int]) -> Tensor:
    """The first ``space`` sites of every axis."""
    for axis, size in enumerate(space, start=2):
        if x.shape[axis] != size:
            x = x.narrow(axis, 0, size)
    return x


def _centre(x: Tensor, space: Sequence[int]) -> Tensor:
    """The middle ``space`` sites of every axis."""
    for axis, size in enumerate(space, start=2):
        if x.shape[axis] != size:
            x = x.narrow(axis, (x.shape[axis] - size) // 2, size)
    return x
