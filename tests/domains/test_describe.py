"""What ``info`` shows of a network."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from multiunet import Graph, Grid, NestedUNet, Segmentation, UNet
from multiunet.domains.describe import describe
from multiunet.domains.model import Model
from multiunet.geometries import Conv, Transformer
from multiunet.models.graph_readout import graph_readout_unet

WIDTHS = [4, 8, 16]


@pytest.mark.parametrize("kind", [UNet, NestedUNet])
def test_levels_have_their_widths_the_deepest_too(kind: type[UNet] | type[NestedUNet]) -> None:
    net: nn.Module = kind(Grid(2), 1, 2, WIDTHS)
    shown = describe(Model(net.eval(), Segmentation(["a", "b"]), Grid(2)), torch.zeros(1, 1, 32, 32))
    # halved by each way down
    assert shown["levels"] == [[1, width, 32 >> level, 32 >> level] for level, width in enumerate(WIDTHS)]
    assert shown["output"] == [1, 2, 32, 32]


def test_levels_of_networks_of_graphs_have_theirs() -> None:
    graph = Graph()
    net = graph_readout_unet(5, 2, WIDTHS, geometry=graph).eval()
    field = graph.example(channels=5, seed=0)
    shown = describe(Model(net, Segmentation(["a", "b"]), graph), field)
    assert [channels for _, channels in shown["levels"]] == WIDTHS
    trail = net.encode(field)
    assert [nodes for nodes, _ in shown["levels"]] == [len(level.x) for level in (*trail.saved, trail.bottom)]


def test_a_network_that_looks_everywhere_is_said_to() -> None:
    for block, everywhere in ((Conv(), False), (Transformer(heads=2), True)):
        net = UNet([Grid(2), Grid(2, block)], 1, 2, [4, 8]).eval()
        shown = describe(Model(net, Segmentation(["a", "b"]), Grid(2)), torch.zeros(1, 1, 8, 8))
        assert (shown["looks_everywhere"], shown["tiles_are_exact"]) == (everywhere, not everywhere)
