"""Many graphs as the text files of the TU collection: NAME_A.txt, NAME_graph_indicator.txt and others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.files.archives import Arrays
from multiunet.domains.graph.files.number_file import Numbers, read_numbers
from multiunet.errors import InputError

EDGES = "_A.txt"

COUNTED_BY = {
    "graph_labels": "graph_indicator",
    "graph_attributes": "graph_indicator",
    "node_labels": "graph_indicator",
    "node_attributes": "graph_indicator",
    "edge_labels": "A",
    "edge_attributes": "A",
}
"""Optional files, and the file whose lines say how many lines they have; a graph has a number in its own."""


def tu_name(folder: Path) -> str | None:
    """Return the name of the data set that a folder holds in this form; None for another folder."""
    names = [entry.name.removesuffix(EDGES) for entry in sorted(folder.glob(f"*{EDGES}"))]
    return next((name for name in names if (folder / f"{name}_graph_indicator.txt").is_file()), None)


def read_tu(folder: Path, name: str, quantities: bool) -> Arrays:
    """Read the arrays of a data set (Morris et al. 2020, "TUDataset").

    Nodes and graphs, which the files number from 1, are numbered from 0.

    Labels of edges become columns of 0 and 1, before attributes of edges. Classes are numbered in ascending order where
    one is negative: elsewhere -1 is a class that is not known.

    Args:
        quantities: take the quantities of graphs, ``graph_attributes``, where there are any.

    Raises:
        InputError: naming the file, and the line that is not as it should be.
    """
    files = {kind: folder / f"{name}_{kind}.txt" for kind in ("A", "graph_indicator", *COUNTED_BY)}
    given = {
        kind: read_numbers(path, missing=kind == "graph_attributes") for kind, path in files.items() if path.is_file()
    }
    edges = given["A"].integers(least=1)
    if edges.shape[1] != 2:
        raise InputError(f"{files['A']}: has {edges.shape[1]} numbers in a line; an edge is two nodes")
    found: dict[str, NDArray[Any]] = {"edge_index": edges.T - 1}
    found["batch"] = _single(given["graph_indicator"]) - 1
    if found["batch"].min() < 0:
        given["graph_indicator"].integers(least=1)
    _check_lengths(given)
    if "node_labels" in given:
        found["node_tag"] = _tags(given["node_labels"])
    if "node_attributes" in given:
        found["x"] = given["node_attributes"].values
    bonds = [_one_hot(given["edge_labels"])] if "edge_labels" in given else []
    bonds += [given["edge_attributes"].values] if "edge_attributes" in given else []
    if bonds:
        found["edge_attr"] = np.concatenate(bonds, axis=1)
    targets = [kind for kind in ("graph_labels", "graph_attributes") if kind in given]
    if targets:
        taken = targets[-1 if quantities else 0]
        found["y"] = given[taken].values if taken == "graph_attributes" else _classes(given[taken])
        targets.remove(taken)
    known = {path.name for path in files.values()}
    others = [entry.name for entry in sorted(folder.glob(f"{name}_*.txt")) if entry.name not in known]
    return Arrays(found, (*(files[kind].name for kind in targets), *others))


def _single(numbers: Numbers) -> NDArray[np.int64]:
    """Return a file of one integer a line, ``(rows,)``."""
    found = numbers.integers()
    if found.shape[1] != 1:
        raise InputError(f"{numbers.path}: has {found.shape[1]} numbers in a line; keep one")
    return found[:, 0]


def _check_lengths(given: dict[str, Numbers]) -> None:
    graphs = int(given["graph_indicator"].values.max())
    for kind, by in COUNTED_BY.items():
        if kind not in given:
            continue
        rows, count = len(given[kind]), graphs if kind.startswith("graph") else len(given[by])
        # the last graphs may have no nodes
        if rows < count or (rows > count and not kind.startswith("graph")):
            what = f"numbers {graphs} graphs" if kind.startswith("graph") else f"has {count} lines"
            raise InputError(f"{given[kind].path}: has {rows} lines, but {given[by].path.name} {what}; is it complete?")


def _tags(labels: Numbers) -> NDArray[Any]:
    """Return the label of each node; of several labels their numbers as one word."""
    found = labels.integers()
    if found.shape[1] == 1:
        return found[:, 0]
    return np.array([" ".join(map(str, row)) for row in found.tolist()])


def _one_hot(labels: Numbers) -> NDArray[np.float64]:
    """Return a column of 0 and 1 for each label, of several labels one after the other."""
    columns = [labels.integers()[:, place] for place in range(labels.values.shape[1])]
    return np.concatenate([column[:, None] == np.unique(column) for column in columns], axis=1).astype(np.float64)


def _classes(labels: Numbers) -> NDArray[np.int64]:
    classes = _single(labels)
    return np.unique(classes, return_inverse=True)[1] if (classes < 0).any() else classes
