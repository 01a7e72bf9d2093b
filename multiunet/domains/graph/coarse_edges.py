"""Choice between edges of two steps and those of the fine graph alone, for selected nodes."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.info import CoarseEdges
from multiunet.domains.graph.options import PoolTrain

EdgeKind = Literal["two-hop", "induced"]

SELECTING = ("topk", "sag")
"""Poolings that keep some nodes and leave out the others."""

MANY_PATHS = 20_000_000
"""Paths of two steps that cost about a second of CPU an epoch: 0.04 us each, measured on random graphs of 90,000 to a
million edges, with degrees that are alike and with degrees that follow a power law."""

MANY_PER_NODE = 200
"""Paths a node from which they cost more than all else of an epoch: about 8 us a node (two levels of 64 channels)."""


def count_paths(index: NDArray[np.int64], nodes: int) -> int:
    """Count paths of two steps, waiting at a node included: each node's incoming times its outgoing edges.

    Args:
        index: source and target of each edge, ``(2, edges)``.
    """
    outgoing, incoming = (np.bincount(ends, minlength=nodes).astype(np.int64) + 1 for ends in index)
    return int((outgoing * incoming).sum())


def choose_coarse_edges(config: PoolTrain, index: NDArray[np.int64], nodes: int) -> CoarseEdges:
    """Choose the edges of coarser graphs: ``two-hop``, unless its paths cost most of an epoch.

    Args:
        config: settings; a kind that they give wins.
        index: source and target of the edges of all graphs, ``(2, edges)``.
        nodes: number of nodes of all graphs.
    """
    paths = count_paths(index, nodes)
    counted = f"{paths:,} paths of two steps, {paths / max(1, nodes):,.0f} a node"
    if config.pool not in SELECTING:
        return CoarseEdges(kind=None, paths=paths, reason=f"`pool={config.pool}` selects no nodes")
    if config.coarse_edges != "auto":
        return CoarseEdges(kind=config.coarse_edges, paths=paths, reason=f"set by `coarse_edges`; {counted}")
    if paths > MANY_PATHS and paths > MANY_PER_NODE * nodes:
        reason = f"{counted}, would cost most of an epoch (about {4e-8 * paths:.0f} s of CPU)"
        return CoarseEdges(kind="induced", paths=paths, reason=reason)
    return CoarseEdges(kind="two-hop", paths=paths, reason=f"{counted}, cost little")


def describe_choice(config: PoolTrain, chosen: CoarseEdges) -> str | None:
    """Say why the data got ``induced``; None where they did not, or where it was set."""
    if config.coarse_edges != "auto" or chosen.kind != "induced":
        return None
    return (
        f"{chosen.reason}, so coarser graphs keep the edges between kept nodes alone; `coarse_edges=two-hop` adds "
        "those of two steps"
    )
