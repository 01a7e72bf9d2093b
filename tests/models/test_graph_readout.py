from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from multiunet.core import LevelSpec, UNet
from multiunet.geometries.graph.conv import GCN, GINE, Convolution
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph
from multiunet.geometries.graph.merge import Contraction, HeavyEdgeMatching
from multiunet.geometries.graph.pooling import Pooling
from multiunet.geometries.graph.pyg_conv import GATv2
from multiunet.geometries.graph.select import SAG, TopK
from multiunet.geometries.graph.soft import MinCut
from multiunet.models.graph_readout import GraphReadoutUNet, graph_readout_unet
from multiunet.prediction import predict_field
from multiunet.tasks import Segmentation
from multiunet.testing.conformance import check_copies
from multiunet.uncertainty import dropouts

POOLS = [TopK(), SAG(), HeavyEdgeMatching(), Contraction(), MinCut(clusters=3)]


def without(nodes: int) -> GraphField:
    """A graph without edges."""
    return GraphField.of(torch.ones(nodes, 4), torch.zeros(2, 0, dtype=torch.int64), edge_attr=torch.zeros(0, 2))


def fields() -> list[GraphField]:
    """Six graphs, among them one of no node, one of one, one of no edge."""
    examples = [Graph().example(4, seed) for seed in range(3)]
    g = torch.Generator().manual_seed(0)
    examples = [replace(one, edge_attr=torch.rand(one.edge_index.shape[1], 2, generator=g)) for one in examples]
    return [without(0), examples[0], without(1), examples[1], without(3), examples[2]]


def network(pool: Pooling, conv: Convolution = GINE(2)) -> GraphReadoutUNet:  # noqa: B008
    geometry = Graph(conv=conv, pool=pool, normalization="batch", dropout=0.3, whole_channels=True)
    return graph_readout_unet(4, 3, (6, 8, 10), geometry=geometry, readouts=("mean", "max", "sum"), dropout=0.3)


@pytest.mark.parametrize("conv", [GCN(), GINE(2), GATv2(2)], ids=repr)
@pytest.mark.parametrize("pool", POOLS, ids=repr)
def test_a_batch_equals_one_at_a_time_also_after_training(pool: Pooling, conv: Convolution) -> None:
    net = network(pool, conv)
    union = GraphField.union(fields())
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    net(union).x.square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())
    optimizer.step()
    net.eval()
    together = net(union)
    assert (together.graphs, together.x.shape) == (6, (6, 3))
    torch.testing.assert_close(together.x, torch.cat([net(one).x for one in fields()]))


def test_samples_of_dropout_do_not_depend_on_the_batch_and_add_up() -> None:
    net, task = network(TopK()), Segmentation(["a", "b", "c"])
    assert len(dropouts(net)) == 5 + 1  # one a block, one of the head
    geometry = net.geometry
    together = predict_field(net, task, geometry, GraphField.union(fields()), samples=5, seed=2)
    alone = [predict_field(net, task, geometry, one, samples=5, seed=2) for one in fields()]
    for part in ("mean", "epistemic", "aleatoric"):
        torch.testing.assert_close(getattr(together, part), torch.cat([getattr(one, part) for one in alone]))
    mean = together.mean
    torch.testing.assert_close(together.total, mean * (1 - mean))
    assert (together.epistemic[1:] > 0).any(dim=1).all()


def test_copies_are_equal() -> None:
    net = network(SAG())
    check_copies(net, net.geometry, fields()[1])


def test_half_precision_agrees_with_single() -> None:
    net, union = network(TopK()).eval(), GraphField.union(fields())
    with torch.autocast("cpu", torch.bfloat16):
        half = net(union).x
    torch.testing.assert_close(half.float(), net(union).x, atol=0.05, rtol=0.05)


def test_renumbering_nodes_changes_nothing() -> None:
    net = network(TopK()).eval()
    field = fields()[1]
    order = torch.randperm(len(field.x))
    place = torch.argsort(order)
    turned = replace(field, x=field.x[order], edge_index=place[field.edge_index])
    torch.testing.assert_close(net(turned).x, net(field).x)


def test_every_level_is_read() -> None:
    net, field = network(TopK()).eval(), GraphField.union(fields())
    trail = net.encode(field)
    output = net.decode(trail).x
    moved = []
    for place, level in enumerate(trail.saved):
        other = [*trail.saved]
        other[place] = replace(level, x=level.x + 1)
        moved.append(net.decode(replace(trail, saved=tuple(other))).x - output)
    moved.append(net.decode(replace(trail, bottom=replace(trail.bottom, x=trail.bottom.x + 1))).x - output)
    assert all(one.abs().max() > 1e-4 for one in moved)


@pytest.mark.parametrize("ratio", [0, 1.5])
def test_a_ratio_that_is_none_is_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match=r"pool_ratio .* must be in \(0, 1\]"):
        graph_readout_unet(4, 3, pool_ratio=ratio)


def test_levels_that_widen_on_the_way_down_are_read_out() -> None:
    geometry = Graph()
    net = UNet(geometry, 4, 6, [6, LevelSpec(8, entering=8), LevelSpec(10, entering=10)])
    whole = GraphReadoutUNet(net, ["mean"], hidden=5, out_channels=2, dropout=0.0)
    assert whole(geometry.example(4, 0)).x.shape == (1, 2)


def test_what_is_said_of_graphs_carries_the_penalties_of_its_pools() -> None:
    geometry = Graph(pool=MinCut(2))
    net = graph_readout_unet(4, 2, (4, 4), geometry=geometry)
    assert geometry.penalty(net(geometry.example(4, 0))).requires_grad
