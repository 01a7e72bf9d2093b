"""Parts of a graph network from settings: the convolution, and the pooling between levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from multiunet.domains.attending import HEAD
from multiunet.domains.graph.coarse_edges import EdgeKind
from multiunet.domains.graph.info import GraphInfo
from multiunet.domains.graph.options import NetworkTrain, PoolTrain
from multiunet.errors import InputError
from multiunet.geometries.attention import Attention
from multiunet.geometries.graph.conv import GCN, GIN, GINE, SAGE, Convolution
from multiunet.geometries.graph.edges import CoarseEdges, Edges, Induced, TwoHop, estimate
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph
from multiunet.geometries.graph.merge import Contraction, HeavyEdgeMatching
from multiunet.geometries.graph.pooling import Pooling
from multiunet.geometries.graph.pyg_conv import GATv2
from multiunet.geometries.graph.select import SAG, TopK
from multiunet.geometries.graph.soft import MinCut
from multiunet.geometries.grid.transformer import count_heads
from multiunet.memory import amount, free_memory

BYTES_AN_EDGE = 64
"""Bytes to form and hold a two-hop edge: measured 60 to 75 while a product is formed, 36 afterwards."""

ConvName = Literal["gcn", "sage", "gin", "gine", "gatv2"]


def make_conv(name: ConvName, edge_features: int, hops: int = 1, teleport: float = 0.1) -> Convolution:
    """Make the convolution that the settings name.

    Args:
        edge_features: number of edge attributes, which ``gine`` and ``gatv2`` read.
        hops, teleport: propagation of ``gcn``.
    """
    match name:
        case "gcn":
            return GCN(hops=hops, teleport=teleport)
        case "sage":
            return SAGE()
        case "gin":
            return GIN()
        case "gine":
            return GINE(edge_features)
        case "gatv2":
            return GATv2(edge_features)


def make_geometry(config: NetworkTrain, info: GraphInfo, conv: Convolution, whole_channels: bool = False) -> Graph:
    """Make the geometry that the settings describe.

    Args:
        whole_channels: dropout drops a feature at all nodes of a graph together.
    """
    return Graph(
        conv=conv,
        normalization=config.normalization,
        dropout=config.dropout,
        whole_channels=whole_channels,
        convs=config.convs,
        residual=config.residual,
        edge_dropout=config.edge_dropout,
        pool=make_pool(config, info.coarse_edges.kind),
        virtual_node=config.virtual_node,
    )


def make_attention(config: NetworkTrain, channels: int) -> Attention | None:
    """Make the attention that the settings ask for, for a level of so many channels; None where for none."""
    return None if config.attention == "none" else Attention(count_heads(channels, HEAD), config.dropout)


def make_pool(config: PoolTrain, coarse_edges: EdgeKind | None = "two-hop") -> Pooling:
    """Make the pooling that the settings describe, with the coarse edges chosen for the data."""
    match config.pool:
        case "topk" | "sag":
            edges: CoarseEdges = TwoHop(max_neighbours=config.max_neighbours)
            if config.max_neighbours is None:
                edges = WithinMemory(edges)
            kind = TopK if config.pool == "topk" else SAG
            return kind(gate=config.gate, edges=Induced() if coarse_edges == "induced" else edges)
        case "matching":
            return HeavyEdgeMatching(reduce=config.merge)
        case "contraction":
            return Contraction(reduce=config.merge)
        case "mincut":
            return MinCut(clusters=config.clusters)


@dataclass(frozen=True)
class WithinMemory(CoarseEdges):
    """Unbounded two-hop edges, where memory holds what they can at most become."""

    edges: CoarseEdges

    def __call__(self, field: GraphField, kept: Tensor, score: Tensor) -> Edges:
        """See ``CoarseEdges``.

        Raises:
            InputError: before anything is multiplied.
        """
        most, free = estimate(field, kept).edges, free_memory(field.x.device)
        if BYTES_AN_EDGE * most > free:
            raise InputError(
                f"max_neighbours null: {len(kept):,} kept nodes have up to {most:,} edges of two steps, which take "
                f"{amount(BYTES_AN_EDGE * most)} where {amount(free)} are free; bound them, for example "
                "`max_neighbours=64`, or pass `coarse_edges=induced` or `pool=matching`"
            )
        return self.edges(field, kept, score)
