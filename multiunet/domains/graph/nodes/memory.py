"""Memory that a step on a graph takes, before it is taken, and the size of parts."""

from __future__ import annotations

import math

from multiunet.domains.graph.nodes.config import GraphTrain
from multiunet.errors import InputError
from multiunet.geometries.graph.pyg_conv import HEADS

PASSES = 14
"""Arrays of a level's features that a training step holds at once: measured, with all that lies between them, on random
graphs of 200,000 nodes with ten edges each (``tests/domains/graph/test_memory.py``)."""

AN_EDGE = 64
"""Bytes of an edge: both ends, its weight, its place in both orders, and gradients."""

OF_ATTENTION = 5
"""Arrays of edges times channels times heads that attention holds."""

OF_MESSAGES = 7
"""Arrays of edges times channels that ``gine`` holds: measured on 60,000 nodes and 600,000 edges."""

TO_ALL = 11
"""Arrays of the coarsest level's features that attention to all nodes holds: 10.1 to 10.4 of 1,354 to 4,096 nodes. Its
scores are never all there at once."""

MOST_ATTENDED = 4096
"""Nodes of the coarsest level that may attend: a pass takes 0.3 s on two cores, sixteen times that of 1,024."""

USABLE = 0.8
"""Share of the free memory that may be planned with."""


def step_memory(config: GraphTrain, nodes: int, edges: int, features: int, two_hop: bool = True) -> int:
    """Bytes that a training step on a graph takes at most, about.

    Args:
        nodes, edges: of the graph; of several views, of all of them.
        features: that are stored of a node.
        two_hop: selected nodes get edges of two steps.
    """
    total, most = 8.0 * features * nodes, float(nodes)
    count = float(edges)
    for level, width in enumerate(config.widths, start=1):
        if config.attention == "full" and level == len(config.widths):
            total += 4 * TO_ALL * width * most
        total += 4 * PASSES * width * most + AN_EDGE * count
        if config.conv == "gatv2":
            total += 4 * OF_ATTENTION * HEADS * width * count
        if config.conv == "gine":
            total += 4 * OF_MESSAGES * width * count
        if config.pool == "mincut":
            total += 4 * PASSES * config.clusters * most
            most, count = config.clusters, config.clusters**2
            continue
        most = math.ceil(most * config.pool_ratio)
        if config.pool in ("topk", "sag"):
            count = most * min(most, config.max_neighbours or most) if two_hop else count * config.pool_ratio
    return int(total)


def check_attended(config: GraphTrain, nodes: int) -> None:
    """Check that no more nodes are left on the coarsest level than may attend.

    Raises:
        InputError: when there are more.
    """
    ways = len(config.widths) - 1
    left = config.clusters if config.pool == "mincut" else math.ceil(nodes * config.pool_ratio**ways)
    if config.attention == "full" and left > MOST_ATTENDED:
        raise InputError(
            f"`attention=full`: of {nodes:,} nodes {left:,} are left on the coarsest level, more than "
            f"{MOST_ATTENDED:,}, and the work grows with their square; give more `widths`, or a smaller `pool_ratio`"
        )


def part_nodes(
    config: GraphTrain, nodes: int, edges: int, features: int, views: int, free: int, two_hop: bool = True
) -> int | None:
    """Nodes of the largest parts that a step may see within the memory; None: all of them at once."""

    def need(part: int) -> int:
        return step_memory(config, views * part, views * math.ceil(edges * part / nodes), features, two_hop)

    budget = USABLE * free
    if need(nodes) <= budget:
        return None
    part = nodes
    while part > 1 and need(part) > budget:
        part //= 2
    return part
