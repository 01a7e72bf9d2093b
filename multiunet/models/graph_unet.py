"""The U-Net of nodes in graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import nn

from multiunet.core import SKIPS, Add, Condition, Skip, Trail, UNet
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import FeatureDropout, Graph


class GraphUNet(UNet[GraphField]):
    """A U-Net whose input features are dropped at random: where few nodes are labelled, no single word may decide."""

    def __init__(
        self,
        geometry: Graph,
        c_in: int,
        c_out: int,
        widths: Sequence[int],
        *,
        strides: Sequence[float] | None = None,
        skip: type[Skip[GraphField]] = Add,
        input_dropout: float = 0.0,
    ) -> None:
        super().__init__(geometry, c_in, c_out, widths, strides=strides, skip=skip)
        self.input_dropout = FeatureDropout(input_dropout, geometry.whole_channels)

    def prefix(self) -> list[nn.Module]:
        return [self.input_dropout, *super().prefix()]

    def encode(self, x: GraphField, condition: Condition | None = None) -> Trail[GraphField]:
        return super().encode(self.input_dropout(x), condition)


def graph_unet(
    c_in: int,
    c_out: int,
    widths: Sequence[int] = (64, 64),
    *,
    geometry: Graph | None = None,
    pool_ratio: float = 0.5,
    skip: Literal["concat", "add", "attention", "none"] = "add",
    input_dropout: float = 0.0,
) -> GraphUNet:
    """A graph U-Net (Gao & Ji 2019): one convolution a block, top-k pooling, two-hop augmentation, skips by addition.

    Args:
        c_in: features of a node.
        c_out: channels of the output of a node.
        widths: channels by level, finest first.
        geometry: the operators; ``Graph()`` by default.
        pool_ratio: share of the nodes that each level keeps, in (0, 1].
        input_dropout: probability that a feature of a node is dropped before the first convolution.

    >>> field = Graph().example(channels=8, seed=0)
    >>> graph_unet(c_in=8, c_out=3)(field).x.shape[1]
    3
    """
    strides = strides_of(pool_ratio, widths)
    return GraphUNet(
        geometry or Graph(), c_in, c_out, widths, strides=strides, skip=SKIPS[skip], input_dropout=input_dropout
    )


def strides_of(pool_ratio: float, widths: Sequence[int]) -> list[float]:
    """Between the levels of a U-Net that keeps this share of the nodes. Raises ValueError where that is no share."""
    if not 0 < pool_ratio <= 1:
        raise ValueError(f"pool_ratio {pool_ratio} must be in (0, 1]; 0.5 keeps half of the nodes")
    return [1 / pool_ratio] * (len(widths) - 1)
