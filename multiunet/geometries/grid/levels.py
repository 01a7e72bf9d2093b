"""The ways between the levels of a grid: coarser, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional

from multiunet.geometries.grid.layers import AVERAGE_POOL, LINEAR, MAX_POOL, TRANSPOSED

if TYPE_CHECKING:
    from multiunet.geometries.grid.grid import Grid


class Down(nn.Module):
    """Coarsening by a stride; n sites become ceil(n / stride), or floor where blocks lose sites.

    Attributes:
        stride: by axis.
        reach: how far, in fine sites, a fine site's coarse parent looks.
        cheap_again: whether it pools: a maximum keeps its places, in 8 bytes each, a convolution nothing of its own.
    """

    def __init__(self, grid: Grid, in_channels: int, out_channels: int, stride: tuple[int, ...]) -> None:
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
            self.layer = grid.conv(in_channels, out_channels, kernel, bias, stride=stride, padding=look)
            if grid.down_activation:
                self.layer = grid.activated(self.layer, out_channels)
        else:
            if grid.downsample == "max":
                self.layer = MAX_POOL[grid.ndim](stride, ceil_mode=keep_rest)
            else:  # the last window divides by the sites it has
                self.layer = AVERAGE_POOL[grid.ndim](stride, ceil_mode=keep_rest, count_include_pad=False)
            if in_channels != out_channels:
                self.layer = nn.Sequential(self.layer, grid.pointwise(in_channels, out_channels))
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

    def __init__(self, grid: Grid, in_channels: int, out_channels: int, stride: tuple[int, ...]) -> None:
        super().__init__()
        kernel = grid.sizes("up_kernel", 1 if grid.up_kernel is None else grid.up_kernel)
        if any(k % 2 == 0 for k in kernel):
            raise ValueError(f"up_kernel {kernel} must be odd for {grid.upsample} up-sampling")
        self.conv = grid.conv(in_channels, out_channels, kernel, True, padding=tuple(k // 2 for k in kernel))
        if grid.up_activation:
            self.conv = grid.activated(self.conv, out_channels)
        self.conv_first = max(kernel) == 1
        self.factor = tuple(float(s) for s in stride)
        self.mode = LINEAR[grid.ndim] if grid.upsample == "linear" else "nearest"
        self.crop, self.stride = grid.padding == "same", stride
        linear = grid.upsample == "linear"
        self.reach = tuple(k // 2 + (s if linear else 0) for k, s in zip(kernel, stride))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        if self.crop:
            check_levels(x, skip, self.stride)
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

    def __init__(self, grid: Grid, in_channels: int, out_channels: int, stride: tuple[int, ...]) -> None:
        super().__init__()
        kernel = stride if grid.up_kernel is None else grid.sizes("up_kernel", grid.up_kernel)
        if any(k % s for k, s in zip(kernel, stride)):
            raise ValueError(
                f"a transposed convolution with kernel {kernel} and stride {stride} paints a checkerboard: its fine "
                f"sites get unequal numbers of taps (Odena et al. 2016); make the kernel a multiple of the stride, or "
                f"use upsample='nearest'"
            )
        self.cut = tuple((k - s) // 2 for k, s in zip(kernel, stride))
        self.layer = TRANSPOSED[grid.ndim](in_channels, out_channels, kernel, stride=stride, padding=self.cut)
        if grid.up_activation:
            self.layer = grid.activated(self.layer, out_channels)
        self.crop, self.stride = grid.padding == "same", stride
        self.reach = tuple(k - s for k, s in zip(kernel, stride))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        if self.crop:
            check_levels(x, skip, self.stride)
        fine: Tensor = self.layer(x)
        return _start(fine, skip.shape[2:]) if self.crop else fine


class ShuffleUp(nn.Module):
    """A convolution on the coarse sites whose channels become fine sites (sub-pixel convolution, Shi et al. 2016)."""

    def __init__(self, grid: Grid, in_channels: int, out_channels: int, stride: tuple[int, ...]) -> None:
        super().__init__()
        self.stride = stride
        pad = tuple(k // 2 for k in grid._kernel)
        fine = out_channels * math.prod(stride)
        self.conv = grid.conv(in_channels, fine, grid._kernel, True, padding=pad)
        if grid.up_activation:
            self.conv = grid.activated(self.conv, fine)
        self.reach = tuple((k // 2) * s for k, s in zip(grid._kernel, stride))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        check_levels(x, skip, self.stride)
        y: Tensor = self.conv(x)
        n, _, *space = y.shape
        d = len(space)
        y = y.reshape(n, -1, *self.stride, *space)
        # (n, c, *stride, *space) -> (n, c, space 0, stride 0, space 1, stride 1, ...)
        y = y.permute(0, 1, *(axis for i in range(d) for axis in (2 + d + i, 2 + i)))
        return _start(y.reshape(n, y.shape[1], *(a * s for a, s in zip(space, self.stride))), skip.shape[2:])


def check_levels(coarse: Tensor, skip: Tensor, stride: Sequence[int]) -> None:
    """Raises ValueError unless the coarse field is what such a stride makes of the skip's sites."""
    expected = tuple(-(-size // step) for size, step in zip(skip.shape[2:], stride))
    if tuple(coarse.shape[2:]) != expected:
        raise ValueError(
            f"a way up of stride {tuple(stride)} onto {tuple(skip.shape[2:])} sites comes from {expected}, not from "
            f"{tuple(coarse.shape[2:])}: the way down had another stride; give encoder and decoder the same"
        )


def _start(x: Tensor, space: Sequence[int]) -> Tensor:
    """The first ``space`` sites of every axis."""
    for axis, size in enumerate(space, start=2):
        if x.shape[axis] != size:
            x = x.narrow(axis, 0, size)
    return x
