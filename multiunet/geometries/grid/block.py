"""What mixes a site's features with those of nearby sites, on a grid."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from torch import Tensor, nn

from multiunet.core import Condition, Dropout, LazyConcat, reads_lazy_concat
from multiunet.core.lazy import call_block
from multiunet.geometries.grid.layers import ACTIVATION, Chain, call_on_parts

if TYPE_CHECKING:
    from multiunet.geometries.grid.grid import Grid


class ConvBlock(nn.Module):
    """Convolutions, each with its norm and activation; dropout at the end.

    Attributes:
        reach: how many sites away an output site looks, by axis.
    """

    def __init__(self, grid: Grid, in_channels: int, out_channels: int) -> None:
        super().__init__()
        halfway = out_channels // 2 if grid.growth == "last" and out_channels > in_channels else out_channels
        channels = [in_channels, *[halfway] * (grid.convs - 1), out_channels]
        layers: list[nn.Module] = []
        for i, (a, b) in enumerate(pairwise(channels)):
            whole = grid.separable == "none" or (grid.separable == "inner" and i == grid.convs - 1)
            layers += [_full(grid, a, b) if whole else _separable(grid, a, b)]
            layers += [grid.norm(b), ACTIVATION[grid.activation](b)]
        self.last = layers.pop() if grid.residual else nn.Identity()
        self.layers = Chain(*layers)
        self.shortcut: nn.Module | None = None
        if grid.residual:
            self.shortcut = nn.Identity() if in_channels == out_channels else grid.pointwise(in_channels, out_channels)
        self.dropout = Dropout(grid.dropout, whole_channels=True)
        self.loses_sites = grid.padding == "valid"
        self.reach = tuple(grid.convs * (k // 2) for k in grid._kernel)

    @reads_lazy_concat
    def forward(self, x: Tensor | LazyConcat[Tensor], condition: Condition | None = None) -> Tensor:
        if self.loses_sites:
            self._check_sites((x.parts[0] if isinstance(x, LazyConcat) else x).shape[2:])
        y = call_block(self.layers, x)
        if self.shortcut is not None:
            y = self.last(y + centre(call_on_parts(self.shortcut, x), y.shape[2:]))
        return self.dropout(y)  # type: ignore[no-any-return]

    def _check_sites(self, space: Sequence[int]) -> None:
        needed = tuple(2 * reach + 1 for reach in self.reach)
        if any(size < least for size, least in zip(space, needed)):
            raise ValueError(
                f"a block without padding needs {needed} sites or more and got {tuple(space)}: the network's input is "
                "too small; give a larger one, or build the network with padding='same'"
            )

    def stages(self) -> list[nn.Module]:
        """Each convolution with what follows it; a residual block is one stage."""
        if self.shortcut is not None:
            return [self]
        layers = list(self.layers)
        each = [Chain(*layers[first : first + 3]) for first in range(0, len(layers), 3)]
        each[-1].append(self.dropout)
        return list(each)


def _full(grid: Grid, in_channels: int, out_channels: int) -> nn.Module:
    pad = tuple(k // 2 for k in grid._kernel) if grid.padding == "same" else 0
    # a norm's own shift makes a bias idle
    return grid.conv(in_channels, out_channels, grid._kernel, grid.normalization == "none", padding=pad)


def _separable(grid: Grid, in_channels: int, out_channels: int) -> nn.Module:
    """No activation in between: Chollet 2017, figure 10."""
    pad = tuple(k // 2 for k in grid._kernel) if grid.padding == "same" else 0
    return nn.Sequential(
        grid.conv(in_channels, in_channels, grid._kernel, False, padding=pad, groups=in_channels),
        grid.conv(in_channels, out_channels, (1,) * grid.ndim, grid.normalization == "none"),
    )


def centre(x: Tensor, space: Sequence[int]) -> Tensor:
    """The middle ``space`` sites of every axis."""
    for axis, size in enumerate(space, start=2):
        if x.shape[axis] != size:
            x = x.narrow(axis, (x.shape[axis] - size) // 2, size)
    return x
