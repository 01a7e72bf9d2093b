"""A graph in a file: NPZ, PT (weights-only), GraphML, or a folder of tables or of another library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.files.archives import Arrays, Keys, read_arrays
from multiunet.domains.graph.files.checks import (
    NODES_AND_EDGES,
    check_edge_arrays,
    check_rows,
    check_single,
    count_nodes,
    plain_labels,
)
from multiunet.domains.graph.files.folder import read_folder
from multiunet.domains.graph.files.foreign import find_processed
from multiunet.domains.graph.files.given import Given
from multiunet.domains.graph.files.graphml import read_graphml
from multiunet.domains.graph.files.ogb import is_ogb, read_ogb
from multiunet.domains.graph.files.splits import read_split_arrays
from multiunet.domains.graph.files.tables import Columns, Tables, numbers_of_labels
from multiunet.domains.setting_types import Split
from multiunet.errors import InputError

KEYS: Keys = {**NODES_AND_EDGES, "y": ("y", "node_labels", "labels")}
"""Names of the parts of a graph: those of PyTorch Geometric, and of the heterophilous-graphs collection."""

KINDS = ".npz, .pt, .graphml, or a folder: edges.csv and nodes.csv, or a dataset of torch-geometric or OGB"


@dataclass(frozen=True, kw_only=True)
class GraphFile(Given):
    """A graph as it is in a file.

    Attributes:
        ids: of the nodes, ``(nodes,)``: integers or strings.
        masks: by split, ``(nodes,)``, or as they are where they hold several splits; none where the file has none.
        unread: names of attributes of edges that were not wanted.
    """

    ids: NDArray[Any]
    x: NDArray[np.float32]
    masks: Mapping[Split, NDArray[Any]]
    unread: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        return len(self.ids)


def read_graph(path: Path, columns: Columns, labelled: bool = True) -> GraphFile:
    """Read a graph.

    Args:
        columns: what columns of tables are called, and which attributes of edges are wanted.
        labelled: whether labels must be there.

    Raises:
        InputError: for a file that is not there, cannot be read, lacks a part or contradicts itself.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; give a {KINDS}")
    kind = path.suffix.lower()
    if path.is_dir() and (processed := find_processed(path)) is not None:
        graph = _from_arrays(path, read_arrays(processed, KEYS), columns)
    elif path.is_dir() and is_ogb(path):
        graph = _from_arrays(path, read_ogb(path, columns.split, "node"), columns)
    elif path.is_dir():
        graph = _from_tables(path, path / "nodes.csv", read_folder(path, columns), columns)
    elif kind == ".graphml":
        graph = _from_tables(path, path, read_graphml(path, columns), columns)
    elif kind in (".npz", ".pt", ".pth"):
        graph = _from_arrays(path, read_arrays(path, KEYS), columns)
    else:
        raise InputError(f"{path}: unknown kind {path.suffix or 'without ending'!r}; graphs are {KINDS}")
    if labelled and graph.y is None:
        names = ", ".join(map(repr, columns.labels))
        wanted = f"y (or {KEYS['y'][1]})"
        if path.is_dir() and is_ogb(path):
            wanted = "raw/node-label.csv.gz"
        elif path.is_dir():
            wanted = f"column {names} in nodes.csv; another is named by `label_column`"
        elif kind == ".graphml":
            wanted = f"the attribute {names} of nodes; another is named by `label_column`"
        raise InputError(f"{path}: has no labels; needs {wanted}")
    return graph


def _from_tables(path: Path, nodes: Path, table: Tables, columns: Columns) -> GraphFile:
    if not table.features and columns.needed:
        raise InputError(
            f"{nodes}: nodes have no features; give them numbers, such as each node's number of neighbours, or 1 where "
            "nothing is known, or pass `degrees`"
        )
    return GraphFile(
        path=path,
        ids=np.array(table.ids, dtype=object),
        x=table.x,
        edges=table.edges,
        weight=table.weight,
        attributes=table.attributes,
        y=None if table.labels is None else numbers_of_labels(table.labels),
        masks=table.masks,
        features=table.features,
        quantities=None if table.labels is None else columns.labels,
        unread=table.unread,
        place=(lambda node: f"{nodes.name}, {table.place(node)}") if path.is_dir() else table.place,
    )


def _from_arrays(path: Path, arrays: Arrays, columns: Columns) -> GraphFile:
    check_no_columns(path, columns)
    found = arrays.parts(KEYS)
    check_single(path, found["ptr"], found["batch"], "they are trained by `multiunet train graphs`")
    if found["x"] is None and not columns.needed and found["edge_index"] is not None:
        y, stated = found["y"], found["nodes"]
        nodes = len(y) if y is not None and y.ndim else count_nodes(path, found["edge_index"], stated)
        found["x"] = np.zeros((nodes, 0), np.float32)
    for part in ("x", "edge_index"):
        if found[part] is None:
            raise InputError(
                f"{path}: has no {' or '.join(KEYS[part])}, only {arrays}; save the "
                f"{'features (nodes, features)' if part == 'x' else 'edges (2, edges)'} under that name"
            )
    x = _features(path, found["x"], columns.needed)
    nodes = len(x)
    if found["nodes"] is not None and count_nodes(path, None, found["nodes"]) != nodes:
        raise InputError(f"{path}: num_nodes is {found['nodes']}, but x has {nodes} rows; correct one")
    edges, weight, attributes = check_edge_arrays(path, found, nodes, columns.edges is None)
    masks = read_split_arrays(path, arrays.values, nodes, "node", arrays.others)
    arrays.remark_unread(path, KEYS)
    return GraphFile(
        path=path,
        ids=np.arange(nodes),
        x=x,
        edges=edges,
        weight=weight,
        attributes=attributes,
        y=None if found["y"] is None else _labels(path, found["y"], nodes),
        masks=masks,
        unread=() if columns.edges is None or found["edge_attr"] is None else ("edge_attr",),
    )


def check_no_columns(path: Path, columns: Columns) -> None:
    """Check that no columns of edges were asked for by name, which arrays have not.

    Raises:
        InputError: naming the setting.
    """
    if columns.edges:
        raise InputError(
            f"{path}: has no named columns of edges; `edge_columns` is for edges.csv and GraphML, leave it out (what "
            "attributes of edges there are is read whole)"
        )


def _features(path: Path, x: NDArray[Any] | None, needed: bool) -> NDArray[np.float32]:
    if x is not None and not needed and x.ndim == 2 and x.shape[1] == 0 and len(x):
        return x.astype(np.float32)
    if x is None or x.ndim != 2 or 0 in x.shape:
        shape = () if x is None else x.shape
        raise InputError(f"{path}: x has the shape {shape}; it must be (nodes, features), at least one of each")
    return check_rows(path, "x", x, len(x), "node")


def _labels(path: Path, y: NDArray[Any], nodes: int) -> NDArray[Any]:
    if y.ndim not in (1, 2) or y.shape[0] != nodes:
        raise InputError(f"{path}: y has the shape {y.shape} for {nodes} nodes; it must be ({nodes},)")
    return plain_labels(y)
