"""The suite refuses geometries that are wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from torch import Tensor, nn

from multiunet import Grid
from multiunet.testing import check_geometry


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
