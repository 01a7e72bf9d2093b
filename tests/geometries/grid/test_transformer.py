"""Transformer blocks over all sites: DiT's and SegFormer's equations written out, and positions."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from multiunet import Condition, Grid, UNet, receptive_field
from multiunet.core import Modulation, MultiheadAttention
from multiunet.geometries import Block, InTurn, Relative, Rotary, SegFormer, Transformer
from multiunet.testing import check_geometry

EMBEDDING = torch.tensor([[0.5, -1.0, 2.0], [1.0, 0.0, -0.5]])


def attend(attention: MultiheadAttention, x: Tensor, read: Tensor, bias: Tensor | float = 0.0) -> Tensor:
    """Softmax attention of rows ``(N, L, C)``, head by head."""
    query, key, value = attention.query(x), attention.key(read), attention.value(read)
    heads = []
    for q, k, v in zip(*(part.chunk(attention.heads, dim=2) for part in (query, key, value))):
        heads.append(((q @ k.transpose(1, 2)) / q.shape[2] ** 0.5 + bias).softmax(2) @ v)
    return attention.out(torch.cat(heads, dim=2))


@torch.no_grad()
def test_it_is_dits_block_with_an_embedding() -> None:
    """Peebles & Xie 2023, figure 3 (adaLN-Zero): shift, scale and gate of both branches, in this order."""
    block = Grid(2, Transformer(heads=2, condition_channels=3)).make_block(4, 4)
    x, condition = torch.randn(2, 4, 3, 5), Condition(EMBEDDING)
    assert torch.equal(block(x, condition), x)  # the identity at first
    for module in block.modules():
        if isinstance(module, Modulation):
            nn.init.normal_(module.linear.weight)
    told = block.modulation.linear(EMBEDDING)[:, None, :].chunk(6, dim=2)
    rows = x.flatten(2).transpose(1, 2)
    for (shift, scale, gate), layer in zip((told[:3], told[3:]), block.branches):
        y = functional.layer_norm(rows, (4,)) * (1 + scale) + shift
        rows = rows + gate * (layer(y) if isinstance(layer, nn.Sequential) else attend(layer.attention, y, y))
    torch.testing.assert_close(block(x, condition), rows.transpose(1, 2).reshape(x.shape))


@torch.no_grad()
def test_it_is_segformers_block() -> None:
    """Xie et al. 2021, eq. 2 and 3: keys and values of strided windows; 3x3 depthwise between the two layers."""
    block = Grid(2, SegFormer(heads=2, reduction=2)).make_block(4, 4)
    x = torch.randn(2, 4, 6, 8)
    mix, feed = block.branches
    rows = x.flatten(2).transpose(1, 2)
    y = functional.layer_norm(rows, (4,)).transpose(1, 2).reshape(x.shape)
    coarse = functional.conv2d(y, mix.reduce.weight, mix.reduce.bias, stride=2).flatten(2).transpose(1, 2)
    read = functional.layer_norm(coarse, (4,))
    rows = rows + attend(mix.attention, y.flatten(2).transpose(1, 2), read)
    inner = feed.first(functional.layer_norm(rows, (4,))).transpose(1, 2).reshape(2, 16, 6, 8)
    inner = functional.conv2d(inner, feed.mix.weight, feed.mix.bias, padding=1, groups=16)
    rows = rows + feed.last(functional.gelu(inner).flatten(2).transpose(1, 2))
    torch.testing.assert_close(block(x), rows.transpose(1, 2).reshape(x.shape))
    assert Grid(1, SegFormer(2, reduction=1)).make_block(4, 4).branches[0].reduce is None


@pytest.mark.parametrize(
    "grid",
    [
        Grid(1, Transformer(heads=2, positions=Rotary(), dropout=0.2, condition_channels=2)),
        Grid(2, InTurn(SegFormer(heads=1, reduction=(1, 3), condition_channels=2), Transformer(1, Relative(4)))),
    ],
    ids=repr,
)
def test_they_obey_the_laws(grid: Grid) -> None:
    check_geometry(grid)


@pytest.mark.parametrize("block", [Transformer(2), SegFormer(2)], ids=repr)
def test_they_look_everywhere_and_say_so(block: Transformer | SegFormer) -> None:
    net = UNet(Grid(1, block), 1, 2, [4, 6]).eval()
    assert not receptive_field(net).exact
    x = torch.randn(1, 1, 64, requires_grad=True)
    net(x)[0, 0, 0].backward()
    assert x.grad is not None
    assert x.grad[0, 0, -1].abs() > 0


@torch.no_grad()
@pytest.mark.parametrize("space", [(7,), (3, 4), (2, 3, 3)], ids=str)
def test_rotary_scores_depend_on_distances_alone(space: tuple[int, ...]) -> None:
    """Su et al. 2021, eq. 16: with one query and one key everywhere, a score is a function of how far apart two are."""
    turn = Rotary(longest=100).build(len(space), 24, 2)(space)["turn"]
    sites = list(itertools.product(*map(range, space)))
    query, key = (torch.randn(12).expand(1, 1, len(sites), 12) for _ in range(2))
    scores = (turn(query) @ turn(key).transpose(2, 3))[0, 0]
    torch.testing.assert_close(scores.diagonal(), (query[0, 0, 0] @ key[0, 0, 0]).expand(len(sites)))
    seen: dict[tuple[int, ...], Tensor] = {}
    for (i, one), (j, other) in itertools.product(enumerate(sites), repeat=2):
        offset = tuple(a - b for a, b in zip(one, other))
        torch.testing.assert_close(scores[i, j], seen.setdefault(offset, scores[i, j]), atol=1e-4, rtol=1e-4)
    assert torch.stack(list(seen.values())).std() > 0.01


@torch.no_grad()
def test_rotary_turns_pairs_by_hand() -> None:
    """Two channels of a head are one pair, of frequency 1: a plane turned by as many radians as sites."""
    turn = Rotary().build(1, 2, 1)((3,))["turn"]
    found = turn(torch.tensor([1.0, 0.0]).expand(1, 1, 3, 2))[0, 0]
    places = torch.arange(3.0)
    torch.testing.assert_close(found, torch.stack([places.cos(), places.sin()], dim=1))


@torch.no_grad()
def test_relative_scores_are_of_the_widths_that_hold_the_distance() -> None:
    """Widths 1, 2 and 4: below them lie distances 0; 0 and 1; 0 to 3; with a sign for the side."""
    module = Relative(widths=3).build(2, 8, 2)
    nn.init.normal_(module.scores)
    bias = module((2, 6))["bias"]
    assert bias.shape == (2, 12, 12)
    sites = list(itertools.product(range(2), range(6)))
    for (i, one), (j, other) in itertools.product(enumerate(sites), repeat=2):
        expected = torch.zeros(2)
        for scores, a, b in zip(module.scores, one, other):
            far = b - a
            side = (far > 0) - (far < 0)
            expected += sum((scores[w] + side * scores[3 + w]) * (abs(far) < 2**w) for w in range(3))
        torch.testing.assert_close(bias[:, i, j], expected)


@pytest.mark.parametrize("space", [(1,), (7, 5), (5, 1, 6)], ids=str)
@pytest.mark.parametrize("block", [SegFormer(2, reduction=3), Transformer(1, Rotary())], ids=repr)
def test_any_size(block: Block, space: tuple[int, ...]) -> None:
    built = Grid(len(space), block).make_block(3, 8)
    assert built(torch.randn(2, 3, *space)).shape == (2, 8, *space)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="rotary positions on 3 axes need 6 channels a head or more"):
        Grid(3, Transformer(heads=2, positions=Rotary())).make_block(8, 8)
    with pytest.raises(ValueError, match="10 channels cannot be shared out among 4 heads"):
        Grid(1, SegFormer()).make_block(4, 10)
    with pytest.raises(ValueError, match="reduction \\(2, 2\\) needs 1"):
        Grid(1, SegFormer(reduction=(2, 2)))
    with pytest.raises(ValueError, match="widths 0 must be at least 1"):
        Relative(0)
