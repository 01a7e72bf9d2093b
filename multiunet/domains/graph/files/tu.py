"""Many graphs as the text files of the TU collection: NAME_A.txt, NAME_graph_indicator.txt and others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.errors import InputError

EDGES = "_A.txt"

READ = {
    "graph_indicator": "batch",
    "graph_labels": "y",
    "graph_attributes": "y",
    "node_labels": "node_tag",
    "node_attributes": "x",
    "edge_labels": "edge_attr",
    "edge_attributes": "edge_attr",
}
"""What the files hold, as arrays are called elsewhere; of two of one name the first is taken."""


def tu_name(folder: Path) -> str | None:
    """The name of the data set that a folder holds in this form; None: it is no such folder."""
    names = [entry.name.removesuffix(EDGES) for entry in sorted(folder.glob(f"*{EDGES}"))]
    return next((name for name in names if (folder / f"{name}_graph_indicator.txt").is_file()), None)


def read_tu(folder: Path, name: str, quantities: bool) -> dict[str, NDArray[Any]]:
    """The arrays of a data set (Morris et al. 2020, "TUDataset"); nodes and graphs, there from 1, are numbered from 0.

    Labels of edges become columns of 0 and 1. Classes are numbered in ascending order where one is negative: elsewhere
    -1 is a class that is not known.

    Args:
        quantities: take the quantities of graphs, ``graph_attributes``, where there are any.

    Raises:
        InputError: naming the file that is no table of numbers.
    """
    found: dict[str, NDArray[Any]] = {"edge_index": _table(folder / f"{name}{EDGES}").astype(np.int64).T - 1}
    order = sorted(READ, key=lambda kind: (kind == "graph_labels") == quantities)
    for kind in order:
        path = folder / f"{name}_{kind}.txt"
        if not path.is_file() or READ[kind] in found:
            continue
        values = _table(path)
        if "labels" in kind or kind == "graph_indicator":
            values = values[:, 0].astype(np.int64)
        found[READ[kind]] = _one_hot(values) if kind == "edge_labels" else values
    found["batch"] = found["batch"] - 1
    classes = found.get("y")
    if classes is not None and classes.dtype.kind == "i" and (classes < 0).any():
        found["y"] = np.unique(classes, return_inverse=True)[1]
    return found


def _one_hot(labels: NDArray[Any]) -> NDArray[np.float32]:
    columns: NDArray[np.float32] = (labels[:, None] == np.unique(labels)).astype(np.float32)
    return columns


def _table(path: Path) -> NDArray[Any]:
    try:
        return np.loadtxt(path, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: is no table of numbers parted by commas ({error})") from error
