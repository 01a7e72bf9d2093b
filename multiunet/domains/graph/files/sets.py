"""Many graphs in files: NPZ, a folder of graphs or of the TU collection, or a CSV of SMILES."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.files.archives import read_arrays
from multiunet.domains.graph.files.arrays import KEYS, from_arrays
from multiunet.domains.graph.files.collection import GraphSet, check_distinct, from_tables, join_graphs
from multiunet.domains.graph.files.folder import read_folder
from multiunet.domains.graph.files.foreign import find_processed
from multiunet.domains.graph.files.graphml import read_graphml
from multiunet.domains.graph.files.molecules import find_scaffolds, molecule_graphs, parse_smiles
from multiunet.domains.graph.files.ogb import is_ogb, read_ogb
from multiunet.domains.graph.files.readers import check_no_columns
from multiunet.domains.graph.files.sheet import Sheet, Table
from multiunet.domains.graph.files.split_columns import read_split_columns
from multiunet.domains.graph.files.splits import words_of_masks
from multiunet.domains.graph.files.tables import Columns, label_cells, numbers_of_labels
from multiunet.domains.graph.files.tu import read_tu, tu_name
from multiunet.domains.remarks import remark_file
from multiunet.errors import InputError
from multiunet.wording import counted, listing

ARRAYS = (".npz", ".pt", ".pth")
KINDS = (*ARRAYS, ".graphml")
LABELS = "labels.csv"
GROUP = "group"
"""Usual name of the column that says what a graph belongs to; it need not be there."""

TAGS = "node_tag"
"""The column of nodes.csv, or attribute of GraphML, that says of what kind a node is."""


@dataclass(frozen=True)
class Source:
    """Settings by which files of graphs are read.

    Attributes:
        columns: what columns of tables are called.
        smiles: the column of a CSV that holds molecules; None: no molecules.
        level: what has labels: ``graph`` or ``node``.
        quantities: whether quantities are learnt, not classes.
        numbered: rows of a CSV without the column of ids are numbered, whatever that column is called.
        skip: leave out molecules that cannot be read.
        scaffold: molecules of one scaffold are a group.
    """

    columns: Columns
    smiles: str | None
    level: str
    quantities: bool = False
    numbered: bool = False
    skip: bool = False
    scaffold: bool = False


def read_graphs(path: Path, source: Source, labelled: bool = True) -> GraphSet:
    """Reads graphs.

    Args:
        labelled: whether labels must be there.

    Raises:
        InputError: for what is not there, cannot be read, lacks a part or contradicts itself.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; give a .npz, a folder of graphs, or a CSV with `smiles`")
    if source.smiles is not None or path.suffix.lower() in ARRAYS:
        check_no_columns(path, source.columns)
    if source.smiles is not None:
        found = _read_smiles(path, source, source.smiles, labelled)
    elif path.is_dir() and (name := tu_name(path)) is not None:
        check_no_columns(path, source.columns)
        found = from_arrays(path, read_tu(path, name, source.quantities), alone=False)
    elif path.is_dir() and (processed := find_processed(path)) is not None:
        check_no_columns(path, source.columns)
        found = from_arrays(path, read_arrays(processed, KEYS), alone=False)
    elif path.is_dir() and is_ogb(path):
        check_no_columns(path, source.columns)
        found = from_arrays(path, read_ogb(path, source.columns.split, "graph"), alone=False)
    elif path.is_dir():
        found = _read_folder(path, source, labelled)
    elif path.suffix.lower() in ARRAYS:
        found = from_arrays(path, read_arrays(path, KEYS), alone=False)
    elif path.suffix.lower() == ".csv":
        raise InputError(f"{path}: a CSV has molecules; name the column that holds them by `smiles=COLUMN`")
    else:
        raise InputError(
            f"{path}: unknown kind {path.suffix or 'without ending'!r}; many graphs are a .npz, a folder of graphs, or "
            "a CSV with `smiles`"
        )
    if not labelled:
        return replace(found, y=None, splits=None, groups=None)
    rows = len(found) if source.level == "graph" else int(found.starts[-1])
    if found.y is None:
        raise InputError(f"{path}: has no labels; {_wanted(path, source)}")
    if len(found.y) != rows:
        raise InputError(
            f"{path}: y has {len(found.y)} rows for {len(found)} graphs of {int(found.starts[-1])} nodes in all; "
            f"`level={source.level}` takes {rows}, one a {source.level}"
        )
    return found


def _wanted(path: Path, source: Source) -> str:
    if source.level == "node":
        return f"each node needs one: y in arrays, the column {source.columns.labels[0]!r} in nodes.csv"
    if path.is_dir():
        names = ",".join([source.columns.id, *source.columns.labels])
        return f"give {LABELS} with {names} in the folder, or y of one value in each"
    return "save them as y, one a graph"


def _read_folder(folder: Path, source: Source, labelled: bool) -> GraphSet:
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith((".", "__MACOSX")))
    graphs = [entry for entry in entries if entry.is_dir() or entry.suffix.lower() in KINDS]
    others = [entry.name for entry in entries if entry not in graphs and entry.name != LABELS]
    if (folder / "nodes.csv").is_file():
        raise InputError(
            f"{folder}: is one graph, with its nodes.csv; its nodes are learnt by `multiunet train graph`, and many "
            "graphs are a folder of such folders"
        )
    if not graphs:
        raise InputError(
            f"{folder}: has no graph; a graph is a file {', '.join(KINDS)}, or a folder with edges.csv and nodes.csv"
        )
    if others:
        remark_file(folder, f"not read: {listing(others)}")
    parts = [_read_one(entry, source) for entry in graphs]
    check_distinct(folder, [part.ids[0] for part in parts])
    if source.level == "node" or not (folder / LABELS).is_file() or not labelled:
        own = [_own_labels(part, source.level) if labelled else None for part in parts]
        return join_graphs(folder, [replace(part, y=y) for part, y in zip(parts, own)])
    found = join_graphs(folder, [replace(part, y=None) for part in parts])
    return _with_labels(found, folder / LABELS, source.columns)


def _read_one(entry: Path, source: Source) -> GraphSet:
    if entry.suffix.lower() in ARRAYS:
        return from_arrays(entry, read_arrays(entry, KEYS), alone=True)
    labels = source.columns.labels if source.level == "node" else (TAGS,)
    columns = replace(source.columns, labels=labels, split=None, group=None)  # graphs are split, not nodes
    tables = read_folder(entry, columns) if entry.is_dir() else read_graphml(entry, columns, single=True)
    return from_tables(entry, entry.name if entry.is_dir() else entry.stem, tables, source.level, labels)


def _own_labels(part: GraphSet, level: str) -> NDArray[Any] | None:
    """The label of a graph, or those of its nodes, from its own file, by row."""
    y, nodes = part.y, int(part.starts[-1])
    if y is None or len(y) == (nodes if level == "node" else 1):
        return y
    if level == "node":
        raise InputError(
            f"{part.path}: y has {len(y)} values for {nodes} nodes; give each node one, -1 where not known"
        )
    raise InputError(
        f"{part.path}: y has {len(y)} values; a graph has one label (several quantities as (1, K)); labels of nodes "
        "are learnt by `level=node`"
    )


def _with_labels(graphs: GraphSet, path: Path, columns: Columns) -> GraphSet:
    table, names = _read_sheet(path, columns, [("id_column", columns.id), *_labels_of(columns)])
    ids = [_without_ending(cell) for cell in table.words(names[columns.id]).cells().tolist()]
    check_distinct(path, ids)
    known, place = (
        {unicodedata.normalize("NFC", name) for name in graphs.ids},
        {name: row for row, name in enumerate(ids)},
    )
    absent = [name for name in ids if name not in known]
    if absent:
        raise InputError(f"{path}: {len(absent)} of its ids are no graphs of the folder: {listing(absent)}")
    rows = [place.get(unicodedata.normalize("NFC", name), -1) for name in graphs.ids]
    unlabelled = [name for name, row in zip(graphs.ids, rows) if row < 0]
    if unlabelled:
        raise InputError(
            f"{path}: has no line for {counted(len(unlabelled), 'graph')} of the folder: {listing(unlabelled)}; add "
            "them, with an empty label where it is not known"
        )
    return _labelled(graphs, table, names, np.array(rows), columns)


def _labels_of(columns: Columns) -> list[tuple[str, str]]:
    return [("label_column", name) for name in columns.labels]


def _read_sheet(path: Path, columns: Columns, wanted: Sequence[tuple[str, str]]) -> tuple[Table, dict[str, str]]:
    """Return the rows of a CSV, and its names of the columns that are wanted by an option each."""
    sheet = Sheet(path)
    kept = {name.casefold() for _, name in wanted}
    table = sheet.table([*columns.texts_among(sheet.header), *(n for n in sheet.header if n.casefold() in kept)])
    found: dict[str, str] = {}
    for option, name in wanted:
        column = table.named(name)
        if column is None:
            raise InputError(f"{path}: has no column {name!r} but {', '.join(sheet.header)}; pass `{option}`")
        found[name] = column
    return table, found


def _without_ending(name: str) -> str:
    return name.rpartition(".")[0] if name.lower().endswith(KINDS) else name


def _labelled(
    graphs: GraphSet, table: Table, names: Mapping[str, str], rows: NDArray[np.int64], columns: Columns
) -> GraphSet:
    """Return the graphs with the labels and splits of a table, whose row of each graph is given."""
    wanted = [names[name] for name in columns.labels]
    masks = read_split_columns(table, columns.split, wanted)[1]
    splits = words_of_masks(table.path, {split: mask[rows] for split, mask in masks.items()}, len(graphs), "graph")
    labels = label_cells(table, wanted)[rows]
    group = _group_column(table, wanted, columns)
    groups = None if group is None else tuple(table.words(group).cells()[rows].tolist())
    within = "" if table.path == graphs.path else f"{table.path.name}, "
    return replace(
        graphs,
        y=numbers_of_labels(labels),
        splits=splits,
        groups=groups,
        quantities=columns.labels,
        place=lambda graph: f"{within}{table.place(int(rows[graph]))}",
    )


def _group_column(table: Table, labels: Sequence[str], columns: Columns) -> str | None:
    """Return the name of the column of groups; None: there is none."""
    found = None if columns.group is None else table.named(columns.group)
    if found is None and columns.group not in (None, GROUP):
        raise InputError(
            f"{table.path}: has no column {columns.group!r} but {', '.join(table.columns)}; pass `group_column`"
        )
    return None if found in labels else found


def _read_smiles(path: Path, source: Source, column: str, labelled: bool) -> GraphSet:
    if path.is_dir():
        raise InputError(f"{path}: is a folder; `smiles` is a column of a CSV")
    columns = source.columns
    wanted = [("smiles", column), *(_labels_of(columns) if labelled else [])]
    if columns.id != Columns().id and not source.numbered:
        wanted.append(("id_column", columns.id))
    table, names = _read_sheet(path, columns, wanted)
    if not table.rows:
        raise InputError(f"{path}: has no line below its header; give one for each molecule")
    ids = [str(row + 1) for row in range(table.rows)]
    named = table.named(columns.id)
    if named is not None:
        ids = table.words(named).cells().tolist()
        check_distinct(path, ids)
    smiles = table.words(names[column]).cells().tolist()
    readable = parse_smiles(path, smiles, source.skip, table.place)
    found = molecule_graphs(path, {ids[row]: molecule for row, molecule in readable.items()})
    if not labelled:
        return found
    labelled_ones = _labelled(found, table, names, np.array(list(readable), dtype=np.int64), columns)
    if not source.scaffold:
        return labelled_ones
    if labelled_ones.groups is not None:
        raise InputError(f"{path} has a column {columns.group!r}, but `scaffold` is given, too; use one")
    return replace(labelled_ones, groups=find_scaffolds(readable.values()))
