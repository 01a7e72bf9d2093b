from __future__ import annotations

import copy
import math
import pickle
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from multiunet.core import Add, UNet
from multiunet.geometries.graph import FeatureDropout, Graph
from multiunet.geometries.graph_edges import Induced, TwoHop, strongest
from multiunet.geometries.graph_field import GraphField
from multiunet.geometries.graph_merge import Contraction, Matching
from multiunet.geometries.graph_pool import SAG, Pooling, SelectPool, TopK, Unpool, top_per_graph
from multiunet.geometries.graph_soft import MinCut
from multiunet.models.graph_unet import graph_unet

NO_EDGES = torch.zeros(2, 0, dtype=torch.int64)


def undirected(*pairs: tuple[int, int]) -> Tensor:
    one_way = torch.tensor(pairs).T
    return torch.cat([one_way, one_way.flip(0)], dim=1)


def path_graph(x: Tensor) -> GraphField:
    """0 - 1 - 2 - ... in a row."""
    return GraphField.of(x, undirected(*[(i, i + 1) for i in range(len(x) - 1)]))


def dense(edge_index: Tensor, weight: Tensor, nodes: int) -> Tensor:
    """Rows are targets, columns are sources."""
    matrix = torch.zeros(nodes, nodes, dtype=weight.dtype)
    return matrix.index_put((edge_index[1], edge_index[0]), weight, accumulate=True)


def relabelled(field: GraphField, order: Tensor) -> GraphField:
    """The same graph, whose node ``i`` is the old node ``order[i]``."""
    place = torch.argsort(order)
    return replace(field, x=field.x[order], edge_index=place[field.edge_index], batch=field.batch[order])


# pooling


def test_pooling_by_hand() -> None:
    pool = TopK(edges=Induced()).down(2, 2)
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
    assert top_per_graph(score, batch, 3, 2).tolist() == [1, 2, 3, 5, 6]
    assert top_per_graph(score, batch, 3, 1).tolist() == list(range(8))
    assert top_per_graph(score, batch, 3, 100).tolist() == [2, 3, 5]


def test_pooling_agrees_with_torch_geometric() -> None:
    from torch_geometric.nn import TopKPooling

    geometry = Graph(pool=TopK(edges=Induced()))
    field = geometry.collate([geometry.example(4, seed) for seed in range(3)])
    peer = TopKPooling(4, ratio=0.5)
    ours = geometry.down(4)
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
    peer, ours = SAGPooling(4, ratio=0.5), geometry.down(4)
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


def test_a_fixed_number_of_nodes_and_a_sigmoid() -> None:
    pool = TopK(nodes=2, gate="sigmoid", edges=Induced()).down(1, 2)
    pool.score.p.data = torch.tensor([2.0])
    fields = [path_graph(torch.tensor([[1.0], [3.0], [2.0], [-1.0]])), GraphField.of(torch.ones(1, 1), NO_EDGES)]
    coarse = pool(GraphField.union(fields))
    assert coarse.parent.tolist() == [1, 2, 4]
    scores = torch.tensor([3.0, 2.0, 1.0])
    torch.testing.assert_close(coarse.x[:, 0], scores * torch.sigmoid(scores))
    with pytest.raises(ValueError, match="nodes 0"):
        TopK(nodes=0).down(1, 2)


def test_unpooling_by_hand() -> None:
    skip = path_graph(torch.ones(4, 2))
    coarse = GraphField.of(torch.tensor([[5.0, 6.0], [7.0, 8.0]]), NO_EDGES)
    coarse = replace(coarse, parent=torch.tensor([3, 1]))
    fine = Unpool(2, 2)(coarse, skip)
    assert fine.x.tolist() == [[0, 0], [7, 8], [0, 0], [5, 6]]
    assert fine.edge_index is skip.edge_index


def test_unpooling_maps_channels_as_if_afterwards() -> None:
    up = Unpool(2, 3)
    skip, coarse = path_graph(torch.ones(4, 2)), path_graph(torch.randn(2, 2))
    coarse = replace(coarse, parent=torch.tensor([0, 2]))
    scattered = torch.zeros(4, 2).index_copy(0, coarse.parent, coarse.x)
    torch.testing.assert_close(up(coarse, skip).x, up.project(scattered))


def test_unpooling_needs_a_parent() -> None:
    field = path_graph(torch.ones(4, 2))
    with pytest.raises(ValueError, match="no parent"):
        Unpool(2, 2)(field, field)
    with pytest.raises(ValueError, match="no parent"):
        Graph().sample(torch.arange(4), field, field)


def test_values_are_picked_at_the_kept_nodes() -> None:
    geometry = Graph()
    fine = geometry.example(3, 0)
    coarse = geometry.down(3)(fine)
    labels = torch.arange(len(fine.x)) * 10
    assert geometry.sample(labels, fine, coarse).tolist() == (coarse.parent * 10).tolist()


@pytest.mark.parametrize("stride", [0.5, 0, -1])
def test_pooling_cannot_add_nodes(stride: float) -> None:
    with pytest.raises(ValueError, match="stride"):
        Graph().down(3, stride)


# the edges of the kept nodes


def test_two_hops_by_hand() -> None:
    """0 - 1 - 2 - 3 - 4; kept 0, 2, 4: linked through 1 and through 3."""
    edges, weight = TwoHop()(path_graph(torch.zeros(5, 1)), torch.tensor([0, 2, 4]), torch.zeros(3))
    assert sorted(map(tuple, edges.T.tolist())) == [(0, 1), (1, 0), (1, 2), (2, 1)]
    # one path each; degrees 1, 2, 1: weight 1 / sqrt(1 * 2)
    torch.testing.assert_close(weight, torch.full((4,), 1 / math.sqrt(2)))


@pytest.mark.parametrize("seed", range(5))
def test_restricted_two_hops_equal_the_full_square_sliced(seed: int) -> None:
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
    found, weight = TwoHop()(field, kept, torch.zeros(6))
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
    found, kept = strongest(edges, weight, 4, 2, torch.zeros(4))
    assert found.T.tolist() == [[1, 3], [2, 3], [3, 0], [0, 1], [1, 0]]
    torch.testing.assert_close(kept, torch.tensor([0.9, 0.7, 0.1, 0.2, 0.1]))
    assert torch.bincount(strongest(edges, weight, 4, 1, torch.zeros(4))[0][1]).tolist() == [1, 1, 0, 1]


def test_neighbours_of_pooled_nodes_can_be_bounded() -> None:
    field = GraphField.of(torch.randn(40, 3), undirected(*[(0, i) for i in range(1, 40)]))
    bounded, free = (TopK(edges=TwoHop(max_neighbours=most)).down(3, 2) for most in (4, None))
    assert torch.bincount(bounded(field).edge_index[1]).max() == 4
    assert torch.bincount(free(field).edge_index[1]).max() == 19


def test_weights_stay_finite_at_depth_ten() -> None:
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
        field = geometry.down(4)(field)
        assert field.edge_weight.isfinite().all()
        assert 0 < field.edge_weight.max() <= 1


# convolutions


def test_gcn_is_its_formula() -> None:
    field = Graph().example(3, seed=4)
    weight = torch.rand(field.edge_index.shape[1]) + 0.5
    field = replace(field, edge_weight=weight)
    block = Graph().block(3, 5)
    torch.nn.init.normal_(block.convolutions[0].bias)
    a = dense(field.edge_index, weight, len(field.x)) + torch.eye(len(field.x))
    scale = a.sum(dim=1).rsqrt().diag()
    matrix = block.convolutions[0].neighbours.weight
    expected = torch.relu(scale @ a @ scale @ field.x @ matrix.T + block.convolutions[0].bias)
    torch.testing.assert_close(block(field).x, expected)


def test_sage_is_its_formula() -> None:
    field = path_graph(torch.randn(4, 3))
    block = Graph(conv="sage").block(3, 5)
    convolution = block.convolutions[0]
    x = field.x
    mean = torch.stack([x[1], (x[0] + x[2]) / 2, (x[1] + x[3]) / 2, x[2]])
    expected = torch.relu(x @ convolution.own.weight.T + mean @ convolution.neighbours.weight.T + convolution.bias)
    torch.testing.assert_close(block(field).x, expected)


def test_hops_are_personalised_propagation() -> None:
    field = path_graph(torch.randn(5, 3))
    block = Graph(hops=3, teleport=0.2).block(3, 4)
    a = dense(field.edge_index, field.weights(), 5) + torch.eye(5)
    a = a.sum(dim=1).rsqrt().diag() @ a @ a.sum(dim=1).rsqrt().diag()
    start = field.x @ block.convolutions[0].neighbours.weight.T
    x = start
    for _ in range(3):
        x = 0.8 * a @ x + 0.2 * start
    torch.testing.assert_close(block(field).x, torch.relu(x))
    with pytest.raises(ValueError, match="hops"):
        Graph(hops=2, conv="sage")


def test_residual_block_adds_its_input() -> None:
    field = path_graph(torch.randn(5, 3))
    block = Graph(residual=True).block(3, 3)
    torch.testing.assert_close(block(field).x, block.convolutions[0](field).x.relu() + field.x)


@pytest.mark.parametrize("conv", ["gcn", "sage"])
@pytest.mark.parametrize("residual", [False, True])
def test_sparse_features_give_the_same_as_dense(conv: str, residual: bool) -> None:
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


def test_dropped_nodes_and_edges_send_nothing() -> None:
    field = path_graph(torch.ones(400, 1))
    by_node = Graph(node_dropout=0.5).block(1, 1).convolutions[0]
    matrix = by_node.neighbours.weight.item()
    inner = by_node(field).x[2:-2, 0] / matrix
    # of three nodes in a row any may be silent; each speaks with weight 1/3, doubled
    torch.testing.assert_close(
        inner.detach().unique().round(decimals=4).unique(), torch.arange(4) * 2 / 3, atol=1e-3, rtol=0
    )
    by_edge = Graph(edge_dropout=0.999).block(1, 1).convolutions[0]
    alone = by_edge(field).x[:, 0] / by_edge.neighbours.weight.item()
    assert (alone - 1).abs().lt(1e-5).float().mean() > 0.95  # nearly all hear themselves alone
    torch.testing.assert_close(by_node.eval()(field).x[2:-2], torch.full((396, 1), matrix))


# laws


@pytest.mark.parametrize(
    "geometry",
    [
        *(Graph(), Graph(conv="sage", convs=2), Graph(normalization="batch", hops=3), Graph(conv="gatv2")),
        *(Graph(conv="gin", pool=SAG()), Graph(pool=TopK(nodes=4, edges=Induced())), Graph(pool=MinCut(clusters=3))),
        Graph(pool=TopK(edges=TwoHop(max_neighbours=2))),
    ],
    ids=repr,
)
def test_relabelling_nodes_relabels_the_output(geometry: Graph) -> None:
    net = UNet(geometry, 3, 2, [6, 8, 8]).double().eval()
    field = geometry.example(3, 7)
    field = replace(field, x=field.x.double())
    order = torch.randperm(len(field.x))
    torch.testing.assert_close(net(relabelled(field, order)).x, net(field).x[order])


def test_no_graph_sees_another() -> None:
    geometry = Graph()
    net = UNet(geometry, 3, 2, [6, 8, 8]).eval()
    fields = [geometry.example(3, seed) for seed in range(4)]
    fields[1] = GraphField.of(torch.randn(1, 3), NO_EDGES)
    batch = geometry.collate(fields)
    assert (batch.graphs, len(batch.batch)) == (4, sum(len(field.x) for field in fields))
    together = net(batch).x.split([len(field.x) for field in fields])
    for one, field in zip(together, fields):
        torch.testing.assert_close(one, net(field).x)
    changed = geometry.collate([replace(fields[0], x=fields[0].x * 100), *fields[1:]])
    torch.testing.assert_close(net(changed).x[len(fields[0].x) :], net(batch).x[len(fields[0].x) :])


@pytest.mark.parametrize(
    "pool", [TopK(edges=TwoHop(max_neighbours=3)), SAG(), Matching(), Contraction(), MinCut(clusters=3)], ids=repr
)
def test_empty_graphs_in_a_batch_change_nothing(pool: Pooling) -> None:
    geometry = Graph(pool=pool)
    net = UNet(geometry, 3, 2, [6, 8, 8]).eval()
    full, empty = [geometry.example(3, seed) for seed in range(2)], GraphField.of(torch.zeros(0, 3), NO_EDGES)
    batch = geometry.collate([empty, full[0], empty, full[1], empty])
    assert batch.graphs == 5
    torch.testing.assert_close(net(batch).x, net(geometry.collate(full)).x)
    assert net(empty).x.shape == (0, 2)


def test_a_union_of_unions_is_their_union() -> None:
    geometry = Graph()
    a, b, c = (geometry.example(2, seed) for seed in range(3))
    b = replace(b, edge_weight=torch.rand(b.edge_index.shape[1]))
    nested, flat = geometry.collate([geometry.collate([a, b]), c]), geometry.collate([a, b, c])
    assert nested.graphs == flat.graphs == 3
    for name in ("x", "edge_index", "batch", "edge_weight"):
        assert torch.equal(getattr(nested, name), getattr(flat, name))


@pytest.mark.parametrize("normalization", ["none", "batch", "layer"])
@pytest.mark.parametrize("nodes", [1, 2, 5])
@pytest.mark.parametrize("training", [True, False])
def test_graphs_without_edges_work(nodes: int, normalization: str, training: bool) -> None:
    net = UNet(Graph(normalization=normalization), 3, 2, [4, 4, 4]).train(training)
    output = net(GraphField.of(torch.randn(nodes, 3), NO_EDGES)).x
    assert output.shape == (nodes, 2)
    assert torch.isfinite(output).all()


def test_the_pooling_direction_learns() -> None:
    net = graph_unet(3, 2, widths=[6, 6, 6])
    net(Graph().example(3, 0)).x.square().sum().backward()
    directions = [module.score.p for module in net.modules() if isinstance(module, SelectPool)]
    assert len(directions) == 2
    assert all(p.grad.abs().sum() > 0 for p in directions)


def test_copies_give_the_same_output() -> None:
    net = graph_unet(3, 2, widths=[6, 6], input_dropout=0.5).eval()
    field = Graph().example(3, 0)
    fresh = graph_unet(3, 2, widths=[6, 6], input_dropout=0.5).eval()
    fresh.load_state_dict(net.state_dict())
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net)), fresh):
        assert torch.equal(other(field).x, net(field).x)


def test_input_dropout_is_part_of_the_encoder() -> None:
    from multiunet.uncertainty import dropouts

    net = graph_unet(3, 2, widths=[6, 6], input_dropout=0.5)
    assert any(dropouts(part) for part in net.prefix())
    assert not any(dropouts(part) for part in graph_unet(3, 2, widths=[6, 6]).prefix())
    with pytest.raises(ValueError, match="pool_ratio"):
        graph_unet(3, 2, pool_ratio=1.5)


# fields


@pytest.mark.parametrize(
    ("x", "edges", "weight", "reason"),
    [
        (torch.zeros(3), NO_EDGES, None, "nodes, channels"),
        (torch.zeros(3, 1), torch.zeros(3, 2, dtype=torch.int64), None, "2, edges"),
        (torch.zeros(3, 1), torch.zeros(2, 2), None, "int64"),
        (torch.zeros(3, 1), torch.tensor([[0], [3]]), None, "0..3 of 3"),
        (torch.zeros(3, 1), torch.tensor([[-1], [0]]), None, "-1..0 of 3"),
        (torch.zeros(3, 1), torch.tensor([[0], [1]]), torch.ones(2), "one for each edge"),
    ],
)
def test_graphs_that_contradict_themselves_are_refused(
    x: Tensor, edges: Tensor, weight: Tensor | None, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        GraphField.of(x, edges, weight)


def test_graphs_of_other_libraries() -> None:
    import networkx
    from torch_geometric.data import Batch, Data

    graph = networkx.Graph()
    graph.add_node("b", mass=2, charge=-1)
    graph.add_node("a", mass=1, charge=0.5)
    graph.add_edge("a", "b", weight=3)
    field = GraphField.from_networkx(graph, ["charge", "mass"])
    assert field.x.tolist() == [[-1, 2], [0.5, 1]]
    assert sorted(map(tuple, field.edge_index.T.tolist())) == [(0, 1), (1, 0)]
    assert field.weights().tolist() == [3, 3]
    assert GraphField.from_networkx(networkx.DiGraph(graph.edges), []).edge_index.shape == (2, 1)
    with pytest.raises(ValueError, match="node 'b' has no attribute 'size'"):
        GraphField.from_networkx(graph, ["size"])
    graph.add_edge("a", "a")
    with pytest.raises(ValueError, match="some edges have a weight"):
        GraphField.from_networkx(graph, ["mass"])
    items = [Data(x=torch.randn(n, 2), edge_index=undirected((0, 1))) for n in (3, 2)]
    batch = GraphField.from_torch_geometric(Batch.from_data_list(items))
    expected = GraphField.union([GraphField.from_torch_geometric(item) for item in items])
    assert (batch.graphs, batch.batch.tolist()) == (2, expected.batch.tolist())
    assert torch.equal(batch.edge_index, expected.edge_index)


def test_moving_a_field_moves_all_of_it() -> None:
    field = replace(path_graph(torch.zeros(3, 1)), edge_weight=torch.ones(4), parent=torch.arange(3))
    moved = field.to("meta")
    for name in ("x", "edge_index", "batch", "edge_weight", "parent"):
        assert getattr(moved, name).device.type == "meta"
    assert moved.graphs == 1
