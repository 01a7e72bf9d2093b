"""Shapes, types and values that the arrays of graphs must have."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.files.archives import Keys
from multiunet.domains.graph.files.attributes import Attributes
from multiunet.domains.graph.files.splits import decoded
from multiunet.errors import InputError

NODES_AND_EDGES: Keys = {
    "x": ("x", "node_features", "features"),
    "edge_index": ("edge_index", "edges"),
    "edge_attr": ("edge_attr", "edge_features"),
    "edge_weight": ("edge_weight",),
    "ptr": ("graph_ptr", "ptr"),
    "batch": ("batch", "graph_indicator"),
    "nodes": ("num_nodes",),
}
"""Names of the parts that one graph and many have: those of PyTorch Geometric, and of other collections."""


def check_rows(path: Path, name: str, values: NDArray[Any], rows: int, of: str) -> NDArray[np.float32]:
    """Return a table of finite numbers, ``(rows, columns)``; a single column may be given as ``(rows,)``.

    Args:
        name, of: of the array, and of what it has a row each, for errors.

    Raises:
        InputError: for another shape or type, or a value that is not finite in 32 bits.
    """
    table = values[:, None] if values.ndim == 1 else values
    if table.ndim != 2 or table.shape[0] != rows or table.shape[1] == 0:
        raise InputError(
            f"{path}: {name} has the shape {values.shape}; it must be ({rows}, columns), a row for each {of}"
        )
    if table.dtype.kind not in "biuf":
        raise InputError(f"{path}: {name} has the type {values.dtype}; it must be numbers")
    with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is refused
        found = table.astype(np.float32)
    bad = ~np.isfinite(found)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise InputError(
            f"{path}: {name} has {int(bad.sum())} values that are not finite, the first at {of} {row}, column {column} "
            f"({table[row, column]}); fill them or drop the column"
        )
    return found


def check_edge_arrays(
    path: Path, found: Mapping[str, NDArray[Any] | None], nodes: int, wanted: bool = True
) -> tuple[NDArray[np.int64], NDArray[np.float32] | None, Attributes | None]:
    """Return edges ``(2, edges)``, their weights ``(edges,)`` and their attributes, where there are any.

    Args:
        found: arrays by the names of ``NODES_AND_EDGES``.
        wanted: whether attributes are.

    Raises:
        InputError: where they are not pairs of nodes 0..nodes-1, positive numbers and rows of numbers for each edge.
    """
    edges, weight, values = check_edges(path, found["edge_index"], nodes), found["edge_weight"], found["edge_attr"]
    count = edges.shape[1]
    return (
        edges,
        None if weight is None else check_weight(path, weight, count),
        None if values is None or not wanted else Attributes(check_rows(path, "edge_attr", values, count, "edge")),
    )


def check_edges(path: Path, edges: NDArray[Any] | None, nodes: int) -> NDArray[np.int64]:
    """Return edges as ``(2, edges)``.

    Raises:
        InputError: where they are not pairs of nodes 0..nodes-1.
    """
    if edges is not None and not edges.size:  # of any shape and type, as lists without edges become
        return np.zeros((2, 0), dtype=np.int64)
    if edges is None or edges.ndim != 2 or 2 not in edges.shape:
        shape = () if edges is None else edges.shape
        raise InputError(f"{path}: edge_index has the shape {shape}; it must be (2, edges) or (edges, 2)")
    if edges.dtype.kind not in "iu":
        raise InputError(
            f"{path}: edge_index has the type {edges.dtype}; nodes are numbered by integers from 0; save it as int64"
        )
    ends = (edges if edges.shape[0] == 2 else edges.T).astype(np.int64)
    outside = ((ends < 0) | (ends >= nodes)).any(axis=0)
    if outside.any():
        edge = int(np.flatnonzero(outside)[0])
        source, target = ends[:, edge]
        raise InputError(
            f"{path}: {int(outside.sum())} edges point outside the {nodes} nodes 0..{nodes - 1}, the first is edge "
            f"{edge}: {source} -> {target}; number nodes from 0, or add those that are missing"
        )
    return ends


def check_weight(path: Path, weight: NDArray[Any], edges: int) -> NDArray[np.float32]:
    """Return weights as ``(edges,)``.

    Raises:
        InputError: where they are not one positive number for each edge.
    """
    flat = weight.reshape(-1)
    if flat.size != edges or flat.dtype.kind not in "biuf":
        raise InputError(
            f"{path}: edge_weight {weight.shape} {weight.dtype} must be one number for each of {edges} edges"
        )
    with np.errstate(over="ignore"):
        values = flat.astype(np.float32)
    bad = ~(np.isfinite(values) & (values > 0))
    if bad.any():
        edge = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"{path}: edge_weight of edge {edge} is {flat[edge]} ({int(bad.sum())} such); weights must be positive "
            "numbers that 32 bits can hold"
        )
    return values


def check_single(path: Path, starts: NDArray[Any] | None, batch: NDArray[Any] | None, advice: str) -> None:
    """Check that a file does not hold several graphs.

    Args:
        starts: where the nodes of each graph start.
        batch: the graph of each node.
        advice: what to do with several.

    Raises:
        InputError: naming the array that says so.
    """
    if (starts is not None and starts.size != 2) or (batch is not None and len(np.unique(batch)) > 1):
        name = "graph_ptr" if starts is not None else "batch"
        raise InputError(f"{path}: holds many graphs ({name}); {advice}")


def count_nodes(path: Path, edges: NDArray[Any] | None, given: NDArray[Any] | None) -> int:
    """Return how many nodes a graph without features has: as many as it states, or as edges name.

    Args:
        given: ``num_nodes`` of the file, if any.

    Raises:
        InputError: for a statement that is not one number.
    """
    if given is not None:
        if given.size != 1 or given.dtype.kind not in "iu" or int(given.reshape(-1)[0]) < 0:
            raise InputError(f"{path}: num_nodes must be one number, of all nodes")
        return int(given.reshape(-1)[0])
    return max(0, int(edges.max()) + 1) if edges is not None and edges.size and edges.dtype.kind in "iu" else 0


def plain_labels(y: NDArray[Any]) -> NDArray[Any]:
    """Return labels, those of a single column as ``(rows,)``; text as tables have it.

    That is without the blanks around it, and in composed Unicode (NFC).
    """
    plain = decoded(y)
    if plain.dtype.kind == "U":
        words, places = np.unique(plain, return_inverse=True)
        known = np.array([unicodedata.normalize("NFC", str(word).strip()) for word in words], dtype=np.str_)
        plain = known[places].reshape(plain.shape)
    return plain[:, 0] if plain.ndim == 2 and plain.shape[1] == 1 else plain
