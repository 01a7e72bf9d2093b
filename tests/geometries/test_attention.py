"""Attention to all sites and to tokens, on grids and on graphs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from multiunet import Condition, Geometry, Graph, GraphField, Grid, UNet, receptive_field
from multiunet.core import SiteAttention, TokenAttention
from multiunet.geometries import Attention, Conv, CrossAttention, InTurn
from multiunet.uncertainty.mc_dropout import mc_dropout_sample

ATTENTION = Attention(heads=2)
CROSS = CrossAttention(token_channels=5, heads=2)
TOKENS = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0))
MASK = torch.tensor([[True, True, False], [False, False, False]])


def stir(net: nn.Module) -> Any:
    """Set what attention gives, zero at first, as after training."""
    generator = torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, SiteAttention | TokenAttention):
            module.attention.out.weight.data.normal_(generator=generator)
            module.attention.out.bias.data.normal_(generator=generator)
    return net.eval()


def peer(module: Any, channels: int, context_channels: int | None = None) -> nn.MultiheadAttention:
    """Torch's own attention with the weights of a module."""
    ours = module.attention
    made = nn.MultiheadAttention(channels, 2, batch_first=True, kdim=context_channels, vdim=context_channels)
    with torch.no_grad():
        made.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key.bias, ours.value.bias]))
        if context_channels is None:
            made.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
        else:
            for name, layer in (("q", ours.query), ("k", ours.key), ("v", ours.value)):
                getattr(made, f"{name}_proj_weight").copy_(layer.weight)
    made.out_proj = ours.out
    return made.eval()


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_each_site_of_a_grid_reads_all_sites(ndim: int) -> None:
    block = stir(Grid(ndim, ATTENTION).make_block(4, 4))
    x = torch.randn(2, 4, *(5, 3, 2)[:ndim])
    sites = x.flatten(2).transpose(1, 2)
    read = nn.functional.layer_norm(sites, (4,))
    found, _ = peer(block, 4)(read, read, read)
    torch.testing.assert_close(block(x), x + found.transpose(1, 2).reshape(x.shape))


def test_each_node_reads_all_nodes_of_its_graph_and_no_other() -> None:
    graph = Graph(attention=ATTENTION)
    block = stir(graph.make_block(3, 4))
    plain = Graph().make_block(3, 4)
    plain.load_state_dict(block.state_dict(), strict=False)
    fields = [graph.example(3, seed) for seed in (0, 1)]
    for field, part in zip(fields, block(graph.collate(fields)).x.split([len(field.x) for field in fields])):
        x = plain(field).x
        read = nn.functional.layer_norm(x, (4,))[None]
        found, _ = peer(block.attention[0], 4)(read, read, read)
        torch.testing.assert_close(part, x + found[0])


def test_each_site_reads_the_tokens_that_are_there() -> None:
    block = stir(Grid(1, CROSS).make_block(4, 4))
    x = torch.randn(2, 4, 6)
    read = nn.functional.layer_norm(x.transpose(1, 2), (4,))[:1]
    tokens = TOKENS[:1, :2]
    found, _ = peer(block, 4, 5)(read, tokens, tokens)
    output = block(x, Condition(tokens=TOKENS, token_mask=MASK))
    torch.testing.assert_close(output[:1], x[:1] + found.transpose(1, 2))
    assert torch.equal(output[1], x[1])  # that has no token


@pytest.mark.parametrize(
    ("geometry", "plain"),
    [
        (Grid(2, InTurn(Conv(), ATTENTION, CROSS)), Grid(2, InTurn(Conv()))),
        (Graph(attention=ATTENTION, cross_attention=CROSS), Graph()),
    ],
    ids=["grid", "graph"],
)
def test_a_new_network_and_one_that_is_told_nothing_are_those_without_it(geometry: Geometry, plain: Geometry) -> None:
    net, without = (UNet(each, 3, 2, [4, 6, 8]).eval() for each in (geometry, plain))
    without.load_state_dict(net.state_dict(), strict=False)
    x = geometry.collate([geometry.example(3, seed) for seed in (0, 1)])
    told, expected = Condition(tokens=TOKENS), geometry.features(without(x))
    assert torch.equal(geometry.features(net(x, told)), expected)
    for module in stir(net).modules():  # what attends to sites stays at zero
        if isinstance(module, SiteAttention):
            nn.init.zeros_(module.attention.out.weight)
            nn.init.zeros_(module.attention.out.bias)
    silent = Condition(tokens=TOKENS, token_mask=torch.zeros(2, 3, dtype=torch.bool))
    for nothing in (None, silent, Condition(tokens=TOKENS[:, :0])):
        assert torch.equal(geometry.features(net(x, nothing)), expected)
    assert not torch.allclose(geometry.features(net(x, told)), expected, atol=1e-3)


def test_attention_at_the_bottom_makes_a_hybrid_whose_tiles_are_not_exact() -> None:
    bottom = Grid(2, InTurn(Conv(), ATTENTION))
    assert not receptive_field(UNet([Grid(2), Grid(2), bottom], 1, 2, [4, 4, 4])).exact
    told = Grid(2, InTurn(Conv(), CROSS))
    seen = receptive_field(UNet([Grid(2), Grid(2), told], 1, 2, [4, 4, 4]))
    assert seen == receptive_field(UNet(Grid(2), 1, 2, [4, 4, 4]))


def test_attention_on_the_coarsest_graph_is_heard_everywhere() -> None:
    net = UNet([Graph(), Graph(attention=ATTENTION)], 3, 2, [4, 4])
    assert [block.is_global for level in (net.encoder[0], net.bottleneck) for block in level.blocks] == [False, True]


def test_graphs_without_nodes_disturb_no_gradient() -> None:
    graph = Graph(attention=ATTENTION, cross_attention=CROSS)
    net = stir(graph.make_block(3, 4))
    none = GraphField.of(torch.zeros(0, 3), torch.zeros(2, 0, dtype=torch.int64))
    fields = [graph.example(3, 0), none, graph.example(3, 1)]
    told = Condition.join([Condition(tokens=TOKENS[:1, :count]) for count in (1, 2, 3)])
    net(graph.collate(fields), told).x.square().sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in net.parameters())


def test_a_sample_drops_whole_channels_of_what_is_added() -> None:
    block = stir(Grid(1, Attention(heads=2, dropout=0.5)).make_block(8, 8))
    x = torch.randn(2, 8, 5)
    added = block(x) - x
    with mc_dropout_sample(block, 0, 0):
        kept = (block(x) - x) / added
    by_channel = kept.round(decimals=3)
    assert torch.equal(by_channel, by_channel[:1, :, :1].expand(2, 8, 5))
    assert set(by_channel.unique().tolist()) == {0.0, 2.0}


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        (Condition(tokens=TOKENS[:, :, :4]), "tokens have 4 channels where the network takes 5"),
        (Condition(tokens=TOKENS[:1]), "tokens of 1 samples are given for a batch of 2; give each its own"),
        (Condition(TOKENS[:, 0], TOKENS), "the condition holds an embedding, which no block of the network reads"),
    ],
)
@pytest.mark.parametrize("geometry", [Grid(1, CROSS), Graph(cross_attention=CROSS)], ids=["grid", "graph"])
def test_tokens_that_do_not_fit_are_refused(geometry: Geometry, condition: Condition, reason: str) -> None:
    x = geometry.collate([geometry.example(3, seed) for seed in (0, 1)])
    with pytest.raises(ValueError, match=reason):
        UNet(geometry, 3, 2, [4, 4])(x, condition)


def test_tokens_that_nothing_reads_are_refused() -> None:
    net = UNet(Grid(1, InTurn(Conv(), ATTENTION)), 1, 2, [4, 4])
    with pytest.raises(ValueError, match="the condition holds tokens, which no block of the network reads"):
        net(torch.zeros(2, 1, 8), Condition(tokens=TOKENS))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Grid(1, Attention(heads=3)).make_block(4, 4), "4 channels cannot be shared out among 3 heads"),
        (lambda: Graph(attention=Attention(heads=3)).make_block(4, 4), "4 channels cannot be shared out"),
        (lambda: Attention(heads=0), "heads 0 must be at least 1"),
        (lambda: CrossAttention(0), "token_channels 0 must be at least 1"),
        (lambda: Attention(dropout=1.0).build(Grid(1).layers, 4, 4), "dropout probability 1.0 is outside"),
    ],
)
def test_settings_that_do_not_fit_are_refused(make: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        make()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize(
    "geometry", [Grid(2, InTurn(ATTENTION, CROSS)), Graph(attention=ATTENTION, cross_attention=CROSS)]
)
def test_attention_takes_the_networks_type(geometry: Geometry, dtype: torch.dtype) -> None:
    block = stir(geometry.make_block(3, 4).to(dtype))
    x = geometry.collate([geometry.example(3, seed) for seed in (0, 1)])
    output: Tensor = geometry.features(block(x.to(dtype), Condition(tokens=TOKENS)))
    assert output.dtype == dtype
    assert torch.isfinite(output).all()
