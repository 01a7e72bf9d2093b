"""Blocks in a row: one block that looks as far as all of them, and keeps every law of a block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from multiunet import Condition, Grid, NestedUNet, UNet, receptive_field
from multiunet.core import LazyConcat, reads_lazy_concat
from multiunet.geometries import Block, Conv, InTurn
from multiunet.geometries.grid.layers import Layers
from multiunet.testing.conditions import check_conditions
from multiunet.testing.conformance import check_recomputation
from multiunet.testing.samples import check_samples
from multiunet.testing.tiles import check_tiles


class Spy(nn.Module):
    """Adds what a condition tells to a map of the channels, and keeps what it was given."""

    def __init__(self, layers: Layers, in_channels: int, out_channels: int, states: dict[str, Any]) -> None:
        super().__init__()
        self.mix, self.seen = layers.make_pointwise(in_channels, out_channels), []
        for name, value in states.items():
            setattr(self, name, value)

    @reads_lazy_concat
    def forward(self, x: Tensor | LazyConcat[Tensor], condition: Condition | None = None) -> Tensor:
        self.seen.append(x)
        y = self.mix(x.field() if isinstance(x, LazyConcat) else x)
        return y if condition is None or condition.tokens is None else y + condition.tokens.mean()


@dataclass(frozen=True)
class Spying(Block):
    states: tuple[tuple[str, Any], ...] = (("reach", (0,)),)

    def example_condition(self, seed: int) -> Condition:
        tokens = torch.randn(1, 2, 3, generator=torch.Generator().manual_seed(seed))
        return Condition(torch.zeros(1, 7), tokens)

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        return Spy(layers, in_channels, out_channels, dict(self.states))


def build(*blocks: Block, ndim: int = 1) -> nn.Module:
    return Grid(ndim, InTurn(*blocks)).make_block(2, 4)


def test_blocks_run_one_after_the_other() -> None:
    row = build(Conv(convs=1), Conv(residual=True)).eval()
    x = torch.randn(2, 2, 9)
    first, second = row.blocks
    assert torch.equal(row(x), second(first(x)))
    assert first.layers[0].weight.shape[:2] == (4, 2)
    assert second.layers[0].weight.shape[:2] == (4, 4)


def test_reaches_add_up_and_windows_have_a_common_multiple() -> None:
    row = build(
        Conv(kernel=(3, 5)),
        Spying((("period", (4, 6)),)),
        Spying((("period", (6, 4)), ("reach", (8, 5)))),
        ndim=2,
    )
    assert row.reach == (2 + 3 + 8, 4 + 5 + 5)
    assert row.period == (12, 12)
    assert not row.is_global


def test_one_that_looks_everywhere_makes_the_row_do() -> None:
    row = InTurn(Conv(), Spying((("is_global", True),)))
    assert Grid(1, row).make_block(2, 4).is_global
    assert not receptive_field(UNet([Grid(1), Grid(1, row)], 2, 2, [4, 4])).exact


def test_one_that_does_not_say_how_far_it_looks_is_named() -> None:
    with pytest.raises(TypeError, match="Spy does not say how far it looks"):
        receptive_field(UNet(Grid(1, InTurn(Conv(), Spying(()))), 2, 2, [4, 4]))


@pytest.mark.parametrize("ndim", [1, 2])
def test_tiles_of_a_row_are_those_of_the_whole(ndim: int) -> None:
    check_tiles(Grid(ndim, InTurn(Conv(convs=1), Conv(convs=1, residual=True, dropout=0.3))))


def test_the_first_reads_fields_that_are_not_copied_together() -> None:
    net = UNet(Grid(1, InTurn(Spying(), Conv())), 2, 2, [4, 4])
    net(torch.randn(1, 2, 8))
    assert isinstance(net.decoder[0].blocks[0].blocks[0].seen[0], LazyConcat)


def test_a_hook_on_the_first_sees_one_field() -> None:
    net, seen = UNet(Grid(1, InTurn(Conv(), Conv())), 2, 2, [4, 4]), []
    net.decoder[0].blocks[0].blocks[0].register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    net(torch.randn(1, 2, 8))
    assert isinstance(seen[0], Tensor)


def test_conditions_reach_all_that_read_them() -> None:
    row = InTurn(Conv(condition_channels=5), Spying())
    made = row.example_condition(0)
    assert made is not None
    assert made.embedding is not None
    assert made.embedding.shape == (1, 5)
    assert made.tokens is not None
    assert made.tokens.shape == (1, 2, 3)
    assert InTurn(Conv(), Conv()).example_condition(0) is None
    assert torch.equal(made.embedding, Conv(condition_channels=5).example_condition(0).embedding)
    check_conditions(Grid(1, InTurn(Conv(convs=1), Conv(convs=1, condition_channels=2))))


@pytest.mark.parametrize("kind", [UNet, NestedUNet])
@pytest.mark.parametrize("dropout", [(0.3, 0.0), (0.0, 0.3)], ids=str)
def test_samples_and_checkpointing_are_those_of_a_block(kind: type, dropout: tuple[float, float]) -> None:
    torch.manual_seed(0)
    first, second = dropout
    row = InTurn(Conv(convs=1, dropout=first), Conv(residual=True, dropout=second, condition_channels=2))
    grid = Grid(1, row)
    plain, recomputing = (kind(grid, 3, 2, [4, 6, 8], gradient_checkpointing=on) for on in (False, True))
    check_recomputation(plain, recomputing, grid, grid.example(3, 0), grid.example_condition(0))
    check_samples(plain, grid, grid.example(3, 0))


def test_checkpointing_recomputes_its_convolutions_one_at_a_time() -> None:
    row = build(Conv(), Spying(), Conv(convs=3))
    assert [type(stage).__name__ for stage in row.stages()] == ["Chain"] * 2 + ["Spy"] + ["Chain"] * 3
    x = torch.randn(1, 2, 9)
    y = x
    for stage in row.eval().stages():
        y = stage(y, None)
    assert torch.equal(y, row(x))


@pytest.mark.parametrize(
    ("blocks", "error", "reason"),
    [((), ValueError, r"InTurn\(\) has no block"), (("conv",), TypeError, "'conv' of InTurn is not a Block")],
)
def test_a_row_is_of_blocks(blocks: tuple[Any, ...], error: type[Exception], reason: str) -> None:
    with pytest.raises(error, match=reason):
        InTurn(*blocks)


def test_each_block_is_checked_against_the_grid() -> None:
    with pytest.raises(ValueError, match="must be odd"):
        Grid(1, InTurn(Conv(), Conv(kernel=2)))


def test_a_row_is_a_value() -> None:
    assert InTurn(Conv(), Conv(kernel=5)) == InTurn(Conv(), Conv(kernel=5)) != InTurn(Conv(), Conv())
    assert repr(InTurn(Conv())).startswith("InTurn(Conv(kernel=3")
    assert len({InTurn(Conv()), InTurn(Conv())}) == 1
