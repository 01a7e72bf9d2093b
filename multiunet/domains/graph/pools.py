"""From settings to the operators between levels."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from multiunet.domains.graph.options import PoolTrain
from multiunet.errors import InputError
from multiunet.geometries.graph.edges import CoarseEdges, Edges, Induced, TwoHop, estimate
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.merge import Contraction, Matching
from multiunet.geometries.graph.select import SAG, Pooling, TopK
from multiunet.geometries.graph.soft import MinCut
from multiunet.memory import amount, free_memory

BYTES_AN_EDGE = 64
"""What forming and holding a two-hop edge takes: measured 60 to 75 while a product is formed, 36 afterwards."""


def pooling(config: PoolTrain) -> Pooling:
    """The pooling that the settings describe."""
    match config.pool:
        case "topk" | "sag":
            edges: CoarseEdges = TwoHop(max_neighbours=config.max_neighbours)
            if config.max_neighbours is None:
                edges = WithinMemory(edges)
            kind = TopK if config.pool == "topk" else SAG
            return kind(gate=config.gate, edges=Induced() if config.augment == "none" else edges)
        case "matching":
            return Matching(reduce=config.merge)
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
                "--max-neighbours 64, or pass --augment none or --pool matching"
            )
        return self.edges(field, kept, score)
