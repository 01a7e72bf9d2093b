from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from multiunet.geometries.graph.edges import Induced, TwoHop
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph
from multiunet.geometries.graph.select import SAG, TopK, Unpool, select_top

NO_EDGES = torch.zeros(2, 0, dtype=torch.int64)


def test_pooling_by_hand(path_graph: Callable[[Tensor], GraphField]) -> None:
    pool = TopK(edges=Induced()).build_down(2, 2)
    pool.score.p.data = torch.tensor([3.0, 4.0])  # of norm 5
    x = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [2.0, 1.0], [0.0, 0.0]])
    # scores 3/5, 4/5, -3/5, 10/5, 0: ceil(5 / 2) = 3 stay, nodes 3, 1 and 0, in their old order
    coarse = pool(path_graph(x))
    assert coarse.parent.tolist() == [0, 1, 3]
    gates = [math.tanh(0.6), math.tanh(0.8), math.tanh(2.0)]
    torch.testing.assert_close(coarse.x, x[[0, 1, 3]] * torch.tensor(gates)[:, None])
    assert sorted(map(tuple, coarse.edge_index.T.tolist())) == [(0, 1), (1, 0)]  # 0 - 1; node 3 lost its neighbours


def test_top_is_taken_of_each_graph_apart_and_ties_go_to_the_lower_index() -> None:
    score = torch.tensor([0.1, 0.2, 0.3, 9.0, 8.0, 5.0, 5.0, 5.0])
    batch = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2])
    assert select_top(score, batch, 3, 2).tolist() == [1, 2, 3, 5, 6]
    assert select_top(score, batch, 3, 1).tolist() == list(range(8))
    assert select_top(score, batch, 3, 100).tolist() == [2, 3, 5]


def test_pooling_agrees_with_torch_geometric() -> None:
    from torch_geometric.nn import TopKPooling

    geometry = Graph(pool=TopK(edges=Induced()))
    field = geometry.collate([geometry.example(4, seed) for seed in range(3)])
    peer = TopKPooling(4, ratio=0.5)
    ours = geometry.make_down(4, 4)
    ours.score.p.data = peer.select.weight.data[0].clone()
    x, edges, _, batch, kept, _ = peer(field.x, field.edge_index, batch=field.batch)
    order = kept.argsort()  # theirs are in the order of the scores
    coarse = ours(field)
    assert coarse.parent.tolist() == kept[order].tolist()
    torch.testing.assert_close(coarse.x, x[order])
    assert coarse.batch.tolist() == batch[order].tolist()
    place = torch.argsort(order)
    assert set(map(tuple, coarse.edge_index.T.tolist())) == set(map(tuple, place[edges].T.tolist()))


def test_attention_pooling_agrees_with_torch_geometric() -> None:
    from torch_geometric.nn import SAGPooling

    geometry = Graph(pool=SAG(edges=Induced()))
    field = geometry.collate([geometry.example(4, seed) for seed in range(3)])
    peer, ours = SAGPooling(4, ratio=0.5), geometry.make_down(4, 4)
    torch.nn.init.ones_(peer.select.weight)  # whose sign alone counts: it would turn the order around
    ours.score.own.weight.data = peer.gnn.lin_root.weight.data
    ours.score.own.bias.data = peer.gnn.lin_rel.bias.data
    ours.score.neighbours.weight.data = peer.gnn.lin_rel.weight.data
    x, _, _, batch, kept, _ = peer(field.x, field.edge_index, batch=field.batch)
    order = kept.argsort()
    coarse = ours(field)
    assert coarse.parent.tolist() == kept[order].tolist()
    torch.testing.assert_close(coarse.x, x[order])
    assert coarse.batch.tolist() == batch[order].tolist()


def test_a_fixed_number_of_nodes_and_a_sigmoid(path_graph: Callable[[Tensor], GraphField]) -> None:
    pool = TopK(nodes=2, gate="sigmoid", edges=Induced()).build_down(1, 2)
    pool.score.p.data = torch.tensor([2.0])
    fields = [path_graph(torch.tensor([[1.0], [3.0], [2.0], [-1.0]])), GraphField.of(torch.ones(1, 1), NO_EDGES)]
    coarse = pool(GraphField.union(fields))
    assert coarse.parent.tolist() == [1, 2, 4]
    scores = torch.tensor([3.0, 2.0, 1.0])
    torch.testing.assert_close(coarse.x[:, 0], scores * torch.sigmoid(scores))
    with pytest.raises(ValueError, match="nodes 0"):
        TopK(nodes=0).build_down(1, 2)


def test_unpooling_by_hand(path_graph: Callable[[Tensor], GraphField]) -> None:
    skip = path_graph(torch.ones(4, 2))
    coarse = GraphField.of(torch.tensor([[5.0, 6.0], [7.0, 8.0]]), NO_EDGES)
    coarse = replace(coarse, parent=torch.tensor([3, 1]))
    fine = Unpool(2, 2)(coarse, skip)
    assert fine.x.tolist() == [[0, 0], [7, 8], [0, 0], [5, 6]]
    assert fine.edge_index is skip.edge_index


def test_unpooling_maps_channels_as_if_afterwards(path_graph: Callable[[Tensor], GraphField]) -> None:
    up = Unpool(2, 3)
    skip, coarse = path_graph(torch.ones(4, 2)), path_graph(torch.randn(2, 2))
    coarse = replace(coarse, parent=torch.tensor([0, 2]))
    scattered = torch.zeros(4, 2).index_copy(0, coarse.parent, coarse.x)
    torch.testing.assert_close(up(coarse, skip).x, up.project(scattered))


def test_unpooling_needs_a_parent(path_graph: Callable[[Tensor], GraphField]) -> None:
    field = path_graph(torch.ones(4, 2))
    with pytest.raises(ValueError, match="no parent"):
        Unpool(2, 2)(field, field)
    with pytest.raises(ValueError, match="no parent"):
        Graph().sample(torch.arange(4), field, field)


def test_values_are_picked_at_the_kept_nodes() -> None:
    geometry = Graph()
    fine = geometry.example(3, 0)
    coarse = geometry.make_down(3, 3)(fine)
    labels = torch.arange(len(fine.x)) * 10
    assert geometry.sample(labels, fine, coarse).tolist() == (coarse.parent * 10).tolist()


def test_a_share_of_the_nodes_is_exact() -> None:
    for percent in range(1, 101):
        counts = torch.arange(1, 201)
        batch = torch.arange(200).repeat_interleave(counts)
        kept = select_top(torch.zeros(len(batch)), batch, 200, 1 / (percent / 100))
        expected = [math.ceil(Fraction(percent * count, 100)) for count in range(1, 201)]
        assert torch.bincount(batch[kept], minlength=200).tolist() == expected


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"gate": "relu"}, "gate 'relu' is none of tanh, sigmoid"),
        ({"nodes": 0}, "nodes 0 must be at least 1"),
        ({"edges": "two-hop"}, "edges 'two-hop' must be CoarseEdges"),
    ],
)
def test_wrong_settings_are_refused(settings: dict, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        TopK(**settings)


@pytest.mark.parametrize("stride", [0.5, 0, -1])
def test_pooling_cannot_add_nodes(stride: float) -> None:
    with pytest.raises(ValueError, match="stride"):
        Graph().make_down(3, 3, stride)


def test_two_hops_by_hand(path_graph: Callable[[Tensor], GraphField]) -> None:
    """0 - 1 - 2 - 3 - 4; kept 0, 2, 4: linked through 1 and through 3."""
    edges, weight = TwoHop()(path_graph(torch.zeros(5, 1)), torch.tensor([0, 2, 4]), torch.zeros(3))
    assert sorted(map(tuple, edges.T.tolist())) == [(0, 1), (1, 0), (1, 2), (2, 1)]
    # one path each; degrees 1, 2, 1: weight 1 / sqrt(1 * 2)
    torch.testing.assert_close(weight, torch.full((4,), 1 / math.sqrt(2)))
