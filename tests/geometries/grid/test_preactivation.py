"""Residual blocks with norms and activations before their convolutions, and the least parts of a grid."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from multiunet import Condition, Grid, UNet, receptive_field
from multiunet.geometries import Conv, InTurn, Keep, PlainConv, PreActivation, SpatialTransformer
from multiunet.testing.conditions import check_conditions
from multiunet.testing.conformance import check_recomputation
from multiunet.testing.helpers import train_a_little
from multiunet.testing.samples import check_samples
from multiunet.testing.tiles import check_tiles

EMBEDDING = torch.tensor([[0.5, -1.0], [2.0, 0.25]])


def stir(block: nn.Module) -> Any:
    generator = torch.Generator().manual_seed(0)
    for parameter in block.parameters():
        parameter.data.normal_(std=0.3, generator=generator)
    return block.eval()


@pytest.mark.parametrize("effect", ["scale", "shift"])
def test_the_block_is_the_papers(effect: Any) -> None:
    grid = Grid(1, PreActivation(condition_channels=2, effect=effect), normalization="layer", activation="silu")
    block, x = stir(grid.make_block(2, 4)), torch.randn(2, 2, 7)
    silu = nn.functional.silu
    linear = block.shift.linear if effect == "shift" else block.scale.modulation.linear
    told = linear(EMBEDDING)[:, :, None]
    y = block.convs[0](silu(block.norms[0](x)))
    y = block.norms[1](y + told) if effect == "shift" else block.norms[1](y) * (1 + told[:, :4]) + told[:, 4:]
    torch.testing.assert_close(block(x, Condition(EMBEDDING)), block.shortcut(x) + block.convs[1](silu(y)))


def test_a_new_block_adds_nothing() -> None:
    x = torch.randn(2, 4, 9)
    assert torch.equal(Grid(1, PreActivation(condition_channels=2)).make_block(4, 4)(x, Condition(EMBEDDING)), x)


@pytest.mark.parametrize(
    "block",
    [
        PreActivation(condition_channels=2, dropout=0.3),
        PreActivation(condition_channels=2, effect="shift", dropout=0.3),
        InTurn(PlainConv(), SpatialTransformer(token_channels=3, heads=2, dropout=0.3)),
    ],
    ids=repr,
)
def test_blocks_obey_the_laws(block: Any) -> None:
    grid = Grid(1, block, normalization="layer", activation="silu")
    check_tiles(grid)
    check_conditions(grid)
    plain, recomputing = (UNet(grid, 3, 2, [4, 6, 8], gradient_checkpointing=on) for on in (False, True))
    told = grid.example_condition(0)
    train_a_little(plain, grid, grid.example(3, 0), told)
    check_recomputation(plain, recomputing, grid, grid.example(3, 0), told)
    check_samples(plain, grid, grid.example(3, 0), told)


def test_without_padding_the_block_loses_sites() -> None:
    block = stir(Grid(2, PreActivation(kernel=(3, 5)), padding="valid", normalization="none").make_block(2, 2))
    assert block(torch.randn(1, 2, 9, 12)).shape == (1, 2, 5, 4)


def test_levels_of_stride_1_keep_the_field() -> None:
    still = Grid(2, Keep(), down=Keep(), up=Keep())
    net = UNet(
        [still, Grid(2), Grid(2)], 4, 2, [4, 4, 4], strides=[1, 2], decoder=[Grid(2, up=Keep()), Grid(2), Grid(2)]
    )
    x = torch.randn(1, 4, 7, 6)
    trail = net.eval().encode(x)
    assert torch.equal(trail.saved[0], x)
    assert trail.saved[1].shape[2:] == (7, 6)
    with pytest.raises(ValueError, match=r"Keep\(\) keeps the channels: 3 cannot become 4"):
        still.make_block(3, 4)
    with pytest.raises(ValueError, match=r"a stride of \(2, 2\) needs another part"):
        still.make_down(4, 4, 2)


def test_a_convolution_alone_looks_as_far_as_its_kernel() -> None:
    block = Grid(2, PlainConv(kernel=(1, 5))).make_block(3, 4)
    assert block.reach == (0, 2)
    assert torch.equal(block(x := torch.randn(1, 3, 4, 9)), block.conv(x))
    with pytest.raises(ValueError, match="must be odd"):
        Grid(2, PlainConv(kernel=2))


def test_a_head_that_looks_farther_is_counted() -> None:
    head = nn.Conv1d(4, 2, 5, padding=2)
    head.reach = (2,)  # type: ignore[assignment]
    net = UNet(Grid(1), 1, 2, [4, 4], head=head)
    plain = receptive_field(UNet(Grid(1), 1, 2, [4, 4])).radius[0]
    assert receptive_field(net).radius[0] == plain + 2
    assert net.head is head


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: PreActivation(effect="add"), "effect 'add' is none of scale, shift"),
        (lambda: Grid(1, PreActivation(kernel=2)), "must be odd"),
        (lambda: PreActivation(condition_channels=-1), "condition_channels -1 must be at least 0"),
        (lambda: SpatialTransformer(0), "token_channels 0 must be at least 1"),
        (lambda: Grid(1, groups=2), "groups 2 is a number of groups, at least 1, of normalization='group'"),
        (lambda: Grid(1, normalization="group", groups=3).make_norm(4), "4 channels are not a multiple of groups=3"),
    ],
)
def test_settings_that_do_not_fit_are_refused(make: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        make()


@pytest.mark.parametrize("effect", ["scale", "shift"])
def test_embeddings_that_do_not_fit_are_refused(effect: Any) -> None:
    block = Grid(1, PreActivation(condition_channels=3, effect=effect)).make_block(4, 4)
    with pytest.raises(ValueError, match="an embedding has 2 channels where the network takes 3"):
        block(torch.zeros(2, 4, 5), Condition(EMBEDDING))
    with pytest.raises(ValueError, match="2 embeddings are given for a batch of 3"):
        block(torch.zeros(3, 4, 5), Condition(EMBEDDING))


def test_the_number_of_groups_can_be_set() -> None:
    assert Grid(2, Conv(), normalization="group", groups=2).make_norm(16).num_groups == 2
    assert Grid(2, Conv(), normalization="group").make_norm(32).num_groups == 4
