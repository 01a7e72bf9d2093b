from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch_geometric.nn import GraphConv

from multiunet.core import Add, UNet
from multiunet.geometries.graph.conv import GCN, GIN, GINE, SAGE, Convolution
from multiunet.geometries.graph.dropout import FeatureDropout
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph
from multiunet.geometries.graph.merge import HeavyEdgeMatching
from multiunet.geometries.graph.pooling import Pooling
from multiunet.geometries.graph.pyg_conv import GATv2, PyGConv
from multiunet.geometries.graph.select import TopK
from multiunet.geometries.graph.soft import MinCut
from multiunet.models.graph_unet import GraphUNet
from multiunet.uncertainty import mc_dropout_sample

NO_EDGES = torch.zeros(2, 0, dtype=torch.int64)


def dense(edge_index: Tensor, weight: Tensor, nodes: int) -> Tensor:
    """Rows are targets, columns are sources."""
    matrix = torch.zeros(nodes, nodes, dtype=weight.dtype)
    return matrix.index_put((edge_index[1], edge_index[0]), weight, accumulate=True)


def test_sage_is_its_formula(path_graph: Callable[[Tensor], GraphField]) -> None:
    field = path_graph(torch.randn(4, 3))
    block = Graph(conv=SAGE()).make_block(3, 5)
    convolution = block.convolutions[0]
    x = field.x
    mean = torch.stack([x[1], (x[0] + x[2]) / 2, (x[1] + x[3]) / 2, x[2]])
    expected = torch.relu(x @ convolution.own.weight.T + mean @ convolution.neighbours.weight.T + convolution.bias)
    torch.testing.assert_close(block(field).x, expected)


def test_hops_are_personalised_propagation(path_graph: Callable[[Tensor], GraphField]) -> None:
    field = path_graph(torch.randn(5, 3))
    block = Graph(conv=GCN(hops=3, teleport=0.2)).make_block(3, 4)
    a = dense(field.edge_index, field.weights(), 5) + torch.eye(5)
    a = a.sum(dim=1).rsqrt().diag() @ a @ a.sum(dim=1).rsqrt().diag()
    start = field.x @ block.convolutions[0].neighbours.weight.T
    x = start
    for _ in range(3):
        x = 0.8 * a @ x + 0.2 * start
    torch.testing.assert_close(block(field).x, torch.relu(x))


def test_residual_block_adds_its_input(path_graph: Callable[[Tensor], GraphField]) -> None:
    field = path_graph(torch.randn(5, 3))
    block = Graph(residual=True).make_block(3, 3)
    torch.testing.assert_close(block(field).x, block.convolutions[0](field).x.relu() + field.x)


@pytest.mark.parametrize("conv", [GCN(), SAGE()], ids=repr)
@pytest.mark.parametrize("residual", [False, True])
def test_sparse_features_give_the_same_as_dense(conv: Convolution, residual: bool) -> None:
    geometry = Graph(conv=conv, residual=residual)
    field = geometry.example(6, 0)
    field = replace(field, x=field.x * (torch.rand_like(field.x) < 0.3))
    net = UNet(geometry, 6, 2, [5, 4], skip=Add)
    gradients = []
    for x in (field.x, field.x.to_sparse()):
        net.zero_grad()
        output = net(replace(field, x=x)).x
        output.square().sum().backward()
        gradients.append([output, *(p.grad.clone() for p in net.parameters())])
    for one, other in zip(*gradients):
        torch.testing.assert_close(one, other)


def test_dropout_of_sparse_features_is_that_of_what_they_hold() -> None:
    x = (torch.rand(200, 100) < 0.1).float()
    dropout = FeatureDropout(0.25)
    field = GraphField.of(x.to_sparse(), NO_EDGES)
    dropped = dropout(field).x.to_dense()
    torch.testing.assert_close(dropped.unique(), torch.tensor([0.0, 1 / 0.75]))
    assert (dropped[x == 0] == 0).all()
    assert float((dropped > 0).sum() / x.sum()) == pytest.approx(0.75, abs=0.05)
    assert torch.equal(dropout.eval()(field).x.to_dense(), x)


def test_dropout_of_whole_channels_keeps_sparse_features_sparse() -> None:
    geometry = Graph()
    field = geometry.collate([geometry.example(6, seed) for seed in range(3)])
    dropout = FeatureDropout(0.5, whole_channels=True)
    dropout.dropout.key = 1
    found = dropout(replace(field, x=field.x.to_sparse())).x
    assert found.is_sparse
    torch.testing.assert_close(found.to_dense(), dropout(field).x)


def test_dropped_nodes_and_edges_send_nothing(path_graph: Callable[[Tensor], GraphField]) -> None:
    field = path_graph(torch.ones(400, 1))
    by_node = Graph(node_dropout=0.5).make_block(1, 1).convolutions[0]
    matrix = by_node.neighbours.weight.item()
    inner = by_node(field).x[2:-2, 0] / matrix
    # of three nodes in a row any may be silent; each speaks with weight 1/3, doubled
    torch.testing.assert_close(
        inner.detach().unique().round(decimals=4).unique(), torch.arange(4) * 2 / 3, atol=1e-3, rtol=0
    )
    by_edge = Graph(edge_dropout=0.999).make_block(1, 1).convolutions[0]
    alone = by_edge(field).x[:, 0] / by_edge.neighbours.weight.item()
    assert (alone - 1).abs().lt(1e-5).float().mean() > 0.95  # nearly all hear themselves alone
    torch.testing.assert_close(by_node.eval()(field).x[2:-2], torch.full((396, 1), matrix))


@torch.no_grad()
@pytest.mark.parametrize("conv", [GCN(), GATv2()], ids=repr)
@pytest.mark.parametrize(
    "pool", [TopK(), HeavyEdgeMatching(), MinCut(clusters=3)], ids=lambda pool: type(pool).__name__
)
@pytest.mark.parametrize("dropped", ["edge_dropout", "node_dropout", "dropout", "input_dropout"])
def test_a_sample_drops_the_same_of_a_graph_in_any_batch(conv: Convolution, pool: Pooling, dropped: str) -> None:
    inputs = 0.5 if dropped == "input_dropout" else 0.0
    graph = Graph(conv=conv, pool=pool, whole_channels=True, **({} if inputs else {dropped: 0.5}))
    net = GraphUNet(graph, 3, 2, [8, 8, 8], input_dropout=inputs).eval()
    fields = [graph.example(3, seed) for seed in range(4)]
    with mc_dropout_sample(net, seed=0, sample=0):
        together = net(graph.collate(fields)).x.split([len(field.x) for field in fields])
        for field, found in zip(fields, together):
            # sums run in another order in a batch, and attention sharpens the difference
            torch.testing.assert_close(net(field).x, found, rtol=1e-3, atol=1e-4)
    plain = net(fields[0]).x
    assert not torch.allclose(plain, together[0], rtol=1e-3, atol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize(
    ("conv", "hops"),
    [(GCN(), 2), (GCN(hops=3), 6), (SAGE(), 2), (GIN(), 2), (GINE(), 2), (GATv2(), 2)],
    ids=repr,
)
def test_a_node_hears_all_within_reach_and_no_other(
    path_graph: Callable[[Tensor], GraphField], conv: Convolution, hops: int
) -> None:
    field = path_graph(torch.randn(12, 3))
    block = (
        Graph(conv=conv, convs=2, activation="elu", normalization="layer").make_block(3, 32).eval()
    )  # some of 32 pass every relu
    assert (block.reach, block.is_global) == (hops, False)
    changed = replace(field, x=field.x.index_fill(0, torch.tensor([0]), 5.0))
    heard = (block(changed).x != block(field).x).any(dim=1)
    assert heard.nonzero()[:, 0].tolist() == list(range(hops + 1))


def test_the_reach_of_a_foreign_layer_is_not_known_unless_it_is_stated() -> None:
    unknown = Graph(conv=PyGConv(GraphConv)).make_block(3, 5)
    assert (unknown.reach, unknown.is_global) == (None, True)
    assert Graph(conv=PyGConv(GraphConv, reach=1), convs=2).make_block(3, 5).reach == 2
