"""U-Net of whole graphs: classes and quantities of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from multiunet.core import SKIPS, Condition, Dropout, Trail, UNet
from multiunet.geometries.attention import Attention
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph
from multiunet.geometries.graph.readout import Readout, ReadoutName
from multiunet.models.graph_unet import attend_at_the_bottom, compute_strides


class GraphReadoutUNet(nn.Module):
    """U-Net whose levels are read out for an output of whole graphs.

    The levels of the way down (as in Cangea et al. 2018 and Lee et al. 2019, "SAGPool", section 3.3) and the finest
    decoded one, each as one vector a graph, side by side, go through a hidden layer to the output. That is a field of
    one node a graph, so that tasks, batches and Monte-Carlo samples are those of nodes.

    Args:
        net: the U-Net; its output is the finest decoded level.
        readouts: of each level: ``mean``, ``max``, ``sum``.
        hidden: channels of the hidden layer.
        out_channels: channels of the output of a graph.
        dropout: probability that a feature of the hidden layer is dropped.
    """

    def __init__(
        self, net: UNet[GraphField], readouts: Sequence[ReadoutName], hidden: int, out_channels: int, dropout: float
    ) -> None:
        super().__init__()
        self.net, self.readout = net, Readout(readouts)
        self.geometry, self.in_channels, self.out_channels = net.geometry, net.in_channels, out_channels
        channels = sum(net.channels[:-1]) + net.bottom_channels + net.out_channels
        self.head = nn.Sequential(
            nn.LayerNorm(channels * len(readouts)),
            nn.Linear(channels * len(readouts), hidden),
            nn.ReLU(),
            Dropout(dropout, whole_channels=True),
            nn.Linear(hidden, out_channels),
        )

    def prefix(self) -> list[nn.Module]:
        """Return the modules that ``encode`` runs."""
        return self.net.prefix()

    def encode(self, x: GraphField, condition: Condition | None = None) -> Trail[GraphField]:
        """Run the way down; see ``UNet``."""
        return self.net.encode(x, condition)

    def decode(self, trail: Trail[GraphField], condition: Condition | None = None) -> GraphField:
        """Run the way up, the readouts and the head: a field of one node a graph."""
        finest = self.net.decode(trail, condition)
        levels = [*trail.saved, trail.bottom, finest]
        read = self.head(torch.cat([self.readout(level) for level in levels], dim=1))
        return make_graph_field(read).refine(read, finest)

    def forward(self, x: GraphField, condition: Condition | None = None) -> GraphField:
        """Map ``in_channels`` of nodes to ``out_channels`` of graphs, a field of ``graphs`` nodes."""
        return self.decode(self.encode(x, condition), condition)


def make_graph_field(x: Tensor) -> GraphField:
    """Make a field of one node a graph, without edges, of features ``(graphs, channels)``."""
    graphs = torch.arange(len(x), device=x.device)
    return GraphField(x, graphs.new_zeros(2, 0), graphs, graphs=len(x))


def graph_readout_unet(
    in_channels: int,
    out_channels: int,
    channels: Sequence[int] = (64, 64, 64),
    *,
    geometry: Graph | None = None,
    pool_ratio: float = 0.5,
    skip: Literal["concat", "add", "attention", "none"] = "add",
    attention: Attention | None = None,
    readouts: Sequence[ReadoutName] = ("mean", "max"),
    dropout: float = 0.0,
) -> GraphReadoutUNet:
    """Build a graph U-Net (Gao & Ji 2019) whose output is of whole graphs.

    Args:
        in_channels: features of a node.
        out_channels: channels of the output of a graph.
        channels: channels by level, finest first.
        geometry: the operators; ``Graph()`` by default.
        pool_ratio: share of the nodes that each level keeps, in (0, 1].
        attention: of each node to all nodes of its graph, behind the convolutions of the coarsest level; None: none.
        readouts: of each level: ``mean``, ``max``, ``sum``.
        dropout: probability that a feature of the head's hidden layer is dropped; the geometry has that of blocks.

    Raises:
        ValueError: when ``pool_ratio`` is out of range, or ``channels`` has fewer than two levels.

    >>> graph = Graph()
    >>> field = graph.collate([graph.example(channels=8, seed=seed) for seed in range(5)])
    >>> graph_readout_unet(8, 3)(field).x.shape
    torch.Size([5, 3])
    """
    strides = compute_strides(pool_ratio, channels)
    levels = attend_at_the_bottom(geometry or Graph(), len(channels), attention)
    net = UNet(levels, in_channels, channels[0], channels, strides=strides, skip=SKIPS[skip])
    return GraphReadoutUNet(net, readouts, channels[0], out_channels, dropout)
