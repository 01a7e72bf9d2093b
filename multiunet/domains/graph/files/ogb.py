"""Dataset folders of the Open Graph Benchmark: tables of raw/ and lists of split/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.files.archives import Arrays
from multiunet.domains.graph.files.number_file import Numbers, read_numbers
from multiunet.domains.graph.files.tables import Columns
from multiunet.errors import InputError
from multiunet.wording import listing

ENDINGS = (".csv.gz", ".csv")

PARTS = ("train", "valid", "test")

KNOWN = ("edge", "edge-feat", "node-feat", "node-label", "graph-label", "num-node-list", "num-edge-list")
"""Tables of raw/ that are read; others are facts on nodes and edges that no baseline of the benchmark uses."""


def find_table(folder: Path, name: str) -> Path | None:
    """Return the file of a table, packed or not; None without one."""
    return next((path for ending in ENDINGS if (path := folder / f"{name}{ending}").is_file()), None)


def is_ogb(folder: Path) -> bool:
    """Return whether a folder is laid out as the benchmark's are (Hu et al. 2020)."""
    marks = ("split", "mapping", "raw", "RELEASE_v1.txt")
    return find_table(folder / "raw", "edge") is not None or (
        (folder / "split").is_dir() and sum((folder / mark).exists() for mark in marks) > 1
    )


def read_ogb(folder: Path, scheme: str | None, level: str) -> Arrays:
    """Read the arrays of one graph with labelled nodes, or of many graphs.

    Of many graphs nodes are numbered through all, and ``graph_ptr`` says where each begins.

    Args:
        scheme: the folder of split/ that is taken where there are several.
        level: what has labels: "node" or "graph".

    Raises:
        InputError: naming the file, and the line that is not as it should be.
    """
    raw = folder / "raw"
    given = {name: path for name in KNOWN if (path := find_table(raw, name)) is not None}
    if "edge" not in given:
        raise InputError(
            f"{folder}: is a dataset folder of the Open Graph Benchmark without raw/edge.csv.gz; only tables are read: "
            "save x, edge_index, y and train_idx, valid_idx, test_idx as an .npz"
        )
    tables = {name: read_numbers(path, missing=name.endswith("label")) for name, path in given.items()}
    edges = tables["edge"].integers(least=0)
    if edges.shape[1] != 2:
        raise InputError(f"{given['edge']}: has {edges.shape[1]} numbers in a line; an edge is two nodes")
    found: dict[str, NDArray[Any]] = {"edge_index": edges.T}
    for part, name in (("x", "node-feat"), ("edge_attr", "edge-feat"), ("y", f"{level}-label")):
        if name in tables:
            found[part] = tables[name].values
    if "num-node-list" in tables:
        found |= _number_through(tables, edges, alone=level == "node")
    elif level == "graph":
        raise InputError(
            f"{folder}: has no raw/num-node-list.csv.gz, so it holds one graph; train `graph` on its nodes"
        )
    unread = [path.name for path in sorted(raw.iterdir()) if path not in given.values()]
    labels = [path.name for name, path in given.items() if name.endswith("label") and name != f"{level}-label"]
    return Arrays(found | _read_split(folder, scheme), (*unread, *labels))


def _number_through(tables: dict[str, Numbers], edges: NDArray[np.int64], alone: bool) -> dict[str, NDArray[Any]]:
    """Return where graphs begin, and edges numbered through all of them; of one graph its number of nodes."""
    nodes = _column(tables["num-node-list"])
    if len(nodes) == 1 and alone:
        return {"num_nodes": nodes}
    starts = np.concatenate([[0], np.cumsum(nodes)])
    if "num-edge-list" not in tables:
        raise InputError(f"{tables['num-node-list'].path}: lists {len(nodes)} graphs, but num-edge-list is not there")
    counts = _column(tables["num-edge-list"])
    if len(counts) != len(nodes) or counts.sum() != len(edges):
        raise InputError(
            f"{tables['num-edge-list'].path}: lists {counts.sum()} edges of {len(counts)} graphs, but there are "
            f"{len(edges)} of {len(nodes)}; is the folder complete?"
        )
    graph = np.repeat(np.arange(len(nodes)), counts)
    outside = np.flatnonzero((edges >= nodes[graph][:, None]).any(axis=1))
    if len(outside):
        edge = int(outside[0])
        tables["edge"].refuse(edge, f"graph {graph[edge]} has {nodes[graph[edge]]} nodes, numbered from 0")
    return {"graph_ptr": starts, "edge_index": (edges + starts[graph][:, None]).T}


def _column(numbers: Numbers) -> NDArray[np.int64]:
    found = numbers.integers(least=0)
    if found.shape[1] != 1:
        raise InputError(f"{numbers.path}: has {found.shape[1]} numbers in a line; keep one")
    return found[:, 0]


def _read_split(folder: Path, scheme: str | None) -> dict[str, NDArray[Any]]:
    """Return the numbers of the nodes or graphs of each split; nothing without lists."""
    place = folder / "split"
    schemes = sorted(entry.name for entry in place.iterdir() if entry.is_dir()) if place.is_dir() else []
    if not schemes:
        return {}
    asked = None if scheme == Columns.split else scheme
    if scheme is not None and scheme in schemes:
        chosen = place / scheme
    elif asked is None and len(schemes) == 1:
        chosen = place / schemes[0]
    else:
        has = (
            f"has the splits {listing(schemes)}" if asked is None else f"has no split {asked!r}, but {listing(schemes)}"
        )
        raise InputError(f"{place}: {has}; say which by `split_column`, such as `split_column={schemes[0]}`")
    lists = {part: find_table(chosen, part) for part in PARTS}
    lacking = [part for part, path in lists.items() if path is None]
    if lacking:
        raise InputError(f"{chosen}: has no {lacking[0]}.csv.gz; a split is train, valid and test")
    return {f"{part}_idx": _column(read_numbers(path)) for part, path in lists.items() if path is not None}
