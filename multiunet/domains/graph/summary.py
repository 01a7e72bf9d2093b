"""Data and task of a training on graphs, in words."""

from __future__ import annotations

from multiunet.domains.graph.info import GraphInfo, GraphSetInfo, NodeInfo
from multiunet.domains.summary import summarise_split, summarise_target
from multiunet.wording import counted


def summarise_nodes(where: object, info: NodeInfo) -> dict[str, str]:
    """Return what the graph is, and what is learnt of its nodes."""
    parts = "the whole graph at once" if info.batch_nodes is None else f"parts of at most {info.batch_nodes:,} nodes"
    return {
        "data": f"{where}: {info.nodes:,} nodes, {info.edges.used:,} edges; {summarise_split(info, 'node')}",
        "inputs": _inputs(info),
        "learns": f"of nodes {summarise_target(info)}",
        "steps on": parts,
    }


def summarise_graphs(where: object, info: GraphSetInfo) -> dict[str, str]:
    """Return what the graphs are, and what is learnt of them or of their nodes."""
    size = f"{info.nodes:,} nodes, the largest {info.largest:,}; {info.edges.used:,} edges"
    of = "graphs" if info.level == "graph" else "nodes"
    return {
        "data": f"{where}: {counted(info.graphs, 'graph')} with {size}; {summarise_split(info, 'graph')}",
        "inputs": _inputs(info),
        "learns": f"of {of} {summarise_target(info)}",
    }


def _inputs(info: GraphInfo) -> str:
    """Say what a network reads of a node, and of an edge."""
    own, parts = info.inputs, []
    if own.features.count:
        parts.append(counted(own.features.count, "feature"))
    if own.tags:
        parts.append(counted(len(own.tags), "kind"))
    if own.degrees is not None:
        parts.append("its degree")
    if own.positions is not None:
        parts.append(f"{own.positions.count} positional encodings")
    edges = f"; of each edge {counted(own.attributes.count, 'attribute')}" if own.attributes.count else ""
    return f"of each node {' and '.join(parts)}{edges}"
