"""A graph as a folder with edges.csv and nodes.csv. Ids may be anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.files.cells import Words
from multiunet.domains.graph.files.sheet import Sheet, Table
from multiunet.domains.graph.files.splits import resembles_split
from multiunet.domains.graph.files.tables import Columns, Tables, build_tables
from multiunet.domains.remarks import remark_file
from multiunet.errors import InputError
from multiunet.wording import listing

DATA = (".csv", ".tsv", ".txt", ".json", ".npy", ".npz", ".pt", ".csv.gz")
"""Endings of files in a folder that may belong to the graph."""

ENDS = (("source", "target"), ("src", "dst"), ("from", "to"))
"""Names of the columns of edges.csv that hold the ends, in any case of letters; otherwise its first two do."""


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
    graph = build_tables(nodes, ids.cells().tolist(), edges, ends, columns)
    _check_others(folder, columns.split is None or bool(graph.masks))
    return graph


def _check_others(folder: Path, split: bool) -> None:
    """Name the files that are not read, and refuse those that may say how to split where the tables do not."""
    others = [entry for entry in sorted(folder.iterdir()) if entry.name.lower().endswith(DATA)]
    unread = [entry.name for entry in others if entry.name not in ("nodes.csv", "edges.csv")]
    strange = [] if split else [name for name in unread if resembles_split(name.partition(".")[0])]
    if strange:
        raise InputError(
            f"{folder}: {listing(strange)} may say how to split, but a graph is nodes.csv and edges.csv; give "
            "nodes.csv a column split with train, val and test, or put the file elsewhere"
        )
    if unread:
        remark_file(folder, f"not read: {listing(unread)}")


def _read_nodes(path: Path, columns: Columns) -> tuple[Table, Words]:
    sheet = Sheet(path)
    table = sheet.table(columns.texts_among(sheet.header))
    if not table.rows:
        raise InputError(f"{path}: has no line below its header; give one for each node")
    name = table.named(columns.id)
    if name is None:
        raise InputError(
            f"{path}: has no column {columns.id!r} but {', '.join(sheet.header)}; pass `id_column` (the first line "
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
