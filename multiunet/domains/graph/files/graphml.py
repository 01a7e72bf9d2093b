"""A graph as GraphML, as NetworkX, Gephi, yEd, igraph and Cytoscape write it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.files.cells import MISSING, Column, Words
from multiunet.domains.graph.files.graphml_document import Attribute, Document, parse_graphml
from multiunet.domains.graph.files.sheet import Table
from multiunet.domains.graph.files.tables import Columns, Tables, add_reverses, build_tables
from multiunet.domains.remarks import remark_file
from multiunet.errors import InputError
from multiunet.wording import listing

TRUTH = {"true": "1", "false": "0"}

INTEGER = re.compile(r"[+-]?\d+", re.ASCII)


def read_graphml(path: Path, columns: Columns, single: bool = False) -> Tables:
    """Read a graph from GraphML.

    Attributes of nodes are the label, the split and features. An undirected edge is one in each direction. A node or
    edge without a datum has the default of its key, if any. Several graphs of one file are read as the parts of one,
    with a remark.

    Args:
        single: refuse a file of several graphs.

    Raises:
        InputError: naming the node or edge and what is wrong with it.
    """
    document = parse_graphml(path)
    _check_graphs(document, single)
    ids, given = list(document.nodes), document.edges
    nodes = _table(path, document.data["node"], len(ids), lambda row: f"node {ids[row]}")
    edges = _table(
        path, document.data["edge"], len(given), lambda row: f"edge {given[row].source} -> {given[row].target}"
    )
    ends = _ends(document)
    back = np.array([edge.undirected for edge in given], dtype=bool) & (ends[0] != ends[1])
    ends, edges = add_reverses(edges, ends, np.flatnonzero(back))
    return build_tables(nodes, ids, edges, ends, columns)


def _check_graphs(document: Document, single: bool) -> None:
    if not document.nodes:
        raise InputError(f"{document.path}: has no node")
    if len(document.graphs) == 1:
        return
    graphs = f"{len(document.graphs)} graphs: {listing([f'{name} ({nodes} nodes)' for name, nodes in document.graphs])}"
    if single:
        raise InputError(f"{document.path}: holds {graphs}; save each in a file of its own")
    remark_file(document.path, f"holds {graphs}; they are read as the parts of one graph")


def _ends(document: Document) -> NDArray[np.int64]:
    """Return the numbers of the nodes at the ends of each edge, ``(2, edges)``."""
    ends = np.empty((2, len(document.edges)), dtype=np.int64)
    for place, edge in enumerate(document.edges):
        for end, node in enumerate((edge.source, edge.target)):
            if node not in document.nodes:
                raise InputError(
                    f"{document.path}, edge {edge.source} -> {edge.target}: there is no node {node!r}; add the node or "
                    "remove the edge"
                )
            ends[end, place] = document.nodes[node]
    return ends


def _table(path: Path, data: Mapping[str, Attribute], rows: int, place: Callable[[int], str]) -> Table:
    """Return the data of all nodes or edges as columns."""
    used = {name: given for name, given in data.items() if given.cells or given.default is not None}
    order = sorted(used, key=lambda name: not used[name].cells)  # of defaults alone last
    columns = {name: _column(path, name, used[name], rows, place) for name in order}
    return Table(path, columns, rows, place)


def _column(path: Path, name: str, given: Attribute, rows: int, place: Callable[[int], str]) -> Column:
    default = given.default or ""
    column = Words.of(given.cells.get(row, default) for row in range(rows))
    if given.kind in ("int", "long"):
        odd = [word for word in column.words if word not in MISSING and INTEGER.fullmatch(word) is None]
        if odd:
            row = int(np.flatnonzero(column.mark(odd))[0])
            raise InputError(
                f"{path}, {place(row)}: {name} is {column[row]!r}, but declared as {given.kind}; correct one"
            )
    if given.kind == "boolean":
        return Words.of(TRUTH.get(word.lower(), word) for word in column.cells().tolist())
    return column
