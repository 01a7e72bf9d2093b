from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch_geometric.nn import GCNConv

from multiunet.core import UNet
from multiunet.geometries.graph.conv import GCN, GIN, GINE, SAGE
from multiunet.geometries.graph.edges import Induced, TwoHop
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph
from multiunet.geometries.graph.merge import Contraction, HeavyEdgeMatching
from multiunet.geometries.graph.pooling import Pooling
from multiunet.geometries.graph.pyg_conv import GATv2, PyGConv
from multiunet.geometries.graph.select import SAG, SelectPool, TopK
from multiunet.geometries.graph.soft import MinCut
from multiunet.models.graph_unet import graph_unet

NO_EDGES = torch.zeros(2, 0, dtype=torch.int64)


def relabelled(field: GraphField, order: Tensor) -> GraphField:
    """The same graph, whose node ``i`` is the old node ``order[i]``."""
    place = torch.argsort(order)
    return replace(field, x=field.x[order], edge_index=place[field.edge_index], batch=field.batch[order])


@pytest.mark.parametrize(
    "geometry",
    [
        *(Graph(), Graph(conv=SAGE(), convs=2), Graph(normalization="batch", conv=GCN(hops=3)), Graph(conv=GATv2())),
        *(Graph(conv=GIN(), pool=SAG()), Graph(pool=TopK(nodes=4, edges=Induced())), Graph(pool=MinCut(clusters=3))),
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
    "pool",
    [TopK(edges=TwoHop(max_neighbours=3)), SAG(), HeavyEdgeMatching(), Contraction(), MinCut(clusters=3)],
    ids=repr,
)
def test_empty_graphs_in_a_batch_change_nothing(pool: Pooling) -> None:
    geometry = Graph(pool=pool)
    net = UNet(geometry, 3, 2, [6, 8, 8]).eval()
    full, empty = [geometry.example(3, seed) for seed in range(2)], GraphField.of(torch.zeros(0, 3), NO_EDGES)
    batch = geometry.collate([empty, full[0], empty, full[1], empty])
    assert batch.graphs == 5
    torch.testing.assert_close(net(batch).x, net(geometry.collate(full)).x)
    assert net(empty).x.shape == (0, 2)


@pytest.mark.parametrize("normalization", ["none", "batch", "layer"])
@pytest.mark.parametrize("nodes", [1, 2, 5])
@pytest.mark.parametrize("training", [True, False])
def test_graphs_without_edges_work(nodes: int, normalization: str, training: bool) -> None:
    net = UNet(Graph(normalization=normalization), 3, 2, [4, 4, 4]).train(training)
    output = net(GraphField.of(torch.randn(nodes, 3), NO_EDGES)).x
    assert output.shape == (nodes, 2)
    assert torch.isfinite(output).all()


def test_the_pooling_direction_learns() -> None:
    net = graph_unet(3, 2, channels=[6, 6, 6])
    net(Graph().example(3, 0)).x.square().sum().backward()
    directions = [module.score.p for module in net.modules() if isinstance(module, SelectPool)]
    assert len(directions) == 2
    assert all(p.grad.abs().sum() > 0 for p in directions)


def test_copies_give_the_same_output() -> None:
    net = graph_unet(3, 2, channels=[6, 6], input_dropout=0.5).eval()
    field = Graph().example(3, 0)
    fresh = graph_unet(3, 2, channels=[6, 6], input_dropout=0.5).eval()
    fresh.load_state_dict(net.state_dict())
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net)), fresh):
        assert torch.equal(other(field).x, net(field).x)


def test_input_dropout_is_part_of_the_encoder() -> None:
    from multiunet.uncertainty import dropouts

    net = graph_unet(3, 2, channels=[6, 6], input_dropout=0.5)
    assert any(dropouts(part) for part in net.prefix())
    assert not any(dropouts(part) for part in graph_unet(3, 2, channels=[6, 6]).prefix())
    with pytest.raises(ValueError, match="pool_ratio"):
        graph_unet(3, 2, pool_ratio=1.5)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"normalization": "instance"}, "normalization 'instance' is none of none, batch, layer"),
        ({"activation": "selu"}, "activation 'selu' is none of none, relu"),
        ({"convs": 0}, "convs 0 must be at least 1"),
        ({"condition_channels": -1}, "condition_channels -1 must be at least 0"),
        ({"pool": "matching"}, "pool 'matching' must be a Pooling, e.g"),
    ],
)
def test_wrong_settings_are_refused(settings: dict, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Graph(**settings)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize(
    "settings",
    [
        *({"conv": conv} for conv in (GCN(), SAGE(), GIN(), GINE(2), GATv2(2), PyGConv(GCNConv))),
        *(
            {"pool": pool}
            for pool in (TopK(), SAG(), HeavyEdgeMatching(), HeavyEdgeMatching(reduce="max"), Contraction(), MinCut(3))
        ),
        {"node_dropout": 0.3, "edge_dropout": 0.3, "dropout": 0.3, "residual": True, "normalization": "layer"},
    ],
    ids=repr,
)
def test_a_whole_network_computes_in_another_type(settings: dict, dtype: torch.dtype) -> None:
    geometry = Graph(**settings)
    net, field = UNet(geometry, 3, 2, [4, 4, 4]), geometry.example(3, 0)
    expected = net.eval()(field).x
    output = net.to(dtype)(field.to(dtype)).x
    assert output.dtype == dtype
    if dtype == torch.float64:
        torch.testing.assert_close(output.float(), expected, rtol=1e-3, atol=1e-3)
    output = net.train()(field.to(dtype)).x
    assert output.dtype == dtype
    output.sum().backward()
