"""A graph that is predicted layer by layer, some nodes at a time, is predicted as the whole."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from multiunet import Graph, Segmentation
from multiunet.geometries.attention import Attention
from multiunet.geometries.graph.conv import GCN, GIN, GINE, SAGE
from multiunet.geometries.graph.edges import Induced, TwoHop
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.merge import Contraction, HeavyEdgeMatching
from multiunet.geometries.graph.pyg_conv import GATv2, PyGConv
from multiunet.geometries.graph.select import SAG, TopK
from multiunet.geometries.graph.soft import MinCut
from multiunet.models.graph_unet import GraphUNet, graph_unet
from multiunet.prediction import predict_field
from multiunet.prediction.layerwise import check_layerwise, predict_by_layers
from multiunet.uncertainty import Moments

TASK = Segmentation(["a", "b", "c"])


def graph(nodes: int = 90, attributes: int = 0, seed: int = 0) -> GraphField:
    """Make a ring with hubs, loops, weights and nodes that nobody knows."""
    g = torch.Generator().manual_seed(seed)
    ring = torch.stack([torch.arange(nodes - 5), (torch.arange(nodes - 5) + 1) % (nodes - 5)])
    far = torch.randint(0, nodes - 5, (2, 2 * nodes), generator=g)
    hub = torch.stack([torch.arange(nodes // 2), torch.full((nodes // 2,), 3)])
    edges = torch.cat([ring, far, hub, hub.flip(0)], dim=1).unique(dim=1)
    edges = edges[:, torch.randperm(edges.shape[1], generator=g)]
    weight = torch.rand(edges.shape[1], generator=g) + 0.2
    attr = torch.randn(edges.shape[1], attributes, generator=g) if attributes else None
    return GraphField.of(torch.randn(nodes, 6, generator=g), edges, weight, attr)


def make(geometry: Graph, channels: tuple[int, ...] = (8, 6, 6), **settings: Any) -> GraphUNet:
    torch.manual_seed(1)
    net = graph_unet(6, 3, channels, geometry=geometry, **settings)
    for module in net.modules():  # statistics of a trained network
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
    return net.eval()


def check_equal(found: Moments[Tensor], expected: Moments[Tensor]) -> None:
    for name in ("mean", "epistemic", "aleatoric"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), rtol=1e-6, atol=1e-6)


NETWORKS = {
    "gcn": Graph(),
    "gcn of ten hops": Graph(conv=GCN(hops=4, teleport=0.2), normalization="batch"),
    "gcn without loops": Graph(conv=GCN(loop_weight=0.0), pool=TopK(edges=Induced())),
    "sage": Graph(conv=SAGE(), convs=2, residual=True, normalization="layer"),
    "gin by neighbours": Graph(conv=GIN(), pool=SAG(edges=TwoHop(max_neighbours=4))),
    "gine": Graph(conv=GINE(edge_features=2), convs=2),
    "merged": Graph(pool=HeavyEdgeMatching(), residual=True),
    "contracted": Graph(pool=Contraction()),
}


@pytest.mark.parametrize("skip", ["add", "concat", "attention"])
@pytest.mark.parametrize("name", NETWORKS)
def test_parts_give_the_prediction_of_the_whole(name: str, skip: Any, tmp_path: Path) -> None:
    geometry = NETWORKS[name]
    field, net = graph(attributes=geometry.conv.edge_features), make(geometry, skip=skip)
    expected = predict_field(net, TASK, geometry, field)
    assert expected.mean.std() > 0.01
    for nodes in (17, 1000):
        check_equal(predict_by_layers(net, TASK, field, nodes, tmp_path), expected)
    assert not list(tmp_path.iterdir()), "no file stays"


@pytest.mark.parametrize("conv", ["gatv2", "pyg"])
def test_layers_of_torch_geometric(conv: str) -> None:
    layers = pytest.importorskip("torch_geometric.nn")
    geometry = Graph(conv=GATv2(edge_features=1) if conv == "gatv2" else PyGConv(layers.GCNConv, reach=1))
    field, net = graph(attributes=1 if conv == "gatv2" else 0), make(geometry)
    check_equal(predict_by_layers(net, TASK, field, 17), predict_field(net, TASK, geometry, field))


@pytest.mark.parametrize("whole_channels", [False, True])
def test_samples_have_the_masks_of_the_whole(whole_channels: bool, tmp_path: Path) -> None:
    noisy = {"dropout": 0.3, "edge_dropout": 0.2, "node_dropout": 0.1, "whole_channels": whole_channels}
    geometry = Graph(conv=SAGE(), residual=True, **noisy)
    net, field = make(geometry, input_dropout=0.4), graph()
    for given in (field, replace(field, x=field.x.relu().to_sparse())):
        expected = predict_field(net, TASK, geometry, given, samples=3, seed=5)
        assert expected.epistemic.max() > 1e-3
        check_equal(predict_by_layers(net, TASK, given, 17, tmp_path, samples=3, seed=5), expected)


def test_attention_of_the_coarsest_level_sees_all() -> None:
    geometry, field = Graph(), graph()
    net = make(geometry, attention=Attention(heads=2))
    check_equal(predict_by_layers(net, TASK, field, 17), predict_field(net, TASK, geometry, field))


def test_what_needs_all_nodes_is_refused() -> None:
    field = graph()
    with pytest.raises(ValueError, match="needs all nodes at once"):
        check_layerwise(make(Graph(pool=MinCut(4)), channels=(8, 6)))
    with pytest.raises(ValueError, match="cannot be computed some nodes at a time"):
        check_layerwise(make(Graph(conv=PyGConv(lambda a, b: torch.nn.Linear(a, b)))))
    with pytest.raises(ValueError, match="2 graphs"):
        predict_by_layers(make(Graph()), TASK, GraphField.union([field, field]), 17)
    with pytest.raises(ValueError, match="without dropout"):
        predict_by_layers(make(Graph()), TASK, field, 17, samples=2)


def test_a_full_disk_is_an_error_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written as memory, a file without room would kill the process."""

    def full(file: int, begin: int, size: int) -> None:
        assert size == 4 * 90 * 8
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(OSError, match="No space left"):
        predict_by_layers(make(Graph()), TASK, graph(), 17, tmp_path)
    assert not list(tmp_path.iterdir())
