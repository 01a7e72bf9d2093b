"""A graph as a table of nodes and one of edges: edges.csv and nodes.csv. Ids may be anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.config import Split
from multiunet.domains.graph.files.attributes import Attributes, choose_attributes, edge_attributes, node_features
from multiunet.domains.graph.files.cells import MISSING, Words, finite
from multiunet.domains.graph.files.sheet import Sheet, Table
from multiunet.domains.graph.files.splits import (
    masks_of_words,
    names_words_of_splits,
    resembles_split,
    split_of_name,
    split_of_word,
    truth_values,
)
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.wording import listing

ENDS = (("source", "target"), ("src", "dst"), ("from", "to"))
"""Names of the columns of edges.csv that hold the ends, in any case of letters; otherwise its first two do."""

DIRECTIONS = {"directed": False, "undirected": True, "mutual": True}
"""Words of a column ``type`` of edges, as Gephi writes them, and whether such an edge leads both ways."""


@dataclass(frozen=True)
class Columns:
    """Names and uses of the columns of nodes.csv and edges.csv.

    Attributes:
        split: None: nodes are not split, and what resembles a split is left out.
        features: which of the others are features; None: all.
        needed: whether there must be features.
        edges: which columns of edges.csv are attributes of edges; None: all but the ends, the weight and an id.
    """

    id: str = "id"
    label: str = "label"
    split: str | None = "split"
    edges: tuple[str, ...] | None = ()
    features: tuple[str, ...] | None = None
    needed: bool = True

    def texts_among(self, names: Sequence[str]) -> list[str]:
        """Return the columns whose cells are text, even if all are numbers: ids, labels and splits."""
        wanted = {name.casefold() for name in (self.id, self.label, self.split) if name is not None}
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
        absent = [name for name in self.features or () if name not in known]
        if absent:
            raise InputError(
                f"{path}: nodes have no {listing(absent)} (--feature-columns) but {listing(known) or 'nothing'}"
            )
        return known if self.features is None else self.features


@dataclass(frozen=True)
class Tables:
    """A graph of two tables; nodes in the order of the table of nodes.

    Attributes:
        labels: as text, one of ``MISSING`` where unknown; None without such a column.
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


def read_folder(folder: Path, columns: Columns) -> Tables:
    """Read ``edges.csv`` and ``nodes.csv``.

    Raises:
        InputError: naming the table, the line and what is wrong with it.
    """
    for name in ("nodes.csv", "edges.csv"):
        if not (folder / name).is_file():
            raise InputError(f"{folder}: has no {name}; a graph in a folder is nodes.csv and edges.csv")
    nodes, ids = _read_nodes(folder / "nodes.csv", columns)
    edges, ends = _read_edges(folder / "edges.csv", ids)
    return build_tables(nodes, ids.cells().tolist(), edges, ends, columns)


def build_tables(nodes: Table, ids: list[str], edges: Table, ends: NDArray[np.int64], columns: Columns) -> Tables:
    """Return the graph of a table of nodes and one of edges.

    Args:
        nodes, edges: the columns that are neither ids nor ends.
        ends: places of the source and the target of each edge, ``(2, edges)``.

    Raises:
        InputError: naming the cell that cannot be used.
    """
    label = nodes.named(columns.label)
    split, masks = read_split_columns(nodes, columns)
    others = [columns.id, label, *split]
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
        labels=None if label is None else _texts(nodes, label).astype(np.str_),
        masks=masks,
        edges=ends,
        weight=None if weight is None else _read_weights(edges, weight),
        attributes=edge_attributes(edges.path, {name: known[name] for name in taken}, edges.place),
        unread=tuple(name for name in choose_attributes(edges.path, list(known), None) if name not in taken),
        place=nodes.place,
    )


def _texts(table: Table, name: str) -> NDArray[Any]:
    """Return the cells of a column as text, objects."""
    column = table.columns[name]
    if isinstance(column, Words):
        return column.cells()
    return np.array([str(int(cell)) if cell == int(cell) else str(cell) for cell in column.tolist()], dtype=object)


def _read_nodes(path: Path, columns: Columns) -> tuple[Table, Words]:
    sheet = Sheet(path)
    table = sheet.table(columns.texts_among(sheet.header))
    if not table.rows:
        raise InputError(f"{path}: has no line below its header; give one for each node")
    name = table.named(columns.id)
    if name is None:
        raise InputError(
            f"{path}: has no column {columns.id!r} but {', '.join(sheet.header)}; pass --id-column (the first line "
            "names the columns)"
        )
    ids = table.words(name)
    if ids.mark([""]).any():
        row = int(np.flatnonzero(ids.mark([""]))[0])
        raise InputError(f"{path}, {table.place(row)}: has no {name}; edges could not name the node")
    if len(ids.words) < len(ids):
        seen = np.unique(ids.codes, return_index=True)[1]
        row = int(np.setdiff1d(np.arange(len(ids)), seen)[0])
        first = int(np.flatnonzero(ids.codes == ids.codes[row])[0])
        raise InputError(f"{path}, {table.place(row)}: the id {ids[row]!r} is that of {table.place(first)}, too")
    others = {other: column for other, column in table.columns.items() if other != name}
    return replace(table, columns=others), ids


def read_split_columns(nodes: Table, columns: Columns) -> tuple[list[str], Mapping[Split, NDArray[np.bool_]]]:
    """Return the names of the columns that say how to split, and the masks that they give; none without such columns.

    Args:
        nodes: a row for each node, or for each graph.

    Raises:
        InputError: for a word or mask that is not understood, and a column that looks like a split under another name.
    """
    given = None if columns.split is None else nodes.named(columns.split)
    free = [name for name in nodes.columns if name not in (given, columns.label, *(columns.features or ()))]
    apart = {name: split for name in free if (split := split_of_name(name)) is not None}
    alike = [name for name in free if name not in apart and _resembles_splits(nodes, name)]
    if columns.split is None:
        unread = [name for name in free if name in apart or name in alike or names_words_of_splits(name)]
        if unread:
            remark(f"{nodes.path}: graphs are split here, not nodes: {listing(unread)} not read")
        return unread, {}
    if given is not None:
        masks = masks_of_words(_texts(nodes, given), lambda row: f"{nodes.path}, {nodes.place(row)}: {given}")
        if apart:
            remark(f"{nodes.path}: not read: {listing(list(apart))} ({given} is)")
    else:
        masks = {split: _truth(nodes, name) for name, split in apart.items()}
        if len(masks) < len(apart):
            raise InputError(f"{nodes.path}: {listing(list(apart))} name a split twice; leave one out")
    if alike and not masks:
        raise InputError(
            f"{nodes.path}: the column {alike[0]!r} names splits ({listing(_words_of(nodes, alike[0]))}); pass "
            f"--split-column {alike[0]}, or leave the column out"
        )
    return [*([] if given is None else [given]), *apart, *alike], masks


def _resembles_splits(nodes: Table, name: str) -> bool:
    """Return whether a column holds the names of at least two splits and nothing else."""
    column = nodes.columns[name]
    if not isinstance(column, Words):
        return False
    splits = {split_of_word(word) for word in column.words}
    return None not in splits and "train" in splits and len(splits - {""}) > 1


def _words_of(nodes: Table, name: str) -> list[str]:
    return sorted({*nodes.words(name).words} - {*MISSING})


def _truth(nodes: Table, name: str) -> NDArray[np.bool_]:
    cells = _texts(nodes, name).tolist()

    def refuse(row: int) -> NoReturn:
        raise InputError(
            f"{nodes.path}, {nodes.place(row)}: {name} is {cells[row]!r}; a mask is 0, 1, true or false "
            "(features are named by --feature-columns)"
        )

    return truth_values(cells, refuse)


def _read_edges(path: Path, ids: Words) -> tuple[Table, NDArray[np.int64]]:
    """Return the columns that are not ends, and the ends as places of nodes, ``(2, edges)``."""
    sheet = Sheet(path)
    header, number = sheet.header, {word: row for row, word in enumerate(ids.cells().tolist())}
    if len(header) < 2:
        raise InputError(f"{path}: has {len(header)} column; edges have two, source and target")
    if all(name in number for name in header[:2]):
        raise InputError(
            f"{path}: its first line, {','.join(header)}, is an edge; it must name the columns: source,target"
        )
    lower = [name.lower() for name in header]
    names = next(([header[lower.index(name)] for name in pair] for pair in ENDS if set(pair) <= set(lower)), header[:2])
    table = sheet.table(names)
    ends = np.stack([_numbered(table, name, number) for name in names])
    return replace(table, columns={name: cells for name, cells in table.columns.items() if name not in names}), ends


def _numbered(table: Table, name: str, number: Mapping[str, int]) -> NDArray[np.int64]:
    column = table.words(name)
    found = np.array([number.get(word, -1) for word in column.words] or [-1], dtype=np.int64)[column.codes]
    if (found < 0).any():
        row = int(np.flatnonzero(found < 0)[0])
        raise InputError(
            f"{table.path}, {table.place(row)}: {name} {column[row]!r} is none of the {len(number)} ids of nodes.csv; "
            "add the node there or remove the edge"
        )
    return found


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
    bad = ~(values > 0)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        cell = column[row] if isinstance(column, Words) else f"{column[row]:g}"
        what = repr(cell) if cell else "missing"
        raise InputError(f"{edges.path}, {edges.place(row)}: the weight is {what}; weights must be positive numbers")
    return values.astype(np.float32)


def numbers_of_labels(cells: NDArray[np.str_]) -> NDArray[Any]:
    """Return labels of a table as numbers where all are, and not all are integers: ``0.5``, but also ``1.0``."""
    column = Words.of(cells.tolist())
    known = [word for word in column.words if word not in MISSING]
    if not known or any(finite(word) is None for word in known):
        return cells
    return column.numbers() if any(not word.removeprefix("-").isdecimal() for word in known) else cells
