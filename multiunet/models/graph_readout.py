"""The U-Net of whole graphs: classes and quantities of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from multiunet.core import SKIPS, Condition, Dropout, Trail, UNet
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph
from multiunet.geometries.graph.readout import Readout, ReadoutName
from multiunet.models.graph_unet import strides_of


class GraphReadoutUNet(nn.Module):
    """A U-Net whose levels are read out.

    The levels of the way down (as in Cangea et al. 2018 and Lee et al. 2019, "SAGPool", section 3.3) and the finest
    decoded one, each as one vector a graph, side by side, go through a hidden layer to the output. That is a field of
    one node a graph, so that tasks, batches and Monte-Carlo samples are those of nodes.

    Args:
        net: its output is the finest decoded level.
        hidden: channels of the hidden layer.
        dropout: of the hidden layer's features.
    """

    def __init__(
        self, net: UNet[GraphField], readouts: Sequence[ReadoutName], hidden: int, c_out: int, dropout: float
    ) -> None:
        super().__init__()
        self.net, self.readout = net, Readout(readouts)
        self.geometry, self.c_in, self.c_out = net.geometry, net.c_in, c_out
        channels = sum(net.widths[:-1]) + net.c_bottom + net.c_out
        self.head = nn.Sequential(
            nn.LayerNorm(channels * len(readouts)),
            nn.Linear(channels * len(readouts), hidden),
            nn.ReLU(),
            Dropout(dropout, whole_channels=True),
            nn.Linear(hidden, c_out),
        )

    def prefix(self) -> list[nn.Module]:
        """The modules that ``encode`` runs."""
        return self.net.prefix()

    def encode(self, x: GraphField, condition: Condition | None = None) -> Trail[GraphField]:
        """The way down; see ``UNet``."""
        return self.net.encode(x, condition)

    def decode(self, trail: Trail[GraphField], condition: Condition | None = None) -> GraphField:
        """The way up, the readouts and the head: a field of one node a graph."""
        finest = self.net.decode(trail, condition)
        levels = [*trail.saved, trail.bottom, finest]
        read = self.head(torch.cat([self.readout(level) for level in levels], dim=1))
        return of_graphs(read).refined(read, finest)

    def forward(self, x: GraphField, condition: Condition | None = None) -> GraphField:
        """``c_in`` channels of nodes in, ``c_out`` channels of graphs out, on ``graphs`` nodes."""
        return self.decode(self.encode(x, condition), condition)


def of_graphs(x: Tensor) -> GraphField:
    """A field of one node a graph, without edges; ``x``: ``(graphs, channels)``."""
    graphs = torch.arange(len(x), device=x.device)
    return GraphField(x, graphs.new_zeros(2, 0), graphs, graphs=len(x))


def graph_readout_unet(
    c_in: int,
    c_out: int,
    widths: Sequence[int] = (64, 64, 64),
    *,
    geometry: Graph | None = None,
    pool_ratio: float = 0.5,
    skip: Literal["concat", "add", "attention", "none"] = "add",
    readouts: Sequence[ReadoutName] = ("mean", "max"),
    dropout: float = 0.0,
) -> GraphReadoutUNet:
    """A graph U-Net (Gao & Ji 2019) that says something of whole graphs.

    Args:
        c_in: features of a node.
        c_out: channels of the output of a graph.
        widths: channels by level, finest first.
        geometry: the operators; ``Graph()`` by default.
        pool_ratio: share of the nodes that each level keeps, in (0, 1].
        readouts: of each level.
        dropout: of the head's hidden layer; that of blocks is the geometry's.

    >>> graph = Graph()
    >>> field = graph.collate([graph.example(channels=8, seed=seed) for seed in range(5)])
    >>> graph_readout_unet(c_in=8, c_out=3)(field).x.shape
    torch.Size([5, 3])
    """
    strides = strides_of(pool_ratio, widths)
    net = UNet(geometry or Graph(), c_in, widths[0], widths, strides=strides, skip=SKIPS[skip])
    return GraphReadoutUNet(net, readouts, widths[0], c_out, dropout)
