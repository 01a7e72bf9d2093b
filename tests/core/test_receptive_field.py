"""How far networks look: norms, windows and blocks that look everywhere or say nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from multiunet import Concat, Graph, Grid, GridPredictor, GridSource, NestedUNet, Segmentation, UNet, receptive_field
from multiunet.core import Condition, LazyConcat
from multiunet.geometries import Block, Conv
from multiunet.geometries.grid.layers import Layers


class Normalized(Concat[Tensor]):
    """A skip with a norm of its own."""

    def __init__(self, geometry: Grid, x_channels: int, skip_channels: int) -> None:
        super().__init__(geometry, x_channels, skip_channels)
        self.norm = nn.InstanceNorm1d(skip_channels)

    def forward(self, x: Tensor, *skips: Tensor) -> LazyConcat[Tensor]:
        return super().forward(x, *(self.norm(skip) for skip in skips))


class Averaged(Concat[Tensor]):
    """A skip that looks 20 sites far."""

    reach = (20,)

    def forward(self, x: Tensor, *skips: Tensor) -> LazyConcat[Tensor]:
        return super().forward(x, *(nn.functional.avg_pool1d(skip, 41, 1, 20) for skip in skips))


@pytest.mark.parametrize("kind", [UNet, NestedUNet])
def test_a_skip_that_looks_farther_than_its_site_counts(kind: type) -> None:
    """Two convolutions of 3, the skip, two convolutions; else two, the way down of 1, two at 2 sites' distance, two."""
    seen = receptive_field(kind(Grid(1), 1, 2, [4, 4], skip=Averaged))
    assert (seen.radius, receptive_field(kind(Grid(1), 1, 2, [4, 4])).radius) == ((2 + 20 + 2,), (2 + 1 + 4 + 2,))


def test_a_norm_over_sites_anywhere_makes_tiles_inexact() -> None:
    assert receptive_field(UNet(Grid(1), 1, 2, [4, 4])).exact
    assert not receptive_field(UNet(Grid(1, normalization="group"), 1, 2, [4, 4])).exact
    assert not receptive_field(UNet(Grid(1), 1, 2, [4, 4], skip=Normalized)).exact


class WindowMean(nn.Module):
    """Adds to each site the mean of its window: what window attention may look at, and no more."""

    def __init__(self, layers: Layers, in_channels: int, out_channels: int, side: int) -> None:
        super().__init__()
        self.mix, self.side = layers.make_pointwise(in_channels, out_channels), side

    def forward(self, x: Tensor, condition: Condition | None = None) -> Tensor:
        x = self.mix(x)
        for axis, size in enumerate(x.shape[2:], start=2):
            windows = torch.arange(size) // self.side
            means = torch.stack([part.mean(axis) for part in x.split(self.side, axis)], axis)
            x = x + means.index_select(axis, windows)
        return x


@dataclass(frozen=True)
class Windows(Block):
    """A part that a user wrote; ``states`` is what its module says of how far it looks."""

    side: int = 3
    states: dict[str, Any] = field(default_factory=dict)

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        module = WindowMean(layers, in_channels, out_channels, self.side)
        for name, value in self.states.items():
            setattr(module, name, value)
        return module


@pytest.mark.parametrize("kind", [UNet, NestedUNet])
def test_tiles_begin_where_windows_of_all_levels_begin(kind: type) -> None:
    """Strides 2 and 2, windows of 3 on levels 1 (of 2 sites' distance) and 2 (of 4): lcm(4, 6, 12)."""
    windows = Grid(1, Windows(states={"period": (3,)}))
    seen = receptive_field(kind([Grid(1), windows, windows], 1, 2, [4, 4, 4]))
    assert (seen.tile_stride, seen.exact) == ((12,), True)
    assert receptive_field(kind(Grid(1), 1, 2, [4, 4, 4])).tile_stride == (4,)


def test_a_window_looks_as_far_as_it_is_wide_or_as_it_says() -> None:
    def radius(**states: Any) -> tuple[int, ...]:
        return receptive_field(UNet(Grid(2, Windows(states=states)), 1, 2, [2, 2], strides=[(1, 2)])).radius

    # three blocks, the bottleneck's at the level's distance, and the way down's own look at stride - 1 sites
    assert radius(period=(3, 4)) == (2 + 2 + 2, 3 + 1 + 2 * 3 + 3)
    assert radius(period=(3, 4), reach=(4, 6)) == (4 + 4 + 4, 6 + 1 + 2 * 6 + 6)


@pytest.mark.parametrize("tile", [12, 17, 30])
def test_windows_in_tiles_are_those_of_the_whole(tile: int) -> None:
    torch.manual_seed(0)
    net = UNet(Grid(2, Windows(states={"period": (3, 3)})), 1, 2, [3, 4]).eval()
    image = torch.randn(1, 61, 50).numpy()
    source = GridSource("a", (61, 50), lambda a, b: image[:, a[0] : b[0], a[1] : b[1]], ("y", "x"))
    tiled, whole = (
        GridPredictor(net, Segmentation(["a", "b"]), Grid(2), torch.device("cpu"), tile=size).whole(source).mean
        for size in (tile, 1000)
    )
    torch.testing.assert_close(tiled, whole, rtol=1e-5, atol=1e-6)


def test_a_block_that_looks_everywhere_makes_tiles_inexact() -> None:
    assert not receptive_field(UNet(Grid(1, Windows(states={"is_global": True})), 1, 2, [4, 4])).exact


def test_a_block_that_does_not_say_how_far_it_looks_is_refused() -> None:
    with pytest.raises(TypeError, match="WindowMean does not say how far it looks, so tiles of it could be wrong"):
        receptive_field(UNet([Grid(1), Grid(1, Windows())], 1, 2, [4, 4]))


@pytest.mark.parametrize("states", [{"reach": 2}, {"period": (2, 2)}])
def test_sites_are_stated_by_axis(states: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="must be a tuple with one entry an axis, 1"):
        receptive_field(UNet(Grid(1, Windows(states=states)), 1, 2, [4, 4]))


def test_a_way_that_does_not_say_how_far_it_looks_is_refused() -> None:
    net = UNet(Grid(1, Conv(convs=1)), 1, 2, [4, 4])
    del net.ups[0].reach
    with pytest.raises(TypeError, match="ResizeUp does not state its reach"):
        receptive_field(net)


def test_a_network_of_graphs_has_none_by_axis() -> None:
    with pytest.raises(TypeError, match="UNet has no receptive field by axis"):
        receptive_field(UNet(Graph(), 1, 2, [4, 4]))
