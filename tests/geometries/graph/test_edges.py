from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from multiunet.core import Add, UNet
from multiunet.geometries.graph import edges as graph_edges
from multiunet.geometries.graph import links as graph_links
from multiunet.geometries.graph.edges import Induced, TwoHop, estimate, keep_strongest
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph
from multiunet.geometries.graph.links import Links, group_by, permute, spmm
from multiunet.geometries.graph.select import TopK


def random_field(nodes: int = 30, edges: int = 90, seed: int = 0) -> GraphField:
    """Directed, with loops and repetitions, weighted."""
    g = torch.Generator().manual_seed(seed)
    ends = torch.randint(0, nodes, (2, edges), generator=g)
    return GraphField.of(torch.zeros(nodes, 1), ends, torch.rand(edges, generator=g) + 0.1)


def dense(ends: Tensor, weight: Tensor, nodes: int) -> Tensor:
    return torch.zeros(nodes, nodes, dtype=weight.dtype).index_put((ends[1], ends[0]), weight, accumulate=True)


KEPT = torch.arange(0, 30, 2)
SCORE = torch.linspace(1, 0, 15)


@pytest.mark.parametrize("weights", ["renormalised", "binary", "paths"])
@pytest.mark.parametrize("most", [None, 3])
def test_chunks_change_nothing(weights: str, most: int | None) -> None:
    field = random_field()
    whole = TwoHop(weights=weights, max_neighbours=most)(field, KEPT, SCORE)
    parts = TwoHop(weights=weights, max_neighbours=most, chunk=20)(field, KEPT, SCORE)
    torch.testing.assert_close(dense(*parts, 15), dense(*whole, 15))
    if weights == "binary":
        assert (whole[1] == 1).all()


@pytest.mark.parametrize("chunk", [1, 7, 40, 10**6])
def test_chunks_cover_each_row_once(chunk: int) -> None:
    from multiunet.geometries.graph.edges import _Factors

    factors = _Factors(random_field(), KEPT)
    bounds = factors.chunks(chunk)
    assert [row for first, last in bounds for row in range(first, last)] == list(range(15))
    entries = factors.paths.clamp_max(15)
    assert all(last - first == 1 or entries[first:last].sum() <= chunk for first, last in bounds)


def test_both_products_agree() -> None:
    field = random_field()
    learnt = replace(field, edge_weight=field.edge_weight.clone().requires_grad_())
    found, expected = TwoHop()(learnt, KEPT, SCORE), TwoHop()(field, KEPT, SCORE)
    assert found[1].requires_grad
    torch.testing.assert_close(dense(found[0], found[1].detach(), 15), dense(*expected, 15))


@pytest.mark.parametrize("weights", ["renormalised", "paths"])
@pytest.mark.parametrize("chunk", [15, 10**6])
def test_gradients_of_the_weights_are_right(weights: str, chunk: int) -> None:
    field = random_field(nodes=10, edges=20)
    edges = TwoHop(weights=weights, max_neighbours=3, chunk=chunk)

    def product(weight: Tensor) -> Tensor:
        return edges(replace(field, x=field.x.double(), edge_weight=weight), torch.arange(0, 10, 2), SCORE[:5])[1]

    assert torch.autograd.gradcheck(product, field.edge_weight.double().requires_grad_(), check_batched_grad=False)


def test_the_estimate_bounds_what_comes_out() -> None:
    for seed in range(5):
        field = random_field(seed=seed)
        cost = estimate(field, KEPT)
        found, weight = TwoHop(weights="paths")(replace(field, edge_weight=None), KEPT, SCORE)
        assert found.shape[1] <= cost.edges <= 15 * 14
        # of unit weights the product's sum is the number of paths, but for those back to where they began
        assert weight.sum() <= cost.paths
    star = torch.stack([torch.arange(1, 50), torch.zeros(49, dtype=torch.int64)])
    field = GraphField.of(torch.zeros(50, 1), torch.cat([star, star.flip(0)], dim=1))
    leaves = torch.arange(1, 50)
    # of each leaf's paths all but one, to itself, go through the hub: 49 there, and 1 + 1 by standing still
    assert estimate(field, leaves).edges == 49 * 48


def test_too_many_edges_are_refused_before_they_are_held() -> None:
    star = torch.stack([torch.arange(1, 50), torch.zeros(49, dtype=torch.int64)])
    field = GraphField.of(torch.zeros(50, 1), torch.cat([star, star.flip(0)], dim=1))
    leaves, score = torch.arange(1, 50), torch.zeros(49)
    with pytest.raises(ValueError, match="more than 1000 edges of two steps; bound them with max_neighbours"):
        TwoHop(limit=1000, chunk=500)(field, leaves, score)
    assert TwoHop(limit=1000, chunk=500, max_neighbours=4)(field, leaves, score)[0].shape == (2, 49 * 4)


def test_equal_edges_go_by_the_score_of_their_source() -> None:
    edges = torch.tensor([[0, 1, 2, 3], [4, 4, 4, 4]])
    score = torch.tensor([0.3, 0.9, 0.1, 0.5, 0.0])
    # 1/3 in two ways of rounding
    weight = torch.tensor([1 / 3, 1 / 3 + 1e-7, 1 / 3, 1 / 3])
    assert keep_strongest(edges, weight, 5, 2, score)[0][0].tolist() == [1, 3]
    assert keep_strongest(edges, weight + torch.tensor([0, 0, 0.1, 0]), 5, 2, score)[0][0].tolist() == [1, 2]


def test_nothing_kept_of_nothing() -> None:
    empty = GraphField.of(torch.zeros(0, 1), torch.zeros(2, 0, dtype=torch.int64))
    for edges in (TwoHop(), TwoHop(max_neighbours=2, weights="binary"), Induced()):
        ends, weight = edges(empty, torch.zeros(0, dtype=torch.int64), torch.zeros(0))
        assert ends.shape == (2, 0)
        assert weight.shape == (0,)


# products with features


@pytest.mark.parametrize("filled", [0.0, 1.0], ids=["an array", "compressed rows"])
def test_spread_is_the_matrix_product_with_its_gradients(filled: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_links, "FILLED", filled)
    field = random_field(nodes=8, edges=20)
    matrix = dense(field.edge_index, field.edge_weight, 8).double()
    x, weight = torch.randn(8, 3, dtype=torch.double), field.edge_weight.double()
    links = Links(field.edge_index, 8, 8)
    torch.testing.assert_close(spmm(x, weight, links), matrix @ x)
    inputs = x.requires_grad_(), weight.requires_grad_()
    assert torch.autograd.gradcheck(lambda x, weight: spmm(x, weight, links), inputs)


def test_spread_between_two_kinds_of_nodes_keeps_the_type() -> None:
    links = Links(torch.tensor([[0, 1, 1], [2, 0, 2]]), 2, 4)
    x = torch.tensor([[1.0], [10.0]], dtype=torch.bfloat16)
    found = spmm(x, torch.tensor([1.0, 2.0, 3.0]), links)
    assert found.dtype == torch.bfloat16
    assert found[:, 0].tolist() == [20, 0, 31, 0]


def test_links_are_found_once_and_never_of_other_edges() -> None:
    field = random_field()
    links = field.links()
    assert replace(field, x=field.x + 1).links() is links
    other = replace(field, edge_index=field.edge_index.flip(0))
    assert other.links().edge_index is other.edge_index


def test_orders_are_those_of_sorts() -> None:
    for key in (torch.randint(0, 7, (50,)), torch.randint(0, 7, (50,)).sort().values, torch.zeros(0, dtype=int)):
        order, starts = group_by(key, 9)
        assert permute(key, order).tolist() == key.sort().values.tolist()
        assert (order is None) == bool((key.sort().values == key).all())
        if order is not None:
            assert order.tolist() == torch.argsort(key, stable=True).tolist()
        assert starts.tolist() == [int((key < group).sum()) for group in range(10)]


def test_the_strongest_are_those_of_a_sort() -> None:
    for seed in range(10):
        field = random_field(nodes=20, edges=400, seed=seed)
        ends, weight = torch.unique(field.edge_index, dim=1), torch.rand(400)
        weight = weight[: ends.shape[1]].mul(8).ceil()  # many ties
        score = torch.randn(20)
        for count in (1, 3, 7):
            expected = set()
            for node in range(20):
                into = [e for e in range(ends.shape[1]) if ends[1, e] == node]
                into.sort(key=lambda e: (float(weight[e]), float(score[ends[0, e]])), reverse=True)
                expected |= {tuple(ends[:, e].tolist()) for e in into[:count]}
            found, kept = keep_strongest(ends, weight, 20, count, score)
            assert set(map(tuple, found.T.tolist())) == expected
            assert len(kept) == len(expected)


@pytest.mark.parametrize("filled", [0.0, 1.0], ids=["in arrays", "of compressed rows"])
@pytest.mark.parametrize("seed", range(5))
def test_restricted_two_hops_equal_the_full_square_sliced(
    seed: int, filled: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_edges, "WORTH_AN_ARRAY", filled)
    g = torch.Generator().manual_seed(seed)
    nodes = 12
    edges = torch.randint(0, nodes, (2, 30), generator=g)  # directed, with loops and repetitions
    field = GraphField.of(torch.zeros(nodes, 1), edges, torch.rand(30, generator=g) + 0.1)
    kept = torch.randperm(nodes, generator=g)[:6].sort().values
    loop_free = edges[0] != edges[1]
    a = dense(edges[:, loop_free], field.edge_weight[loop_free], nodes) + torch.eye(nodes)
    square = (a @ a)[kept][:, kept]
    square.fill_diagonal_(0)
    into, out_of = square.sum(dim=1, keepdim=True), square.sum(dim=0, keepdim=True)
    expected = torch.nan_to_num(square / (into * out_of).sqrt())
    found, weight = TwoHop(chunk=20)(field, kept, torch.zeros(6))
    assert (found[0] != found[1]).all()
    torch.testing.assert_close(dense(found, weight, len(kept)), expected)


def test_induced_edges_keep_their_weights() -> None:
    edges = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]])
    field = GraphField.of(torch.zeros(4, 1), edges, torch.tensor([1.0, 2.0, 3.0, 4.0]))
    found, weight = Induced()(field, torch.tensor([0, 2, 3]), torch.zeros(3))
    assert found.tolist() == [[1, 2], [2, 0]]
    assert weight.tolist() == [3, 4]


def test_strongest_edges_into_each_node() -> None:
    edges = torch.tensor([[0, 1, 2, 3, 0, 1], [3, 3, 3, 0, 1, 0]])
    weight = torch.tensor([0.5, 0.9, 0.7, 0.1, 0.2, 0.1])
    found, kept = keep_strongest(edges, weight, 4, 2, torch.zeros(4))
    assert found.T.tolist() == [[1, 3], [2, 3], [3, 0], [0, 1], [1, 0]]
    torch.testing.assert_close(kept, torch.tensor([0.9, 0.7, 0.1, 0.2, 0.1]))
    assert torch.bincount(keep_strongest(edges, weight, 4, 1, torch.zeros(4))[0][1]).tolist() == [1, 1, 0, 1]


def test_neighbours_of_pooled_nodes_can_be_bounded(undirected: Callable[..., Tensor]) -> None:
    field = GraphField.of(torch.randn(40, 3), undirected(*[(0, i) for i in range(1, 40)]))
    bounded, free = (TopK(edges=TwoHop(max_neighbours=most)).build_down(3, 2) for most in (4, None))
    assert torch.bincount(bounded(field).edge_index[1]).max() == 4
    assert torch.bincount(free(field).edge_index[1]).max() == 19


def test_weights_stay_finite_at_depth_ten(undirected: Callable[..., Tensor]) -> None:
    torch.manual_seed(1)
    nodes = 3000
    edges = undirected(*torch.randint(0, nodes, (6000, 2)).tolist())
    field = GraphField.of(torch.randn(nodes, 4), edges)
    geometry = Graph()
    net = UNet(geometry, 4, 2, [4] * 11, skip=Add)
    output = net(field).x
    assert torch.isfinite(output).all()
    output.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())
    for _ in range(10):
        field = geometry.make_down(4, 4)(field)
        assert field.edge_weight.isfinite().all()
        assert 0 < field.edge_weight.max() <= 1


def test_gcn_is_its_formula() -> None:
    field = Graph().example(3, seed=4)
    weight = torch.rand(field.edge_index.shape[1]) + 0.5
    field = replace(field, edge_weight=weight)
    block = Graph().make_block(3, 5)
    torch.nn.init.normal_(block.convolutions[0].bias)
    a = dense(field.edge_index, weight, len(field.x)) + torch.eye(len(field.x))
    scale = a.sum(dim=1).rsqrt().diag()
    matrix = block.convolutions[0].neighbours.weight
    expected = torch.relu(scale @ a @ scale @ field.x @ matrix.T + block.convolutions[0].bias)
    torch.testing.assert_close(block(field).x, expected)


@pytest.mark.parametrize("weights", ["renormalised", "binary", "paths"])
@pytest.mark.parametrize("array", [0.0, 1.0], ids=["in arrays", "of compressed rows"])
@pytest.mark.parametrize("differentiable", [False, True])
def test_edges_of_weight_0_are_no_paths(
    weights: str, array: float, differentiable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_edges, "WORTH_AN_ARRAY", array)
    weight = torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0, 0.0], requires_grad=differentiable)
    edges = torch.tensor([[0, 1, 1, 2, 3, 4], [1, 0, 2, 1, 4, 3]])
    found, values = TwoHop(weights=weights)(
        GraphField.of(torch.zeros(5, 1), edges, weight), torch.arange(5), torch.zeros(5)
    )
    assert set(map(tuple, found.T.tolist())) == {(0, 1), (1, 0), (1, 2), (2, 1), (0, 2), (2, 0)}
    if differentiable and weights != "binary":
        [gradient] = torch.autograd.grad(values.sum(), weight)
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"weights": "renormalized"}, "weights 'renormalized' is none of renormalised, binary, paths"),
        ({"max_neighbours": 0}, "max_neighbours 0 must be at least 1"),
    ],
)
def test_wrong_settings_of_two_hops_are_refused(settings: dict, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        TwoHop(**settings)
