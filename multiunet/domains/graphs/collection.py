"""Many graphs as arrays: their nodes and edges one graph after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.readers import edges_in, named, weight_in
from multiunet.domains.graph.tables import SPLIT_WORDS, Tables
from multiunet.domains.splits import SPLITS, listing
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


@dataclass(frozen=True)
class GraphSet:
    """Graphs, their nodes and edges one after the other, of the right shapes and types.

    Attributes:
        path: of the file or folder.
        ids: of the graphs, distinct.
        starts: where the nodes of each graph start, and the number of all, ``(graphs + 1,)``; a graph may have none.
        x: features, ``(nodes, features)``, float32, finite; None: not given.
        tags: of what kind each node is, ``(nodes,)``, integers or text; None: not given.
        edges: source and target node, ``(2, edges)``, int64, both of one graph, graphs ascending.
        weight: of each edge, ``(edges,)``, float32, positive; None: all 1.
        attributes: of each edge, ``(edges, K)``, float32, finite; None: not given.
        y: labels or quantities as they are, a row for each graph or for each node; None: not given.
        splits: ``train``, ``val``, ``test`` or the empty text for each graph; None: not given.
        features, quantities: names of the columns of ``x`` and of ``y``, where there are names.
        nodes: ids of the nodes, text, ``(nodes,)``; None: they are numbered from 0 in each graph.
    """

    path: Path
    ids: tuple[str, ...]
    starts: NDArray[np.int64]
    x: NDArray[np.float32] | None
    tags: NDArray[Any] | None
    edges: NDArray[np.int64]
    weight: NDArray[np.float32] | None
    attributes: NDArray[np.float32] | None
    y: NDArray[Any] | None = None
    splits: NDArray[np.str_] | None = None
    features: tuple[str, ...] | None = None
    quantities: tuple[str, ...] | None = None
    nodes: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def names_of(self, graph: int) -> NDArray[Any]:
        """The ids of the nodes of a graph, as text."""
        first, end = self.starts[graph : graph + 2]
        return np.arange(end - first).astype(str).astype(object) if self.nodes is None else self.nodes[first:end]


def from_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], alone: bool) -> GraphSet:
    """Many graphs, or one, as a file has them.

    Args:
        alone: whether the file is of one graph, named after it.

    Raises:
        InputError: naming the array and what is wrong with it.
    """
    found = {part: named(arrays, names) for part, names in KEYS.items()}
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
    attributes = _numbers(path, "edge_attr", found["edge_attr"], edges.shape[1], "edge")
    return GraphSet(
        path=path,
        ids=(path.stem,) if alone else _ids(path, found["ids"], graphs),
        starts=starts,
        x=_numbers(path, "x", found["x"], nodes, "node"),
        tags=_tags(path, found["tags"], nodes),
        edges=edges[:, order],
        weight=None if weight is None else weight[order],
        attributes=None if attributes is None else attributes[order],
        y=_plain_labels(path, found["y"]),
        splits=None if alone else _splits(path, found, graphs),
    )


def from_tables(path: Path, name: str, tables: Tables, level: str, label: str) -> GraphSet:
    """One graph of tables; with the level ``node`` its labels are those of nodes, otherwise they tag them."""
    labels = tables.labels
    return GraphSet(
        path=path,
        ids=(name,),
        starts=np.array([0, len(tables.ids)]),
        x=_numbers(path, "x", tables.x, len(tables.ids), "node") if tables.features else None,
        tags=None if level == "node" else labels,
        edges=tables.edges,
        weight=tables.weight,
        attributes=None,
        y=labels if level == "node" else None,
        features=tables.features or None,
        quantities=(label,) if level == "node" else None,
        nodes=np.array(tables.ids, dtype=object),
    )


def joined(path: Path, parts: Sequence[GraphSet]) -> GraphSet:
    """The graphs of all parts, in order, without splits.

    Raises:
        InputError: where they differ in what they have, or in its size.
    """
    first = parts[0]
    for part in parts[1:]:
        _check_alike(first, part)
    offsets = np.cumsum([0, *(int(part.starts[-1]) for part in parts)])
    weighted = any(part.weight is not None for part in parts)
    weights = [np.ones(part.edges.shape[1], np.float32) if part.weight is None else part.weight for part in parts]
    return GraphSet(
        path=path,
        ids=tuple(name for part in parts for name in part.ids),
        starts=np.concatenate([[0], *(part.starts[1:] + first for part, first in zip(parts, offsets))]),
        x=None if first.x is None else np.concatenate([part.x for part in parts if part.x is not None]),
        tags=None if first.tags is None else np.concatenate([part.tags for part in parts if part.tags is not None]),
        edges=np.concatenate([part.edges + first for part, first in zip(parts, offsets)], axis=1),
        weight=np.concatenate(weights) if weighted else None,
        attributes=_joined_attributes(parts),
        y=_joined_labels(parts),
        features=first.features,
        quantities=first.quantities,
        nodes=np.concatenate([part.names_of(0) for part in parts]),
    )


def _check_alike(first: GraphSet, other: GraphSet) -> None:
    for name in ("x", "tags"):
        if (getattr(first, name) is None) != (getattr(other, name) is None):
            with_it, without = (first, other) if getattr(other, name) is None else (other, first)
            raise InputError(f"{without.path}: has no {KEYS[name][0]}, but {with_it.path} has; give it to all or none")
    if first.x is not None and other.x is not None and first.x.shape[1] != other.x.shape[1]:
        raise InputError(
            f"{other.path}: has {other.x.shape[1]} features, but {first.path} has {first.x.shape[1]}; give all graphs "
            "the same"
        )
    if first.features != other.features:
        raise InputError(
            f"{other.path}: its features are {listing(other.features or ['without names'])}, those of {first.path} "
            f"are {listing(first.features or ['without names'])}; give all graphs the same in the same order"
        )


def _joined_attributes(parts: Sequence[GraphSet]) -> NDArray[np.float32] | None:
    with_edges = [part for part in parts if part.edges.shape[1]]
    known = [part.attributes for part in with_edges if part.attributes is not None]
    counts = [0 if part.attributes is None else part.attributes.shape[1] for part in with_edges]
    for part, count in zip(with_edges, counts):
        if count != counts[0]:
            raise InputError(
                f"{part.path}: edges have {count or 'no'} attributes, but in {with_edges[0].path} "
                f"{counts[0] or 'none'}; give all graphs the same"
            )
    return np.concatenate(known) if known else None


def _joined_labels(parts: Sequence[GraphSet]) -> NDArray[Any] | None:
    known = [part.y for part in parts if part.y is not None]
    lacking = [part.ids[0] for part in parts if part.y is None]
    if not known:
        return None
    if lacking:
        raise InputError(f"{parts[0].path.parent}: no labels in {len(lacking)} of its graphs: {listing(lacking)}")
    if len({part.shape[1:] for part in known}) > 1:
        sizes = sorted({part.shape[1:] for part in known})
        raise InputError(f"{parts[0].path.parent}: y differs in shape among the graphs: {sizes}")
    return np.concatenate(known)


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


def _numbers(path: Path, name: str, values: NDArray[Any] | None, rows: int, of: str) -> NDArray[np.float32] | None:
    if values is None:
        return None
    table = values[:, None] if values.ndim == 1 else values
    if table.ndim != 2 or table.shape[0] != rows or table.shape[1] == 0:
        raise InputError(f"{path}: {name} has the shape {values.shape}; it must be ({rows}, features), a row a {of}")
    if table.dtype.kind not in "biuf":
        raise InputError(f"{path}: {name} has the type {table.dtype}; it must be numbers")
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


def check_distinct(path: Path, ids: Sequence[str]) -> None:
    """Raises InputError naming the ids that are there more than once."""
    seen: set[str] = set()
    twice = list(dict.fromkeys(name for name in ids if name in seen or seen.add(name)))  # type: ignore[func-returns-value]
    if twice:
        raise InputError(f"{path}: {len(twice)} ids are there more than once: {listing(twice)}")


def _plain_labels(path: Path, y: NDArray[Any] | None) -> NDArray[Any] | None:
    if y is None:
        return None
    if y.dtype.kind == "S":
        y = np.char.decode(y, "utf-8", "replace")
    y = y.reshape(1) if y.ndim == 0 else y
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


def checked_splits(path: Path, words: Sequence[str], graphs: int) -> NDArray[np.str_]:
    """Words as the names of splits. Raises InputError for one that is none, or when they are not so many."""
    if len(words) != graphs:
        raise InputError(f"{path}: split has {len(words)} words for {graphs} graphs")
    for place, word in enumerate(words):
        if word.lower() not in SPLIT_WORDS:
            raise InputError(f"{path}: the split of graph {place} is {word!r}; it must be train, val, test or empty")
    return np.array([SPLIT_WORDS[word.lower()] for word in words], dtype="<U5")
