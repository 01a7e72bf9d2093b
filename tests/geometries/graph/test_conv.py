from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn
from torch_geometric.nn import GATConv, GATv2Conv, GCNConv, GINConv, GraphConv, SAGEConv, TransformerConv

from multiunet.core import UNet
from multiunet.geometries.graph.conv import GCN, GIN, GINE, SAGE, Convolution
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph
from multiunet.geometries.graph.pyg_conv import GATv2, PyGConv
from multiunet.uncertainty import dropouts, mc_dropout_sample

GEOMETRY = Graph()
CONVOLUTIONS = [GCN(), SAGE(), GIN(), GINE(), GATv2()]


def field_of(seed: int = 3) -> GraphField:
    """Undirected, weighted, with a node without edges and one that has a loop already."""
    field = GEOMETRY.example(3, seed)
    edge_index = torch.cat([field.edge_index, torch.tensor([[2], [2]])], dim=1)
    weight = torch.rand(edge_index.shape[1], generator=torch.Generator().manual_seed(seed)) + 0.5
    return replace(field, edge_index=edge_index, edge_weight=weight)


@pytest.mark.parametrize("improved", [False, True])
def test_gcn_agrees_with_torch_geometric(improved: bool) -> None:
    peer, field = GCNConv(3, 5, improved=improved), field_of()
    ours = Graph(conv=GCN(loop_weight=2.0 if improved else 1.0), activation="none").make_block(3, 5)
    ours.convolutions[0].neighbours.weight.data = peer.lin.weight.data
    torch.testing.assert_close(ours(field).x, peer(field.x, field.edge_index, field.edge_weight))


def test_sage_and_gin_agree_with_torch_geometric() -> None:
    field = replace(field_of(), edge_weight=None)  # their layers know no weights
    sage, gin = (Graph(conv=conv, activation="none").make_block(3, 5) for conv in (SAGE(), GIN()))
    mixes = sage.convolutions[0], gin.convolutions[0]
    peer = SAGEConv(3, 5, bias=False)
    mixes[0].neighbours.weight.data, mixes[0].own.weight.data = peer.lin_l.weight.data, peer.lin_r.weight.data
    torch.testing.assert_close(sage(field).x, peer(field.x, field.edge_index))
    inner, outer = nn.Linear(3, 5), nn.Linear(5, 5)
    peer = GINConv(nn.Sequential(inner, nn.ReLU(), outer), train_eps=True, eps=0.3)
    mixes[1].neighbours.weight.data, mixes[1].outer.weight.data = inner.weight.data, outer.weight.data
    mixes[1].inner_bias.data, mixes[1].bias.data = inner.bias.data, outer.bias.data
    mixes[1].epsilon.data = torch.tensor(0.3)
    torch.testing.assert_close(gin(field).x, peer(field.x, field.edge_index))


@pytest.mark.parametrize(
    ("layer", "takes_weight"),
    [
        *((GCNConv, True), (GraphConv, True), (SAGEConv, False), (partial(GATv2Conv, heads=2, concat=False), False)),
        (partial(TransformerConv, edge_dim=1), True),
    ],
)
def test_a_class_is_its_layer(layer: Callable[[int, int], nn.Module], takes_weight: bool) -> None:
    block = Graph(conv=PyGConv(layer), activation="none").make_block(3, 5)
    peer, field = block.convolutions[0].layer, field_of()
    weight = {"edge_weight": field.edge_weight} if "partial" not in repr(layer) else {"edge_attr": field.edge_weight}
    if "edge_attr" in weight:
        weight["edge_attr"] = field.edge_weight[:, None]
    expected = peer(field.x, field.edge_index, **(weight if takes_weight else {}))
    torch.testing.assert_close(block(field).x, expected)
    changed = block(replace(field, edge_weight=field.edge_weight.flip(0))).x
    assert torch.equal(changed, block(field).x) != takes_weight


@pytest.mark.parametrize("conv", [*CONVOLUTIONS, PyGConv(GraphConv)], ids=repr)
def test_without_edges_nodes_hear_themselves(conv: Convolution) -> None:
    block = Graph(conv=conv).make_block(3, 4)
    field = GraphField.of(torch.randn(5, 3), torch.zeros(2, 0, dtype=torch.int64))
    together = block(field).x
    assert torch.isfinite(together).all()
    for node in range(5):
        alone = GraphField.of(field.x[node : node + 1], field.edge_index)
        torch.testing.assert_close(block(alone).x, together[node : node + 1])


def test_a_layer_loses_the_edges_that_are_dropped() -> None:
    block = Graph(conv=PyGConv(GraphConv), edge_dropout=0.5, node_dropout=0.3, activation="none").make_block(3, 4)
    field = field_of()
    seen = []
    block.convolutions[0].layer.register_forward_pre_hook(lambda _, given: seen.append(given[1]))
    block(field)
    block.eval()
    with mc_dropout_sample(block, seed=0, sample=0):
        first, again = block(field).x, block(field).x
    whole = block(field).x
    assert len(dropouts(block)) == 2
    assert torch.equal(first, again)
    assert not torch.equal(first, whole)
    counts = [edges.shape[1] for edges in seen]
    assert counts[0] < counts[3] == field.edge_index.shape[1]
    assert counts[1] == counts[2] < counts[3]


@pytest.mark.parametrize("conv", CONVOLUTIONS, ids=repr)
def test_half_precision_is_finite_at_depth_ten(conv: Convolution) -> None:
    edges = torch.randint(0, 1500, (2, 4000))
    field = GraphField.of(torch.randn(1500, 4), torch.cat([edges, edges.flip(0)], dim=1))
    net = UNet(Graph(conv=conv, normalization="layer"), 4, 2, [4] * 11)
    with torch.autocast("cpu", torch.bfloat16):
        output = net(field).x
    output.float().square().sum().backward()
    assert torch.isfinite(output).all()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


def test_what_makes_no_layers_is_refused() -> None:
    for conv in ("gcn", GCNConv):
        with pytest.raises(ValueError, match=r"conv .* must be a Convolution, e.g. GCN\(\).*PyGConv"):
            Graph(conv=conv)  # type: ignore[arg-type]


def test_a_layer_of_too_many_channels_is_named() -> None:
    geometry = Graph(conv=PyGConv(lambda a, b: GATConv(a, b, heads=4)))
    with pytest.raises(ValueError, match=r"GATConv gives 20 channels where 5 are to come out.*concat=False"):
        geometry.make_block(3, 5)(geometry.example(3, 0))
