"""Many graphs in files: NPZ, a folder of graphs or of the TU collection, or a CSV of SMILES."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.files.arrays import NEEDED, from_arrays
from multiunet.domains.graph.files.collection import GraphSet, check_distinct, checked_splits, from_tables, joined
from multiunet.domains.graph.files.graphml import read_graphml
from multiunet.domains.graph.files.molecules import molecules, parsed
from multiunet.domains.graph.files.readers import check_no_columns, fractional, read_npz, read_pt
from multiunet.domains.graph.files.tables import Columns, read_folder, read_table
from multiunet.domains.graph.files.tu import read_tu, tu_name
from multiunet.errors import InputError
from multiunet.wording import listing

logger = logging.getLogger("multiunet.graphs")

ARRAYS = (".npz", ".pt", ".pth")
KINDS = (*ARRAYS, ".graphml")
LABELS = "labels.csv"
TAGS = "node_tag"
"""The column of nodes.csv, or attribute of GraphML, that says of what kind a node is."""


@dataclass(frozen=True)
class Source:
    """How files of graphs are read.

    Attributes:
        columns: what columns of tables are called.
        smiles: the column of a CSV that holds molecules; None: no molecules.
        level: what has labels: ``graph`` or ``node``.
        quantities: whether quantities are learnt, not classes.
        numbered: rows of a CSV without the column of ids are numbered, whatever that column is called.
        skip: leave out molecules that cannot be read.
    """

    columns: Columns
    smiles: str | None
    level: str
    quantities: bool = False
    numbered: bool = False
    skip: bool = False


def read_graphs(path: Path, source: Source, labelled: bool = True) -> GraphSet:
    """Reads graphs.

    Args:
        labelled: whether labels must be there.

    Raises:
        InputError: for what is not there, cannot be read, lacks a part or contradicts itself.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; give a .npz, a folder of graphs, or a CSV with --smiles")
    if source.smiles is not None or path.suffix in ARRAYS:
        check_no_columns(path, source.columns)
    if source.smiles is not None:
        found = _read_smiles(path, source, source.smiles, labelled)
    elif path.is_dir() and (name := tu_name(path)) is not None:
        check_no_columns(path, source.columns)
        found = from_arrays(path, read_tu(path, name, source.quantities), alone=False)
    elif path.is_dir():
        found = _read_folder(path, source, labelled)
    elif path.suffix in ARRAYS:
        found = from_arrays(path, _arrays(path), alone=False)
    elif path.suffix == ".csv":
        raise InputError(f"{path}: a CSV has molecules; name the column that holds them by --smiles COLUMN")
    else:
        raise InputError(
            f"{path}: unknown kind {path.suffix or 'without ending'!r}; many graphs are a .npz, a folder of graphs, or "
            "a CSV with --smiles"
        )
    if not labelled:
        return replace(found, y=None, splits=None)
    rows = len(found) if source.level == "graph" else int(found.starts[-1])
    if found.y is None:
        raise InputError(f"{path}: has no labels; {_wanted(path, source)}")
    if len(found.y) != rows:
        raise InputError(
            f"{path}: y has {len(found.y)} rows for {len(found)} graphs of {int(found.starts[-1])} nodes in all; "
            f"--level {source.level} takes {rows}, one a {source.level}"
        )
    return found


def _wanted(path: Path, source: Source) -> str:
    if source.level == "node":
        return f"each node needs one: y in arrays, the column {source.columns.label!r} in nodes.csv"
    if path.is_dir():
        return f"give {LABELS} with {source.columns.id},{source.columns.label} in the folder, or y of one value in each"
    return "save them as y, one a graph"


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    return read_npz(path, NEEDED) if path.suffix == ".npz" else read_pt(path)


def _read_folder(folder: Path, source: Source, labelled: bool) -> GraphSet:
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    graphs = [entry for entry in entries if entry.is_dir() or entry.suffix in KINDS]
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
        logger.warning(f"{folder}: not read: {listing(others)}")
    parts = [_read_one(entry, source) for entry in graphs]
    check_distinct(folder, [part.ids[0] for part in parts])
    if source.level == "node" or not (folder / LABELS).is_file() or not labelled:
        own = [_own_labels(part, source.level) if labelled else None for part in parts]
        return joined(folder, [replace(part, y=y) for part, y in zip(parts, own)])
    found = joined(folder, [replace(part, y=None) for part in parts])
    return _with_labels(found, folder / LABELS, source.columns)


def _read_one(entry: Path, source: Source) -> GraphSet:
    if entry.suffix in ARRAYS:
        return from_arrays(entry, _arrays(entry), alone=True)
    label = source.columns.label if source.level == "node" else TAGS
    columns = replace(source.columns, label=label, split="")  # graphs are split, not nodes
    tables = read_folder(entry, columns) if entry.is_dir() else read_graphml(entry, columns)
    return from_tables(entry, entry.name if entry.is_dir() else entry.stem, tables, source.level, label)


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
        "are learnt by --level node"
    )


def _with_labels(graphs: GraphSet, path: Path, columns: Columns) -> GraphSet:
    header, rows = read_table(path)
    for name, option in ((columns.id, "--id-column"), (columns.label, "--label-column")):
        if name not in header:
            raise InputError(f"{path}: has no column {name!r} but {', '.join(header)}; pass {option}")
    ids = [_without_ending(row[header.index(columns.id)]) for row in rows]
    check_distinct(path, ids)
    known, place = set(graphs.ids), {name: row for row, name in enumerate(ids)}
    absent = [name for name in ids if name not in known]
    if absent:
        raise InputError(f"{path}: {len(absent)} of its ids are no graphs of the folder: {listing(absent)}")
    unlabelled = [name for name in graphs.ids if name not in place]
    if unlabelled:
        raise InputError(
            f"{path}: has no line for {len(unlabelled)} graphs of the folder: {listing(unlabelled)}; add them, with an "
            "empty label where it is not known"
        )
    return _labelled(graphs, path, header, [rows[place[name]] for name in graphs.ids], columns)


def _without_ending(name: str) -> str:
    return name.rpartition(".")[0] if name.endswith(KINDS) else name


def _labelled(
    graphs: GraphSet, path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], columns: Columns
) -> GraphSet:
    """The graphs with the labels and splits of a table, a row a graph."""
    cells = np.array([row[header.index(columns.label)] for row in rows], dtype=np.str_)
    splits = None
    if columns.split in header:
        splits = checked_splits(path, [row[header.index(columns.split)] for row in rows], len(graphs))
    return replace(graphs, y=fractional(cells), splits=splits, quantities=(columns.label,))


def _read_smiles(path: Path, source: Source, column: str, labelled: bool) -> GraphSet:
    if path.is_dir():
        raise InputError(f"{path}: is a folder; --smiles is a column of a CSV")
    header, rows = read_table(path)
    columns = source.columns
    wanted = {"--smiles": column, **({"--label-column": columns.label} if labelled else {})}
    if columns.id != Columns().id and not source.numbered:
        wanted["--id-column"] = columns.id
    for option, name in wanted.items():
        if name not in header:
            raise InputError(f"{path}: has no column {name!r} but {', '.join(header)}; pass {option}")
    if not rows:
        raise InputError(f"{path}: has no line below its header; give one for each molecule")
    ids = [str(row + 1) for row in range(len(rows))]
    if columns.id in header:
        ids = [row[header.index(columns.id)] for row in rows]
        check_distinct(path, ids)
    readable = parsed(path, [row[header.index(column)] for row in rows], source.skip)
    found = molecules(path, {ids[place]: molecule for place, molecule in readable.items()})
    return _labelled(found, path, header, [rows[place] for place in readable], columns) if labelled else found
