"""The suite refuses geometries that are wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from multiunet import Condition, Dropout, Grid, UNet
from multiunet.geometries import Attention, Block, Conv, InTurn
from multiunet.geometries.grid.layers import Layers
from multiunet.testing import check_geometry
from multiunet.testing.conditions import check_conditions
from multiunet.testing.samples import check_samples
from multiunet.testing.tiles import check_tiles


class Flipped(nn.Module):
    def __init__(self, operator: nn.Module) -> None:
        super().__init__()
        self.operator = operator

    def forward(self, *fields: Tensor) -> Tensor:
        return self.operator(*fields).flip(2)


@dataclass(frozen=True)
class FlipsUp(Grid):
    def make_up(self, in_channels: int, out_channels: int, stride: Any = None) -> nn.Module:
        return Flipped(Grid(self.ndim).make_up(in_channels, out_channels, stride))


@dataclass(frozen=True)
class FlipsDown(Grid):
    def make_down(self, in_channels: int, out_channels: int, stride: Any = None) -> nn.Module:
        return Flipped(Grid(self.ndim).make_down(in_channels, out_channels, stride))


@dataclass(frozen=True)
class MixesLabels(Grid):
    def sample(self, values: Tensor, fine: Tensor, coarse: Tensor, stride: Any = None) -> Tensor:
        return Grid(self.ndim).sample(values, fine, coarse, stride) + 0.5


@dataclass(frozen=True)
class SamplesTheFineSites(Grid):
    def sample(self, values: Tensor, fine: Tensor, coarse: Tensor, stride: Any = None) -> Tensor:
        return values


@dataclass(frozen=True)
class CannotSample(Grid):
    def sample(self, values: Tensor, fine: Tensor, coarse: Tensor, stride: Any = None) -> Tensor:
        raise RuntimeError("no sample")


@dataclass(frozen=True)
class CannotWiden(Grid):
    def make_down(self, in_channels: int, out_channels: int, stride: Any = None) -> nn.Module:
        if in_channels != out_channels:
            raise RuntimeError("no wider down")
        return Grid(self.ndim).make_down(in_channels, out_channels, stride)


@dataclass(frozen=True)
class CannotNormalise(Grid):
    def make_norm(self, channels: int) -> nn.Module:
        raise RuntimeError("no norm")

    def make_block(self, in_channels: int, out_channels: int) -> nn.Module:
        return Grid(self.ndim).make_block(in_channels, out_channels)


def check_drawn(geometry: Grid) -> None:
    torch.manual_seed(0)
    check_samples(UNet(geometry, 3, 2, [4, 6]), geometry, geometry.example(3, 0))


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (FlipsUp, "law 1, sites: up brings nothing of coarse site"),
        (FlipsDown, "law 1, sites: down takes nothing of site"),
        (MixesLabels, "law 1, outputs: sample gives values that were not there"),
        (SamplesTheFineSites, "law 1, sites: sample gives 37 values for 19 coarse sites"),
        (CannotSample, "no sample"),
        (CannotWiden, "no wider down"),
        (CannotNormalise, "no norm"),
    ],
)
def test_wrong_geometries_are_refused(kind: Callable[[int], Grid], reason: str) -> None:
    with pytest.raises((AssertionError, RuntimeError), match=reason):
        check_geometry(kind(1))


@dataclass(frozen=True)
class Misstated(Conv):
    """A block whose module says something else than it does; ``states`` are the module's attributes."""

    states: tuple[tuple[str, Any], ...] = ()

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        block = super().build(layers, in_channels, out_channels)
        for name, value in self.states:
            setattr(block, name, value)
        return block


@dataclass(frozen=True)
class Hiding(Attention):
    """Attention that looks everywhere and says that it does not."""

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        block = super().build(layers, in_channels, out_channels)
        block.is_global, block.reach = False, (3,)
        return block


class Deaf(nn.Module):
    """Reads no condition, whatever it says."""

    reads_condition, reach = ("embedding",), (0,)

    def __init__(self, layers: Layers, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.mix = layers.make_pointwise(in_channels, out_channels)

    def forward(self, x: Tensor, condition: Condition | None = None) -> Tensor:
        return self.mix(x)


class FromTheWholeBatch(Deaf):
    """Reads the mean of all samples' embeddings."""

    def __init__(self, layers: Layers, in_channels: int, out_channels: int) -> None:
        super().__init__(layers, in_channels, out_channels)
        self.read = nn.Linear(2, out_channels)

    def forward(self, x: Tensor, condition: Condition | None = None) -> Tensor:
        if condition is None or condition.embedding is None:
            return self.mix(x)
        return self.mix(x) + self.read(condition.embedding.mean(0))[:, None]


@dataclass(frozen=True)
class Conditioned(Block):
    kind: type[Deaf]

    def example_condition(self, seed: int) -> Condition:
        return Condition(torch.randn(1, 2, generator=torch.Generator().manual_seed(seed)))

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        return self.kind(layers, in_channels, out_channels)


class Forgets(nn.Module):
    """Dropout whose masks no key determines."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block, self.reach, self.dropout = block, block.reach, Dropout(0.5, whole_channels=True)

    def forward(self, x: Tensor, condition: Condition | None = None) -> Tensor:
        y = self.block(x)
        return y if self.dropout.key is None else y * torch.rand(1)


class Ignores(Forgets):
    def forward(self, x: Tensor, condition: Condition | None = None) -> Tensor:
        return self.block(x)


@dataclass(frozen=True)
class Dropping(Block):
    kind: type[Forgets]

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        return self.kind(Conv().build(layers, in_channels, out_channels))


@pytest.mark.parametrize(
    ("check", "block", "reason"),
    [
        (check_tiles, Misstated(states=(("reach", (1,)),)), "law 7, tiles: ConvBlock says that it looks 1 sites far"),
        (check_tiles, Misstated(states=(("reach", (30,)),)), "the example is too small for a block that looks"),
        (check_tiles, InTurn(Conv(), Hiding(heads=1)), "law 7, tiles: BlocksInTurn says that it looks 5 sites far"),
        (check_conditions, Conditioned(Deaf), "law 8, conditions: no parameter reads the condition"),
        (check_conditions, Conditioned(FromTheWholeBatch), "law 8, conditions: a batch differs from its samples"),
        (check_drawn, Dropping(Forgets), "law 9, samples: one key gives two networks"),
        (check_drawn, Dropping(Ignores), "law 9, samples: all keys give one network"),
    ],
)
def test_wrong_blocks_are_refused(check: Callable[[Grid], None], block: Block, reason: str) -> None:
    with pytest.raises(AssertionError, match=reason):
        check(Grid(1, block))


def test_a_block_that_says_nothing_of_how_far_it_looks_is_refused() -> None:
    with pytest.raises(TypeError, match="must be a tuple"):
        check_tiles(Grid(1, Misstated(states=(("reach", 2),))))
