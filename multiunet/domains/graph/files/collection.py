"""Many graphs, their nodes and edges one graph after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.files.attributes import Attributes, align_columns
from multiunet.domains.graph.files.given import Given
from multiunet.domains.graph.files.tables import Tables
from multiunet.domains.repeats import find_repeated
from multiunet.errors import InputError
from multiunet.wording import listing


@dataclass(frozen=True, kw_only=True)
class GraphSet(Given):
    """Graphs, their nodes and edges one after the other; no edge leads from one to another.

    Attributes:
        ids: of the graphs, distinct.
        starts: where the nodes of each graph start, and the number of all, ``(graphs + 1,)``; a graph may have none.
        splits: ``train``, ``val``, ``test`` or the empty text for each graph; None: not given.
        groups: of each graph, all in one split; the empty text: of none. None: not given.
        nodes: ids of the nodes, text, ``(nodes,)``; None: they are numbered from 0 in each graph.
    """

    ids: tuple[str, ...]
    starts: NDArray[np.int64]
    splits: NDArray[np.str_] | None = None
    groups: tuple[str, ...] | None = None
    nodes: NDArray[Any] | None = None

    @property
    def count(self) -> int:
        return int(self.starts[-1])

    def __len__(self) -> int:
        return len(self.ids)

    def node_names(self, graph: int) -> NDArray[Any]:
        """The ids of the nodes of a graph, as text."""
        first, end = self.starts[graph : graph + 2]
        return np.arange(end - first).astype(str).astype(object) if self.nodes is None else self.nodes[first:end]


def from_tables(path: Path, name: str, tables: Tables, level: str, names: tuple[str, ...]) -> GraphSet:
    """One graph of tables; with the level ``node`` its labels are those of nodes, otherwise they tag them."""
    labels = tables.labels
    return GraphSet(
        path=path,
        ids=(name,),
        starts=np.array([0, len(tables.ids)]),
        x=tables.x if tables.features else None,
        tags=None if level == "node" else labels,
        edges=tables.edges,
        weight=tables.weight,
        attributes=tables.attributes,
        y=labels if level == "node" else None,
        features=tables.features or None,
        quantities=names if level == "node" else None,
        nodes=np.array(tables.ids, dtype=object),
    )


def join_graphs(path: Path, parts: Sequence[GraphSet]) -> GraphSet:
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
        attributes=_join_attributes(parts),
        y=_join_labels(parts),
        features=first.features,
        quantities=first.quantities,
        nodes=np.concatenate([part.node_names(0) for part in parts]),
    )


def _check_alike(first: GraphSet, other: GraphSet) -> None:
    for what, name in (("x", "x"), ("tags", "node_tag")):
        if (getattr(first, what) is None) != (getattr(other, what) is None):
            with_it, without = (first, other) if getattr(other, what) is None else (other, first)
            raise InputError(f"{without.path}: has no {name}, but {with_it.path} has; give it to all or none")
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


def _join_attributes(parts: Sequence[GraphSet]) -> Attributes | None:
    """Join attributes of the edges of all parts; a column's words are those of any part."""
    with_edges = [part for part in parts if part.edges.shape[1]]
    known = [(part.path, part.attributes) for part in with_edges if part.attributes is not None]
    if not known:
        return None
    names: tuple[str, ...] | None = None
    if all(given.names is not None for _, given in known):
        names = tuple(dict.fromkeys(name for _, given in known for name in given.names or ()))
        whose = "other graphs of the folder have"
        known = [(path, Attributes(align_columns(path, given, names, whose), names)) for path, given in known]
    first, width = with_edges[0].path, {path: given.values.shape[1] for path, given in known}
    for part in with_edges:
        if width.get(part.path, 0) != width.get(first, 0):
            raise InputError(
                f"{part.path}: edges have {width.get(part.path) or 'no'} attributes, but in {first} "
                f"{width.get(first) or 'none'}; give all graphs the same"
            )
    return Attributes(np.concatenate([given.values for _, given in known]), names)


def _join_labels(parts: Sequence[GraphSet]) -> NDArray[Any] | None:
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


def check_distinct(path: Path, ids: Sequence[str]) -> None:
    """Raises InputError naming the ids that are there more than once."""
    if twice := find_repeated(ids):
        raise InputError(f"{path}: {len(twice)} ids are there more than once: {listing(twice)}")
