from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from multiunet.core import UNet
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph
from multiunet.geometries.graph.merge import (
    Contraction,
    HeavyEdgeMatching,
    Merging,
    Unmerge,
    match_greedily,
    sum_parallel,
)

NO_EDGES = torch.zeros(2, 0, dtype=torch.int64)


def greedily(pairs: Tensor, key: Tensor) -> set[int]:
    """One after the other, the highest first."""
    used: set[int] = set()
    taken = set()
    for index in torch.argsort(key, descending=True).tolist():
        ends = set(pairs[:, index].tolist())
        if not ends & used:
            used |= ends
            taken.add(index)
    return taken


def test_matching_is_the_greedy_one() -> None:
    for seed in range(20):
        g = torch.Generator().manual_seed(seed)
        pairs = torch.triu_indices(12, 12, 1)[:, torch.randperm(66, generator=g)[:30]]
        key = torch.rand(30, generator=g)
        assert set(match_greedily(pairs, [key], 12).tolist()) == greedily(pairs, key)


def test_less_important_keys_settle_ties() -> None:
    pairs = torch.tensor([[0, 1], [1, 2]])
    for second, winner in ((torch.tensor([1, 2]), 1), (torch.tensor([2, 1]), 0)):
        assert match_greedily(pairs, [torch.ones(2), second], 3).tolist() == [winner]
    assert match_greedily(NO_EDGES, [torch.zeros(0)], 3).tolist() == []


def test_a_row_of_equal_nodes_is_matched_in_few_rounds(
    undirected: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds, zeros = 0, torch.zeros

    def counting(*size: object, **how: object) -> Tensor:
        nonlocal rounds
        rounds += how.get("dtype") is torch.bool
        return zeros(*size, **how)  # type: ignore[call-overload]

    field = GraphField.of(torch.ones(4000, 1), undirected(*[(i, i + 1) for i in range(3999)]))
    monkeypatch.setattr(torch, "zeros", counting)
    coarse = HeavyEdgeMatching().build_down(1, 2)(field)
    assert 1 < rounds < 20
    assert 2000 <= len(coarse.x) < 2400


@pytest.mark.parametrize(("by", "expected"), [("weight", [0, 1, 1, 2]), ("cut", [0, 0, 1, 1])])
def test_matching_by_hand(undirected: Callable[..., Tensor], by: str, expected: list[int]) -> None:
    """0 -3- 1 -4- 2 -3- 3: by weight the middle; by cut 3 (1/3 + 1/7) = 1.43 at the ends, 4 (2/7) = 1.14 inside."""
    field = GraphField.of(
        torch.arange(8.0).reshape(4, 2), undirected((0, 1), (1, 2), (2, 3)), torch.tensor([3.0, 4, 3, 3, 4, 3])
    )
    coarse = HeavyEdgeMatching(by=by).build_down(2, 2)(field)
    assert coarse.cluster.tolist() == expected
    assert coarse.parent.tolist() == [expected.index(c) for c in range(max(expected) + 1)]
    mean = torch.stack([field.x[torch.tensor(expected) == c].mean(dim=0) for c in range(max(expected) + 1)])
    torch.testing.assert_close(coarse.x, mean)
    weight = {tuple(ends): float(w) for ends, w in zip(coarse.edge_index.T.tolist(), coarse.edge_weight)}
    inside = {(0, 1): 4.0, (1, 0): 4.0} if by == "cut" else {(0, 1): 3.0, (1, 0): 3.0, (1, 2): 3.0, (2, 1): 3.0}
    # undirected edges are sum_parallel once in each direction
    assert weight == inside


@pytest.mark.parametrize("reduce", ["sum", "mean", "max"])
def test_features_of_a_pair(undirected: Callable[..., Tensor], reduce: str) -> None:
    field = GraphField.of(torch.tensor([[1.0, -4], [3, -2], [7, 7]]), undirected((0, 1)))
    coarse = HeavyEdgeMatching(reduce=reduce).build_down(2, 2)(field)
    pair = {"sum": [4, -6], "mean": [2, -3], "max": [3, -2]}[reduce]
    assert coarse.x.tolist() == [pair, [7, 7]]
    assert Unmerge(2, 2)(coarse, field).x.tolist() == [pair, pair, [7, 7]]


def test_edges_between_two_pairs_are_summed() -> None:
    ends = torch.tensor([[0, 0, 1, 1, 0], [1, 1, 0, 1, 0]])
    found, weight = sum_parallel(ends, torch.tensor([1.0, 2, 4, 8, 16]), 2)
    assert found.tolist() == [[0, 1], [1, 0]]
    assert weight.tolist() == [3, 4]


def test_merging_twice_is_stride_four(undirected: Callable[..., Tensor]) -> None:
    field = GraphField.of(torch.randn(16, 3), undirected(*[(i, (i + 1) % 16) for i in range(16)]))
    once, pool = HeavyEdgeMatching().build_down(3, 2), HeavyEdgeMatching().build_down(3, 4)
    middle = once(field)
    twice, coarse = once(middle), pool(field)
    assert coarse.cluster.tolist() == twice.cluster[middle.cluster].tolist()
    assert coarse.parent.tolist() == middle.parent[twice.parent].tolist()
    torch.testing.assert_close(coarse.x, twice.x)
    assert len(coarse.x) < len(middle.x) < 16


def test_contraction_agrees_with_torch_geometric() -> None:
    from torch_geometric.nn import EdgePooling

    peer = EdgePooling(4, edge_score_method=EdgePooling.compute_edge_score_sigmoid, add_to_edge_score=0.5)
    pool = Contraction().build_down(4, 2)
    ours = pool.pairings[0]
    ours.source.weight.data, ours.target.weight.data = peer.lin.weight.data.split(4, dim=1)
    ours.source.bias.data = peer.lin.bias.data
    geometry = Graph()
    field = geometry.collate([geometry.example(4, seed) for seed in range(4)])
    x, edges, batch, info = peer(field.x, field.edge_index, field.batch)
    coarse = pool(field)
    # theirs numbers the pairs in the order of their scores
    place = {int(theirs): int(our) for theirs, our in zip(info.cluster, coarse.cluster)}
    assert [place[int(c)] for c in info.cluster] == coarse.cluster.tolist()
    order = torch.tensor([place[node] for node in range(len(x))])
    torch.testing.assert_close(coarse.x[order], x)
    assert coarse.batch[order].tolist() == batch.tolist()
    without_loops = order[edges[:, edges[0] != edges[1]]]  # theirs keeps the edge within a pair
    assert set(map(tuple, coarse.edge_index.T.tolist())) == set(map(tuple, without_loops.T.tolist()))


@pytest.mark.parametrize(
    "pool", [HeavyEdgeMatching(), HeavyEdgeMatching(by="weight", reduce="max"), Contraction()], ids=repr
)
def test_relabelling_nodes_relabels_the_output(pool: Merging) -> None:
    net = UNet(Graph(pool=pool), 3, 2, [6, 8, 8]).double().eval()
    field = Graph().example(3, 7)
    field = replace(field, x=field.x.double())
    order = torch.randperm(len(field.x))
    moved = replace(field, x=field.x[order], edge_index=torch.argsort(order)[field.edge_index])
    torch.testing.assert_close(net(moved).x, net(field).x[order])


@pytest.mark.parametrize("pool", [HeavyEdgeMatching(), Contraction(reduce="mean")], ids=repr)
def test_nodes_without_edges_stay(pool: Merging) -> None:
    for nodes in (0, 1, 3):
        field = GraphField.of(torch.randn(nodes, 2), NO_EDGES)
        coarse = pool.build_down(2, 2)(field)
        assert len(coarse.x) == nodes
        torch.testing.assert_close(pool.build_up(2, 2)(coarse, field).x, field.x)


@pytest.mark.parametrize("stride", [1, 3, 0.5, 2.5])
def test_pairs_merge_by_powers_of_two(stride: float) -> None:
    with pytest.raises(ValueError, match="must be 2, 4, 8"):
        Graph(pool=HeavyEdgeMatching()).make_down(3, 3, stride)


def test_the_way_back_needs_clusters() -> None:
    field = Graph().example(2, 0)
    with pytest.raises(ValueError, match="no clusters"):
        Unmerge(2, 2)(Graph().make_down(2, 2)(field), field)


@pytest.mark.parametrize("kind", [HeavyEdgeMatching, Contraction])
def test_wrong_settings_are_refused(kind: type) -> None:
    with pytest.raises(ValueError, match="reduce 'average' is none of sum, mean, max"):
        kind(reduce="average")
    with pytest.raises(ValueError, match="by 'cuts' is none of cut, weight"):
        HeavyEdgeMatching(by="cuts")


def test_edges_of_weight_0_merge_last(undirected: Callable[..., Tensor]) -> None:
    edges = undirected((0, 1), (1, 2))
    for by in ("cut", "weight"):
        field = GraphField.of(torch.eye(3), edges, torch.where((edges == 0).any(dim=0), 0.0, 5.0))
        coarse = HeavyEdgeMatching(by=by).build_down(3, 2)(field)
        assert coarse.cluster.tolist() == [0, 1, 1]
