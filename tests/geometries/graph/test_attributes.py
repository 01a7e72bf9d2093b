from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GATv2Conv, GINEConv, NNConv, TransformerConv

from multiunet.core import UNet
from multiunet.geometries.graph.attributes import pool_edge_attr
from multiunet.geometries.graph.conv import GINE, Convolution
from multiunet.geometries.graph.edges import Induced, TwoHop
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph
from multiunet.geometries.graph.merge import HeavyEdgeMatching
from multiunet.geometries.graph.pooling import Pooling
from multiunet.geometries.graph.pyg_conv import GATv2, PyGConv
from multiunet.geometries.graph.select import TopK
from multiunet.geometries.graph.soft import MinCut

POOLS = [TopK(), TopK(edges=Induced()), HeavyEdgeMatching(), MinCut(clusters=3)]


def field_of(seed: int = 3, attributes: int = 2) -> GraphField:
    """Undirected, with weights and attributes of edges."""
    field = Graph().example(3, seed)
    g = torch.Generator().manual_seed(seed)
    edges = field.edge_index.shape[1]
    weight, attr = torch.rand(edges, generator=g) + 0.5, torch.randn(edges, attributes, generator=g)
    return replace(field, edge_weight=weight, edge_attr=attr)


def dense(edge_index: Tensor, values: Tensor, nodes: int) -> Tensor:
    """``(nodes, nodes)``, source by target."""
    return torch.zeros(nodes, nodes).index_put((edge_index[0], edge_index[1]), values, accumulate=True)


def test_the_mean_by_weight_by_hand() -> None:
    ends = torch.tensor([[0, 0, 1, -1, 2], [1, 1, 0, 1, 2]])
    weight = torch.tensor([1.0, 3.0, 2.0, 9.0, 1.0])
    attr = torch.tensor([[4.0], [8.0], [5.0], [100.0], [7.0]])
    wanted = torch.tensor([[1, 0, 2], [0, 1, 0]])
    assert pool_edge_attr(ends, weight, attr, wanted, 3).tolist() == [[5.0], [7.0], [0.0]]  # (4 + 3 * 8) / 4; none: 0


def test_selected_nodes_keep_the_attributes_of_their_edges_and_two_steps_have_none() -> None:
    field = field_of()
    nodes = len(field.x)
    for edges in (Induced(), TwoHop()):
        coarse = Graph(pool=TopK(edges=edges)).make_down(3, 3)(field)
        assert coarse.edge_attr is not None
        for column in range(2):
            fine = dense(field.edge_index, field.edge_attr[:, column], nodes)[coarse.parent][:, coarse.parent]
            of_coarse = dense(coarse.edge_index, coarse.edge_attr[:, column], len(coarse.x))
            torch.testing.assert_close(of_coarse, fine)


def test_merged_edges_have_the_mean_by_weight() -> None:
    field = field_of()
    coarse = Graph(pool=HeavyEdgeMatching()).make_down(3, 3)(field)
    assert coarse.cluster is not None
    into = nn.functional.one_hot(coarse.cluster, len(coarse.x)).float()
    mass = into.T @ dense(field.edge_index, field.edge_weight, len(field.x)) @ into
    for column in range(2):
        weighted = dense(field.edge_index, field.edge_weight * field.edge_attr[:, column], len(field.x))
        expected = (into.T @ weighted @ into / mass)[coarse.edge_index[0], coarse.edge_index[1]]
        torch.testing.assert_close(coarse.edge_attr[:, column], expected)


def test_soft_clusters_have_the_mean_by_weight_and_shares() -> None:
    field = field_of()
    coarse = Graph(pool=MinCut(clusters=3)).make_down(3, 3)(field)
    shares = coarse.shares
    mass = shares.T @ dense(field.edge_index, field.edge_weight, len(field.x)) @ shares
    for column in range(2):
        weighted = dense(field.edge_index, field.edge_weight * field.edge_attr[:, column], len(field.x))
        expected = (shares.T @ weighted @ shares / mass)[coarse.edge_index[0], coarse.edge_index[1]]
        torch.testing.assert_close(coarse.edge_attr[:, column], expected)


def test_gine_agrees_with_torch_geometric() -> None:
    field = replace(field_of(), edge_weight=None)  # their layer knows no weights
    ours = Graph(conv=GINE(2), activation="none").make_block(3, 5)
    mix = ours.convolutions[0]
    nn.init.normal_(mix.inner_bias)
    inner, outer = nn.Linear(5, 5), nn.Linear(5, 5)
    peer = GINEConv(nn.Sequential(inner, nn.ReLU(), outer), edge_dim=2, train_eps=True)  # which resets the two
    inner.weight.data, inner.bias.data = torch.eye(5), mix.inner_bias.data
    outer.weight.data, outer.bias.data = mix.outer.weight.data, mix.bias.data
    peer.lin.weight.data, peer.lin.bias.data = mix.of_edges.weight.data, torch.zeros(5)
    expected = peer(mix.neighbours(field.x), field.edge_index, field.edge_attr)
    torch.testing.assert_close(ours(field).x, expected)


def test_gine_weighs_what_neighbours_send_and_needs_no_attributes() -> None:
    field = field_of()
    block = Graph(conv=GINE(), activation="none").make_block(3, 4)
    mix = block.convolutions[0]
    sent = mix.neighbours(field.x)
    heard = dense(field.edge_index, field.edge_weight, len(field.x)).T @ sent.relu()
    expected = mix.outer((sent + heard + mix.inner_bias).relu()) + mix.bias
    torch.testing.assert_close(block(field).x, expected)
    torch.testing.assert_close(block(replace(field, edge_attr=None)).x, expected)


def test_layers_are_given_what_they_were_made_for() -> None:
    field = field_of()
    weight, attr = field.edge_weight[:, None], field.edge_attr
    both = torch.cat([weight, attr], dim=1)
    cases = [
        (lambda a, b: GATv2Conv(a, b, edge_dim=3), both),
        (lambda a, b: GATv2Conv(a, b, edge_dim=2), attr),
        (lambda a, b: TransformerConv(a, b, edge_dim=2), attr),
        (lambda a, b: GINEConv(nn.Linear(a, b), edge_dim=2), attr),
        (lambda a, b: NNConv(a, b, nn.Linear(2, a * b)), attr),
        (lambda a, b: GATv2Conv(a, b), None),
    ]
    for layer, expected in cases:
        block = Graph(conv=PyGConv(layer, edge_features=2), activation="none").make_block(3, 4)
        inputs = {} if expected is None else {"edge_attr": expected}
        peer = block.convolutions[0].layer
        torch.testing.assert_close(block(field).x, peer(field.x, field.edge_index, **inputs))


@pytest.mark.parametrize("conv", [GINE(2), GATv2(2)], ids=repr)
@pytest.mark.parametrize("pool", POOLS, ids=repr)
def test_attributes_count_at_every_level_and_receive_gradients(conv: Convolution, pool: Pooling) -> None:
    geometry = Graph(conv=conv, pool=pool, activation="elu")
    net = UNet(geometry, 3, 2, [4, 5, 6])
    field = field_of()
    field.edge_attr.requires_grad_()
    net(field).x.square().sum().backward()
    assert field.edge_attr.grad.abs().sum() > 0
    changed = net(replace(field, edge_attr=field.edge_attr.detach() + 1)).x
    assert not torch.allclose(changed, net(field).x)
    fields = [field_of(seed) for seed in range(4)]
    together = net(geometry.collate(fields)).x
    torch.testing.assert_close(together, torch.cat([net(one).x for one in fields]))


def test_attributes_that_are_missing_or_too_many_are_named() -> None:
    block = Graph(conv=GINE(3)).make_block(3, 4)
    with pytest.raises(ValueError, match="edges have 2 attributes, but the convolution reads 3"):
        block(field_of())
    with pytest.raises(ValueError, match="edges have 0 attributes, but the convolution reads 3"):
        block(replace(field_of(), edge_attr=None))


def test_a_union_has_the_attributes_of_all() -> None:
    one, other = field_of(0), field_of(1)
    lone = GraphField.of(torch.randn(2, 3), torch.zeros(2, 0, dtype=torch.int64))
    union = GraphField.union([one, lone, other])
    assert torch.equal(union.edge_attr, torch.cat([one.edge_attr, other.edge_attr]))
    assert union.to(torch.float64).edge_attr.dtype == torch.float64
    assert GraphField.union([lone, lone]).edge_attr is None
    with pytest.raises(ValueError, match=r"different numbers of attributes: \[0, 2\]"):
        GraphField.union([one, replace(other, edge_attr=None)])
    with pytest.raises(ValueError, match=r"different numbers of attributes: \[2, 3\]"):
        GraphField.union([one, field_of(1, attributes=3)])
    with pytest.raises(ValueError, match=r"edge_attr \(1, 2\) must be \(2, K\)"):
        GraphField.of(torch.zeros(2, 1), torch.tensor([[0, 1], [1, 0]]), edge_attr=torch.zeros(1, 2))


def test_attributes_come_from_torch_geometric() -> None:
    edges = torch.tensor([[0, 1], [1, 0]])
    data = [Data(x=torch.zeros(2, 1), edge_index=edges, edge_attr=torch.rand(2)) for _ in range(2)]
    taken = GraphField.from_torch_geometric(Batch.from_data_list(data))
    assert torch.equal(taken.edge_attr, torch.cat([one.edge_attr for one in data])[:, None])


@torch.no_grad()
@pytest.mark.parametrize("conv", [GATv2(2), GINE(2)], ids=repr)
def test_edges_looked_at_in_parts_give_the_same(conv: Convolution, monkeypatch: pytest.MonkeyPatch) -> None:
    field = field_of()
    edge_index = torch.cat([field.edge_index, torch.tensor([[2, 4], [2, 2]])], dim=1)  # a loop, an edge one way
    field = replace(
        field,
        edge_index=edge_index,
        edge_weight=torch.rand(edge_index.shape[1]) + 0.5,
        edge_attr=torch.randn(edge_index.shape[1], 2),
    )
    block = Graph(conv=conv).make_block(3, 5)
    whole, calls = block(field).x, []
    if isinstance(conv, GATv2):
        block.convolutions[0].layer.register_forward_hook(lambda *_: calls.append(1))
    else:
        block.convolutions[0].of_edges.register_forward_hook(lambda *_: calls.append(1))
    for entries in (20, 100, 400):  # from one node or a few edges at a time on
        for module in ("conv", "pyg_conv"):
            monkeypatch.setattr(f"multiunet.geometries.graph.{module}.ENTRIES", entries)
        calls.clear()
        torch.testing.assert_close(block(field).x, whole)
        assert len(calls) > 1 or entries == 400
