"""Many graphs as the arrays of a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.files.attributes import Attributes
from multiunet.domains.graph.files.collection import GraphSet, check_distinct, checked_splits
from multiunet.domains.graph.files.readers import attributes_in, edges_in, named, rows_in, weight_in
from multiunet.domains.splits import SPLITS
from multiunet.errors import InputError

KEYS: dict[str, tuple[str, ...]] = {
    "x": ("x", "node_features", "features"),
    "tags": ("node_tag", "node_tags"),
    "edge_index": ("edge_index", "edges"),
    "edge_attr": ("edge_attr", "edge_features"),
    "edge_weight": ("edge_weight",),
    "ptr": ("graph_ptr", "ptr"),
    "batch": ("batch", "graph_indicator"),
    "y": ("y", "graph_labels", "labels"),
    "ids": ("ids", "graph_ids", "names"),
    "split": ("split",),
    **{split: (f"{split}_mask",) for split in SPLITS},
}
"""What the parts of many graphs are called: by PyTorch Geometric, and in the TU collection."""

NEEDED = tuple(name for names in KEYS.values() for name in names)


def from_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], alone: bool) -> GraphSet:
    """Many graphs, or one, as a file has them.

    Args:
        alone: whether the file is of one graph, named after it.

    Raises:
        InputError: naming the array and what is wrong with it.
    """
    given = {name: np.atleast_1d(array) for name, array in arrays.items()}
    found = {part: named(given, names) for part, names in KEYS.items()}
    if found["edge_index"] is None:
        raise InputError(
            f"{path}: has no {' or '.join(KEYS['edge_index'])}, only {', '.join(sorted(arrays)) or 'nothing'}"
        )
    starts = _alone(path, found) if alone else _starts(path, found)
    nodes, graphs = int(starts[-1]), len(starts) - 1
    edges = edges_in(path, found["edge_index"], nodes)
    of_graph = np.repeat(np.arange(graphs), np.diff(starts))
    ends = of_graph[edges]
    _check_inside(path, edges, ends)
    order = np.argsort(ends[0], kind="stable")
    weight = None if found["edge_weight"] is None else weight_in(path, found["edge_weight"], edges.shape[1])
    attributes = attributes_in(path, found["edge_attr"], edges.shape[1])
    return GraphSet(
        path=path,
        ids=(path.stem,) if alone else _ids(path, found["ids"], graphs),
        starts=starts,
        x=None if found["x"] is None else rows_in(path, "x", found["x"], nodes, "node"),
        tags=_tags(path, found["tags"], nodes),
        edges=edges[:, order],
        weight=None if weight is None else weight[order],
        attributes=None if attributes is None else Attributes(attributes.values[order]),
        y=_plain_labels(found["y"]),
        splits=None if alone else _splits(path, found, graphs),
    )


def _alone(path: Path, found: Mapping[str, NDArray[Any] | None]) -> NDArray[np.int64]:
    for part in ("x", "tags"):
        given = found[part]
        if given is not None:
            return np.array([0, len(given)])
    edges = found["edge_index"]
    nodes = int(edges.max()) + 1 if edges is not None and edges.size and edges.dtype.kind in "iu" else 0
    return np.array([0, max(0, nodes)])


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
    return np.char.decode(tags, "utf-8", "replace") if tags.dtype.kind == "S" else tags


def _ids(path: Path, ids: NDArray[Any] | None, graphs: int) -> tuple[str, ...]:
    if ids is None:
        return tuple(map(str, range(graphs)))
    if ids.shape != (graphs,) or ids.dtype.kind not in "iuUS":
        raise InputError(
            f"{path}: ids {ids.shape} {ids.dtype} must be an integer or a word for each of {graphs} graphs"
        )
    words = tuple(map(str, np.char.decode(ids, "utf-8", "replace") if ids.dtype.kind == "S" else ids))
    check_distinct(path, words)
    return words


def _plain_labels(y: NDArray[Any] | None) -> NDArray[Any] | None:
    if y is None:
        return None
    if y.dtype.kind == "S":
        y = np.char.decode(y, "utf-8", "replace")
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


def _splits(path: Path, found: Mapping[str, NDArray[Any] | None], graphs: int) -> NDArray[np.str_] | None:
    masks = {split: found[split] for split in SPLITS if found[split] is not None}
    if found["split"] is not None:
        return checked_splits(path, [str(word) for word in found["split"].reshape(-1)], graphs)
    if not masks:
        return None
    splits = np.full(graphs, "", dtype="<U5")
    for split, mask in masks.items():
        if mask is None or mask.shape != (graphs,) or mask.dtype.kind not in "biu" or not np.isin(mask, (0, 1)).all():
            raise InputError(f"{path}: the {split} mask must be true or false for each of {graphs} graphs")
        marked = mask.astype(bool)
        both = marked & (splits != "")
        if both.any():
            other = splits[both][0]
            raise InputError(f"{path}: {int(both.sum())} graphs are both {other} and {split}; make the masks disjoint")
        splits[marked] = split
    return splits
