"""A graph of a table of nodes and one of edges, whatever file they come from."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.files.attributes import Attributes, choose_attributes, edge_attributes, node_features
from multiunet.domains.graph.files.cells import MISSING, Words, finite
from multiunet.domains.graph.files.sheet import Table
from multiunet.domains.graph.files.split_columns import read_split_columns
from multiunet.domains.graph.files.splits import resembles_split
from multiunet.domains.setting_types import Split
from multiunet.errors import InputError
from multiunet.wording import listing

DIRECTIONS = {"directed": False, "undirected": True, "mutual": True}
"""Words of a column ``type`` of edges, as Gephi writes them, and whether such an edge leads both ways."""


@dataclass(frozen=True)
class Columns:
    """Names and uses of the columns of nodes.csv and edges.csv.

    Attributes:
        labels: one column of classes or quantities, or several, of a label or quantity each.
        split: None: nodes are not split, and what resembles a split is left out.
        features: which of the others are features; None: all.
        needed: whether there must be features.
        edges: which columns of edges.csv are attributes of edges; None: all but the ends, the weight and an id.
        group: of many graphs, what they belong to.
    """

    id: str = "id"
    labels: tuple[str, ...] = ("label",)
    split: str | None = "split"
    edges: tuple[str, ...] | None = ()
    features: tuple[str, ...] | None = None
    needed: bool = True
    group: str | None = None

    def texts_among(self, names: Sequence[str]) -> list[str]:
        """Return the columns whose cells are text, even if all are numbers: ids, labels, splits, groups."""
        wanted = {name.casefold() for name in (self.id, *self.labels, self.split, self.group) if name is not None}
        return [name for name in names if name.casefold() in wanted or resembles_split(name)]

    def choose_features(self, path: Path, names: Sequence[str], others: Sequence[str | None]) -> tuple[str, ...]:
        """Return the columns that are features.

        Args:
            names: of all columns.
            others: those that are something else.

        Raises:
            InputError: naming a wanted one that is not there.
        """
        known = tuple(name for name in names if name not in others)
        wanted = None if self.features is None else tuple(unicodedata.normalize("NFC", name) for name in self.features)
        absent = [name for name in wanted or () if name not in known]
        if absent:
            raise InputError(
                f"{path}: nodes have no {listing(absent)} (`feature_columns`) but {listing(known) or 'nothing'}"
            )
        return known if wanted is None else wanted


@dataclass(frozen=True)
class Tables:
    """A graph of two tables; nodes in the order of the table of nodes.

    Attributes:
        labels: as text, ``(nodes,)``, or of several columns ``(nodes, columns)``; one of ``MISSING`` where unknown;
            None without such a column.
        masks: by split; empty without such a column.
        unread: names of columns that would be attributes of edges, but were not wanted.
        place: returns where a node stands in its file, for errors.
    """

    ids: list[str]
    features: tuple[str, ...]
    x: NDArray[np.float32]
    labels: NDArray[np.str_] | None
    masks: Mapping[Split, NDArray[np.bool_]]
    edges: NDArray[np.int64]
    weight: NDArray[np.float32] | None
    attributes: Attributes | None
    unread: tuple[str, ...]
    place: Callable[[int], str]


def build_tables(nodes: Table, ids: list[str], edges: Table, ends: NDArray[np.int64], columns: Columns) -> Tables:
    """Return the graph of a table of nodes and one of edges.

    Args:
        nodes, edges: the columns that are neither ids nor ends.
        ends: places of the source and the target of each edge, ``(2, edges)``.

    Raises:
        InputError: naming the cell that cannot be used.
    """
    labels = find_labels(nodes, columns.labels)
    split, masks = read_split_columns(nodes, columns.split, [*columns.labels, *(columns.features or ())])
    others = [columns.id, *labels, *split]
    wanted = columns.choose_features(nodes.path, list(nodes.columns), others)
    x, features = node_features(nodes.path, {name: nodes.columns[name] for name in wanted}, nodes.rows, nodes.place)
    ends, edges = _both_ways(edges, ends)
    known = dict(edges.columns)
    weight = next((name for name in known if name.lower() == "weight"), None)
    taken = choose_attributes(edges.path, list(known), columns.edges)
    return Tables(
        ids=ids,
        features=features,
        x=x,
        labels=label_cells(nodes, labels) if labels else None,
        masks=masks,
        edges=ends,
        weight=None if weight is None else _read_weights(edges, weight),
        attributes=edge_attributes(edges.path, {name: known[name] for name in taken}, edges.place),
        unread=tuple(name for name in choose_attributes(edges.path, list(known), None) if name not in taken),
        place=nodes.place,
    )


def find_labels(table: Table, wanted: Sequence[str]) -> list[str]:
    """Return the names of the columns of labels; none where the table has none of them.

    Raises:
        InputError: naming those that are not there, where others are.
    """
    found = {name: table.named(name) for name in wanted}
    absent = [name for name, column in found.items() if column is None]
    if 0 < len(absent) < len(found):
        raise InputError(
            f"{table.path}: has no {listing(absent)} (`label_column`) but {listing(list(table.columns), 10)}; name "
            "columns that are there"
        )
    return [column for column in found.values() if column is not None]


def label_cells(table: Table, names: Sequence[str]) -> NDArray[np.str_]:
    """Return the cells of columns of labels as text: ``(rows,)`` of one, ``(rows, columns)`` of several."""
    cells = [table.texts(name).astype(np.str_) for name in names]
    return cells[0] if len(cells) == 1 else np.stack(cells, axis=1)


def _both_ways(edges: Table, ends: NDArray[np.int64]) -> tuple[NDArray[np.int64], Table]:
    """Add the reverse of edges whose ``type`` is undirected, and leave that column out."""
    name = next((name for name in edges.columns if name.lower() == "type"), None)
    column = None if name is None else edges.columns[name]
    if not isinstance(column, Words) or not {word.lower() for word in column.words} <= DIRECTIONS.keys():
        return ends, edges
    back = column.mark(word for word in column.words if DIRECTIONS[word.lower()]) & (ends[0] != ends[1])
    others = {other: cells for other, cells in edges.columns.items() if other != name}
    return add_reverses(replace(edges, columns=others), ends, np.flatnonzero(back))


def add_reverses(edges: Table, ends: NDArray[np.int64], back: NDArray[np.int64]) -> tuple[NDArray[np.int64], Table]:
    """Add the reverse of each of the edges ``back``, given by number, after all others."""
    rows = np.concatenate([np.arange(ends.shape[1]), back])
    columns = {
        name: cells.take(rows) if isinstance(cells, Words) else cells[rows] for name, cells in edges.columns.items()
    }
    both = np.concatenate([ends, ends[::-1, back]], axis=1)
    return both, Table(edges.path, columns, len(rows), lambda row: edges.place(int(rows[row])))


def _read_weights(edges: Table, name: str) -> NDArray[np.float32]:
    column = edges.columns[name]
    values = column.numbers() if isinstance(column, Words) else column
    bad = ~(values.astype(np.float32) > 0)  # of 32 bits, which may be too few for the smallest
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        cell = column[row] if isinstance(column, Words) else f"{column[row]:g}"
        what = repr(cell) if cell else "missing"
        raise InputError(f"{edges.path}, {edges.place(row)}: the weight is {what}; weights must be positive numbers")
    return values.astype(np.float32)


def numbers_of_labels(cells: NDArray[np.str_]) -> NDArray[Any]:
    """Return labels of a table as numbers where all are and not all are integers: ``0.5``, also ``1.0``.

    Those of several columns stay text.
    """
    if cells.ndim > 1:
        return cells
    column = Words.of(cells.tolist())
    known = [word for word in column.words if word not in MISSING]
    if not known or any(finite(word) is None for word in known):
        return cells
    return column.numbers() if any(not word.removeprefix("-").isdecimal() for word in known) else cells
