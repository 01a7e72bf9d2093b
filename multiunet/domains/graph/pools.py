"""From settings to the operators between levels."""

from __future__ import annotations

from typing import Literal, Protocol

from multiunet.geometries.graph_edges import CoarseEdges, Induced, TwoHop
from multiunet.geometries.graph_merge import Contraction, Matching, Reduce
from multiunet.geometries.graph_pool import SAG, Gate, Pooling, TopK
from multiunet.geometries.graph_soft import MinCut


class PoolSettings(Protocol):
    """The settings that describe a pooling."""

    @property
    def pool(self) -> Literal["topk", "sag", "matching", "contraction", "mincut"]: ...
    @property
    def gate(self) -> Gate: ...
    @property
    def augment(self) -> Literal["two-hop", "none"]: ...
    @property
    def max_neighbours(self) -> int | None: ...
    @property
    def merge(self) -> Reduce: ...
    @property
    def clusters(self) -> int: ...


def pooling(config: PoolSettings) -> Pooling:
    """The pooling that the settings describe."""
    match config.pool:
        case "topk" | "sag":
            edges: CoarseEdges = TwoHop(max_neighbours=config.max_neighbours)
            kind = TopK if config.pool == "topk" else SAG
            return kind(gate=config.gate, edges=Induced() if config.augment == "none" else edges)
        case "matching":
            return Matching(reduce=config.merge)
        case "contraction":
            return Contraction(reduce=config.merge)
        case "mincut":
            return MinCut(clusters=config.clusters)
