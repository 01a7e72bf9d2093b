"""A graph as two tables: edges.csv and nodes.csv. Ids may be anything."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.files.attributes import Attributes, chosen, finite, from_columns, words_apart
from multiunet.errors import InputError
from multiunet.wording import listing

ENDS = (("source", "target"), ("src", "dst"), ("from", "to"))
"""What the columns of edges.csv may be called, in any case of letters; otherwise its first two are taken."""

DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}
"""With which other tables are written than a CSV."""

MISSING = ("", "NA", "N/A", "NaN", "nan", "None", "null")
"""What a label is called that is not known, a class or a quantity."""

SPLITS = ("train", "val", "test")

SPLIT_WORDS = {"valid": "val", "validation": "val", "": ""} | {split: split for split in SPLITS}


@dataclass(frozen=True)
class Columns:
    """What columns of nodes.csv are called.

    Attributes:
        features: which of the others are features; None: all.
        needed: whether there must be features.
        edges: which columns of edges.csv are attributes of edges; None: all but the ends, the weight and an id.
    """

    id: str = "id"
    label: str = "label"
    split: str = "split"
    edges: tuple[str, ...] | None = ()
    features: tuple[str, ...] | None = None
    needed: bool = True

    def features_among(self, path: Path, names: Sequence[str]) -> tuple[str, ...]:
        """The columns that are features. Raises InputError naming a wanted one that is not there."""
        known = tuple(name for name in names if name not in (self.id, self.label, self.split))
        absent = [name for name in self.features or () if name not in known]
        if absent:
            raise InputError(
                f"{path}: nodes have no {listing(absent)} (--feature-columns) but {listing(known) or 'nothing'}"
            )
        return known if self.features is None else self.features


@dataclass(frozen=True)
class Tables:
    """What the two tables say; nodes in the order of nodes.csv.

    Attributes:
        labels: as text, one of ``MISSING`` where unknown; None without such a column.
        masks: by split; empty without such a column.
        unread: names of columns that would be attributes of edges, but were not wanted.
    """

    ids: list[str]
    features: tuple[str, ...]
    x: NDArray[np.float32]
    labels: NDArray[np.str_] | None
    masks: Mapping[str, NDArray[np.bool_]]
    edges: NDArray[np.int64]
    weight: NDArray[np.float32] | None
    attributes: Attributes | None
    unread: tuple[str, ...]


def read_folder(folder: Path, columns: Columns) -> Tables:
    """Reads ``edges.csv`` and ``nodes.csv``.

    Raises:
        InputError: naming the table, the line and what is wrong with it.
    """
    for name in ("nodes.csv", "edges.csv"):
        if not (folder / name).is_file():
            raise InputError(f"{folder}: has no {name}; a graph in a folder is nodes.csv and edges.csv")
    header, rows = read_table(folder / "nodes.csv")
    path = folder / "nodes.csv"
    if columns.id not in header:
        raise InputError(
            f"{path}: has no column {columns.id!r} but {', '.join(header)}; pass --id-column (the first line names the "
            "columns)"
        )
    ids = [row[header.index(columns.id)] for row in rows]
    number: dict[str, int] = {}
    for line, node in enumerate(ids, start=2):
        if not node:
            raise InputError(f"{path}, line {line}: has no {columns.id}; edges could not name the node")
        if node in number:
            raise InputError(f"{path}, line {line}: the id {node!r} is that of line {number[node] + 2}, too")
        number[node] = len(number)
    wanted = columns.features_among(path, header)
    cells = words_apart(path, {name: [row[header.index(name)] for row in rows] for name in wanted})
    labels = _column(header, rows, columns.label)
    return Tables(
        ids,
        tuple(cells),
        _numbers(path, cells, len(rows)),
        None if labels is None else np.array(labels, dtype=np.str_),
        _masks(path, _column(header, rows, columns.split), columns.split),
        *_edges(folder / "edges.csv", number, columns.edges),
    )


def read_table(path: Path) -> tuple[list[str], list[list[str]]]:
    """The names of the columns, and the rows, of a CSV; cells without the blanks around them.

    Raises:
        InputError: for what is no table with a header.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            lines = [[cell.strip() for cell in row] for row in csv.reader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV ({error})") from error
    while lines and not any(lines[-1]):  # blank lines at the end are no nodes
        lines.pop()
    if not lines:
        raise InputError(f"{path}: is empty; its first line must name the columns")
    header, rows = lines[0], lines[1:]
    foreign = next((words for mark, words in DELIMITERS.items() if len(header) == 1 and mark in header[0]), None)
    if foreign is not None:
        raise InputError(f"{path}: its columns are parted by {foreign}; save it with commas")
    if not rows and path.name == "nodes.csv":
        raise InputError(f"{path}: has no line below its header; give one for each node")
    for line, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise InputError(f"{path}, line {line}: has {len(row)} cells, but the header has {len(header)}")
    if len(set(header)) < len(header):
        raise InputError(f"{path}: two columns have the same name; is the first line a header?")
    return header, rows


def _column(header: Sequence[str], rows: Sequence[Sequence[str]], name: str) -> list[str] | None:
    return [row[header.index(name)] for row in rows] if name in header else None


def _numbers(path: Path, columns: Mapping[str, Sequence[str]], rows: int) -> NDArray[np.float32]:
    try:
        with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is refused
            found = np.array(list(columns.values()), dtype=np.str_).astype(np.float32).reshape(len(columns), rows).T
    except ValueError:
        found = np.full((1, 1), np.nan, np.float32)
    if np.isfinite(found).all():
        return found
    for line, name, cell in _cells(columns):
        if finite(cell) is None:
            raise InputError(
                f"{path}, line {line}: feature {name!r} is {cell!r}, not a finite number; a feature is a number, or "
                "a word at every node; those to use are named by --feature-columns, labels by --label-column"
            )
    raise AssertionError("NumPy and Python disagree on what a number is")


def _cells(columns: Mapping[str, Sequence[str]]) -> Iterator[tuple[int, str, str]]:
    """Line, column and what is there, line by line."""
    for line, row in enumerate(zip(*columns.values()), start=2):
        for name, cell in zip(columns, row):
            yield line, name, cell


def _masks(path: Path, words: Sequence[str] | None, column: str) -> Mapping[str, NDArray[np.bool_]]:
    if words is None:
        return {}
    for line, word in enumerate(words, start=2):
        if word.lower() not in SPLIT_WORDS:
            raise InputError(f"{path}, line {line}: {column} is {word!r}; it must be train, val, test or empty")
    splits = np.array([SPLIT_WORDS[word.lower()] for word in words])
    return {split: splits == split for split in SPLITS if (splits == split).any()}


def _edges(
    path: Path, number: Mapping[str, int], wanted: tuple[str, ...] | None
) -> tuple[NDArray[np.int64], NDArray[np.float32] | None, Attributes | None, tuple[str, ...]]:
    """Ends, weights and attributes, and the names of the columns that are none of these."""
    header, rows = read_table(path)
    if len(header) < 2:
        raise InputError(f"{path}: has {len(header)} column; edges have two, source and target")
    if all(name in number for name in header[:2]):
        raise InputError(
            f"{path}: its first line, {','.join(header)}, is an edge; it must name the columns: source,target"
        )
    lower = [name.lower() for name in header]
    places = next(([lower.index(name) for name in pair] for pair in ENDS if set(pair) <= set(lower)), [0, 1])
    ends = np.empty((2, len(rows)), dtype=np.int64)
    for index, row in enumerate(rows):
        for end, place in enumerate(places):
            if row[place] not in number:
                raise InputError(
                    f"{path}, line {index + 2}: {header[place]} {row[place]!r} is none of the {len(number)} ids of "
                    "nodes.csv; add the node there or remove the edge"
                )
            ends[end, index] = number[row[place]]
    weight = _weights(path, [row[lower.index("weight")] for row in rows]) if "weight" in lower else None
    known = {name: [row[place] for row in rows] for place, name in enumerate(header) if place not in places}
    taken = chosen(path, list(known), wanted)
    attributes = from_columns(path, {name: known[name] for name in taken}, lambda edge: f"line {edge + 2}")
    return ends, weight, attributes, tuple(name for name in chosen(path, list(known), None) if name not in taken)


def _weights(path: Path, cells: Sequence[str]) -> NDArray[np.float32]:
    values: list[Any] = []
    for line, cell in enumerate(cells, start=2):
        try:
            value = float(cell)
        except ValueError:
            value = float("nan")
        if not 0 < value < float("inf"):
            raise InputError(f"{path}, line {line}: the weight is {cell!r}; weights must be positive numbers")
        values.append(value)
    return np.array(values, dtype=np.float32)
