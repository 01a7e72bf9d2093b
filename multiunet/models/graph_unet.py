"""U-Net of the nodes of graphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from torch import nn

from multiunet.core import SKIPS, Add, Condition, Skip, Trail, UNet
from multiunet.geometries.attention import Attention
from multiunet.geometries.graph.dropout import FeatureDropout
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph


class GraphUNet(UNet[GraphField]):
    """U-Net with dropout of input features, so that with few labels no single word decides.

    Args:
        input_dropout: probability that a feature of a node is dropped before the first convolution.
        geometry, in_channels, out_channels, channels, strides, skip: see ``UNet``.
    """

    def __init__(
        self,
        geometry: Graph | Sequence[Graph],
        in_channels: int,
        out_channels: int,
        channels: Sequence[int],
        *,
        strides: Sequence[float] | None = None,
        skip: type[Skip[GraphField]] = Add,
        input_dropout: float = 0.0,
    ) -> None:
        super().__init__(geometry, in_channels, out_channels, channels, strides=strides, skip=skip)
        finest = geometry if isinstance(geometry, Graph) else geometry[0]
        self.input_dropout = FeatureDropout(input_dropout, finest.whole_channels)

    def prefix(self) -> list[nn.Module]:
        return [self.input_dropout, *super().prefix()]

    def encode(self, x: GraphField, condition: Condition | None = None) -> Trail[GraphField]:
        return super().encode(self.input_dropout(x), condition)


def graph_unet(
    in_channels: int,
    out_channels: int,
    channels: Sequence[int] = (64, 64),
    *,
    geometry: Graph | None = None,
    pool_ratio: float = 0.5,
    skip: Literal["concat", "add", "attention", "none"] = "add",
    attention: Attention | None = None,
    input_dropout: float = 0.0,
) -> GraphUNet:
    """Build the graph U-Net of Gao & Ji 2019.

    One convolution a block, top-k pooling, edges of two steps, skips by addition.

    Args:
        in_channels: features of a node.
        out_channels: channels of the output of a node.
        channels: channels by level, finest first.
        geometry: the operators; ``Graph()`` by default.
        pool_ratio: share of the nodes that each level keeps, in (0, 1].
        attention: of each node to all nodes of its graph, behind the convolutions of the coarsest level; None: none.
        input_dropout: probability that a feature of a node is dropped before the first convolution.

    Raises:
        ValueError: when ``pool_ratio`` is out of range, or ``channels`` has fewer than two levels.

    >>> field = Graph().example(channels=8, seed=0)
    >>> graph_unet(8, 3)(field).x.shape[1]
    3
    """
    strides = compute_strides(pool_ratio, channels)
    return GraphUNet(
        attend_at_the_bottom(geometry or Graph(), len(channels), attention),
        in_channels,
        out_channels,
        channels,
        strides=strides,
        skip=SKIPS[skip],
        input_dropout=input_dropout,
    )


def attend_at_the_bottom(geometry: Graph, levels: int, attention: Attention | None) -> list[Graph]:
    """Return the geometry of each level, finest first: of the last one with attention, where there is any."""
    last = geometry if attention is None else replace(geometry, attention=attention)
    return [*[geometry] * (levels - 1), last]


def compute_strides(pool_ratio: float, channels: Sequence[int]) -> list[float]:
    """Return the strides between levels, each of which keeps the share ``pool_ratio`` of the nodes.

    Raises:
        ValueError: when ``pool_ratio`` is outside (0, 1].
    """
    if not 0 < pool_ratio <= 1:
        raise ValueError(f"pool_ratio {pool_ratio} must be in (0, 1]; 0.5 keeps half of the nodes")
    return [1 / pool_ratio] * (len(channels) - 1)
