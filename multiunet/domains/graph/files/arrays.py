"""Many graphs as the arrays of a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.files.archives import Arrays, Keys
from multiunet.domains.graph.files.attributes import Attributes
from multiunet.domains.graph.files.checks import (
    NODES_AND_EDGES,
    check_edge_arrays,
    check_rows,
    check_single,
    count_nodes,
    plain_labels,
)
from multiunet.domains.graph.files.collection import GraphSet, check_distinct
from multiunet.domains.graph.files.splits import decoded, read_split_arrays, resembles_split, words_of_masks
from multiunet.domains.remarks import remark_file
from multiunet.errors import InputError
from multiunet.wording import listing

KEYS: Keys = {
    **NODES_AND_EDGES,
    "tags": ("node_tag", "node_tags"),
    "y": ("y", "graph_labels", "labels"),
    "ids": ("ids", "graph_ids", "names"),
    "groups": ("group", "groups"),
}
"""Names of the parts of many graphs: those of PyTorch Geometric, and of the TU collection."""


def from_arrays(path: Path, arrays: Arrays, alone: bool) -> GraphSet:
    """Return many graphs, or one, as a file has them.

    Args:
        alone: whether the file is of one graph, named after it.

    Raises:
        InputError: naming the array and what is wrong with it.
    """
    found = {part: None if array is None else np.atleast_1d(array) for part, array in arrays.parts(KEYS).items()}
    if found["edge_index"] is None:
        raise InputError(f"{path}: has no {' or '.join(KEYS['edge_index'])}, only {arrays}")
    starts = _alone(path, found) if alone else _starts(path, found)
    nodes, graphs = int(starts[-1]), len(starts) - 1
    arrays.remark_unread(path, KEYS)
    edges, weight, attributes = check_edge_arrays(path, found, nodes)
    of_graph = np.repeat(np.arange(graphs), np.diff(starts))
    ends = of_graph[edges]
    _check_inside(path, edges, ends)
    order = np.argsort(ends[0], kind="stable")
    return GraphSet(
        path=path,
        ids=(path.stem,) if alone else _ids(path, found["ids"], graphs),
        starts=starts,
        x=None if found["x"] is None else check_rows(path, "x", found["x"], nodes, "node"),
        tags=_tags(path, found["tags"], nodes),
        edges=edges[:, order],
        weight=None if weight is None else weight[order],
        attributes=None if attributes is None else Attributes(attributes.values[order]),
        y=None if found["y"] is None else plain_labels(found["y"]),
        splits=_splits(path, arrays, graphs, alone),
        groups=None if alone or found["groups"] is None else _words(path, "group", found["groups"], graphs),
    )


def _alone(path: Path, found: Mapping[str, NDArray[Any] | None]) -> NDArray[np.int64]:
    check_single(path, found["ptr"], found["batch"], "a file of the folder is one graph; give this one without others")
    for part in ("x", "tags"):
        given = found[part]
        if given is not None:
            return np.array([0, len(given)])
    return np.array([0, count_nodes(path, found["edge_index"], found["nodes"])])


def _starts(path: Path, found: Mapping[str, NDArray[Any] | None]) -> NDArray[np.int64]:
    ptr, batch = found["ptr"], found["batch"]
    if ptr is None and batch is None:
        raise InputError(
            f"{path}: has no graph_ptr (where the nodes of each graph start, and the number of all: graphs + 1 "
            "numbers); one graph is trained by `multiunet train graph`"
        )
    if ptr is None:
        ptr = _from_batch(path, batch, found["y"])
    if ptr.ndim != 1 or ptr.dtype.kind not in "iu":
        raise InputError(f"{path}: graph_ptr {ptr.shape} {ptr.dtype} must be graphs + 1 integers")
    starts = ptr.astype(np.int64)
    if len(starts) < 2:
        raise InputError(f"{path}: has no graph: graph_ptr has {len(starts)} numbers, graphs + 1 are needed")
    if starts[0] != 0 or (np.diff(starts) < 0).any():
        raise InputError(f"{path}: graph_ptr must begin with 0 and never fall; graph i has nodes ptr[i]..ptr[i + 1]-1")
    if batch is not None and not np.array_equal(batch, np.repeat(np.arange(len(starts) - 1), np.diff(starts))):
        raise InputError(f"{path}: graph_ptr and batch contradict each other; leave one out")
    for part in ("x", "tags"):
        given = found[part]
        if given is not None and len(given) != starts[-1]:
            raise InputError(f"{path}: graph_ptr ends at {starts[-1]} nodes, but {KEYS[part][0]} has {len(given)} rows")
    return starts


def _from_batch(path: Path, batch: NDArray[Any] | None, y: NDArray[Any] | None) -> NDArray[np.int64]:
    if batch is None or batch.ndim != 1 or batch.dtype.kind not in "iu" or (batch.size and batch.min() < 0):
        raise InputError(f"{path}: batch must be the number of the graph, from 0, for each node")
    if (np.diff(batch.astype(np.int64)) < 0).any():
        raise InputError(f"{path}: batch must ascend: the nodes of a graph follow each other")
    graphs = int(batch.max()) + 1 if batch.size else 0
    if y is not None and len(y) != len(batch):  # the last graphs may have no nodes
        graphs = max(graphs, len(y))
    return np.concatenate([[0], np.cumsum(np.bincount(batch, minlength=graphs))])


def _check_inside(path: Path, edges: NDArray[np.int64], ends: NDArray[np.int64]) -> None:
    between = ends[0] != ends[1]
    if between.any():
        edge = int(np.flatnonzero(between)[0])
        source, target = edges[:, edge]
        raise InputError(
            f"{path}: {int(between.sum())} edges lead from one graph to another, the first is edge {edge}: {source} -> "
            f"{target} (graphs {ends[0, edge]} and {ends[1, edge]}); number nodes through all graphs, check graph_ptr"
        )


def _tags(path: Path, tags: NDArray[Any] | None, nodes: int) -> NDArray[Any] | None:
    if tags is None:
        return None
    if tags.shape != (nodes,) or tags.dtype.kind not in "biuUS":
        raise InputError(
            f"{path}: node_tag {tags.shape} {tags.dtype} must be an integer or a word for each of {nodes} nodes"
        )
    return decoded(tags)


def _ids(path: Path, ids: NDArray[Any] | None, graphs: int) -> tuple[str, ...]:
    if ids is None:
        return tuple(map(str, range(graphs)))
    words = _words(path, "ids", ids, graphs)
    check_distinct(path, words)
    return words


def _words(path: Path, name: str, given: NDArray[Any], graphs: int) -> tuple[str, ...]:
    """Return an integer or a word for each graph as words."""
    if given.shape != (graphs,) or given.dtype.kind not in "iuUS":
        raise InputError(
            f"{path}: {name} {given.shape} {given.dtype} must be an integer or a word for each of {graphs} graphs"
        )
    return tuple(map(str, decoded(given)))


def _splits(path: Path, arrays: Arrays, graphs: int, alone: bool) -> NDArray[np.str_] | None:
    if not alone:
        masks = read_split_arrays(path, arrays.values, graphs, "graph", arrays.others)
        return words_of_masks(path, masks, graphs, "graph")
    given = [name for name in arrays.values if resembles_split(name)]
    if given:
        remark_file(path, f"graphs are split here, not nodes: {listing(given)} not read")
    return None
