"""From settings to the operators between levels."""

from __future__ import annotations

from multiunet.domains.graph.config import GraphTrain
from multiunet.geometries.graph_edges import CoarseEdges, Induced, TwoHop
from multiunet.geometries.graph_merge import Contraction, Matching
from multiunet.geometries.graph_pool import SAG, Pooling, TopK
from multiunet.geometries.graph_soft import MinCut


def pooling(config: GraphTrain) -> Pooling:
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
