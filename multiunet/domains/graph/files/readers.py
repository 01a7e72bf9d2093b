"""Graphs in files: NPZ, PT (weights-only), GraphML, or a folder with edges.csv and nodes.csv."""

from __future__ import annotations

import pickle
import zipfile
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from multiunet.domains.graph.files.attributes import Attributes
from multiunet.domains.graph.files.graphml import read_graphml
from multiunet.domains.graph.files.tables import MISSING, Columns, Tables, read_folder
from multiunet.errors import InputError

KEYS = {
    "x": ("x", "node_features", "features"),
    "edge_index": ("edge_index", "edges"),
    "y": ("y", "node_labels", "labels"),
    "edge_weight": ("edge_weight",),
    "edge_attr": ("edge_attr", "edge_features"),
    "train": ("train_mask", "train_masks"),
    "val": ("val_mask", "val_masks"),
    "test": ("test_mask", "test_masks"),
}
"""What the parts of a graph are called: by PyTorch Geometric, and in the heterophilous-graphs collection."""

NEEDED = tuple(name for names in KEYS.values() for name in names)


@dataclass(frozen=True)
class GraphFile:
    """A graph as it is in a file, its arrays of the right shapes and types.

    Attributes:
        path: of the file or folder.
        ids: of the nodes, ``(nodes,)``: integers or strings.
        x: features, ``(nodes, features)``, float32, finite.
        edges: source and target node, ``(2, edges)``, int64, each in 0..nodes-1.
        weight: of each edge, ``(edges,)``, float32, positive; None: all 1.
        attributes: of each edge; None: not given, or not wanted.
        y: labels or quantities as they are, ``(nodes,)`` or ``(nodes, quantities)``; None: not given.
        masks: by split, as they are; none where the file has none.
        features, quantities: names of the columns of ``x`` and of ``y``, where the file has names.
        unread: names of attributes of edges that were not wanted.
    """

    path: Path
    ids: NDArray[Any]
    x: NDArray[np.float32]
    edges: NDArray[np.int64]
    weight: NDArray[np.float32] | None
    attributes: Attributes | None
    y: NDArray[Any] | None
    masks: Mapping[str, NDArray[Any]]
    features: tuple[str, ...] | None = None
    quantities: tuple[str, ...] | None = None
    unread: tuple[str, ...] = ()


def read_graph(path: Path, columns: Columns, labelled: bool = True) -> GraphFile:
    """Reads a graph.

    Args:
        columns: what columns of tables are called, and which attributes of edges are wanted.
        labelled: whether labels must be there.

    Raises:
        InputError: for a file that is not there, cannot be read, lacks a part or contradicts itself.
    """
    if not path.exists():
        raise InputError(
            f"{path}: no such file or folder; give a .npz, .pt, .graphml, or a folder with edges.csv and nodes.csv"
        )
    if path.is_dir():
        graph = _from_tables(path, path / "nodes.csv", read_folder(path, columns), columns)
    elif path.suffix == ".graphml":
        graph = _from_tables(path, path, read_graphml(path, columns), columns)
    else:
        readers = {".npz": read_npz, ".pt": read_pt, ".pth": read_pt}
        if path.suffix not in readers:
            raise InputError(
                f"{path}: unknown kind {path.suffix or 'without ending'!r}; graphs are .npz, .pt, .graphml, or a "
                "folder with edges.csv and nodes.csv"
            )
        graph = _from_arrays(path, readers[path.suffix](path), columns)
    if labelled and graph.y is None:
        wanted = f"y (or {KEYS['y'][1]})"
        if path.is_dir():
            wanted = f"column {columns.label!r} in nodes.csv; another is named by --label-column"
        elif path.suffix == ".graphml":
            wanted = f"the attribute {columns.label!r} of nodes; another is named by --label-column"
        raise InputError(f"{path}: has no labels; needs {wanted}")
    return graph


def _from_tables(path: Path, nodes: Path, table: Tables, columns: Columns) -> GraphFile:
    if not table.features and columns.needed:
        raise InputError(
            f"{nodes}: nodes have no features; give them numbers, such as each node's number of neighbours, or 1 where "
            "nothing is known, or pass --degrees"
        )
    return GraphFile(
        path=path,
        ids=np.array(table.ids, dtype=object),
        x=table.x,
        edges=table.edges,
        weight=table.weight,
        attributes=table.attributes,
        y=None if table.labels is None else fractional(table.labels),
        masks=table.masks,
        features=table.features,
        quantities=None if table.labels is None else (columns.label,),
        unread=table.unread,
    )


def _from_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], columns: Columns) -> GraphFile:
    check_no_columns(path, columns)
    if "graph_ptr" in arrays:
        raise InputError(f"{path}: holds many graphs (graph_ptr); they are trained by `multiunet train graphs`")
    found = {part: named(arrays, names) for part, names in KEYS.items()}
    if found["x"] is None and not columns.needed and found["edge_index"] is not None:
        found["x"] = np.zeros((_nodes(path, found["edge_index"], found["y"]), 0), np.float32)
    for part in ("x", "edge_index"):
        if found[part] is None:
            raise InputError(
                f"{path}: has no {' or '.join(KEYS[part])}, only {', '.join(sorted(arrays)) or 'nothing'}; "
                f"save the {'features (nodes, features)' if part == 'x' else 'edges (2, edges)'} under that name"
            )
    x = _features(path, found["x"], columns.needed)
    nodes = len(x)
    edges = edges_in(path, found["edge_index"], nodes)
    wanted = columns.edges is None
    return GraphFile(
        path=path,
        ids=np.arange(nodes),
        x=x,
        edges=edges,
        weight=None if found["edge_weight"] is None else weight_in(path, found["edge_weight"], edges.shape[1]),
        attributes=attributes_in(path, found["edge_attr"], edges.shape[1]) if wanted else None,
        y=None if found["y"] is None else _labels(path, found["y"], nodes),
        masks={split: found[split] for split in ("train", "val", "test") if found[split] is not None},  # type: ignore[misc]
        unread=() if wanted or found["edge_attr"] is None else ("edge_attr",),
    )


def check_no_columns(path: Path, columns: Columns) -> None:
    """Raises InputError where columns of edges were asked for by name, which arrays have not."""
    if columns.edges:
        raise InputError(
            f"{path}: has no named columns of edges; --edge-columns is for edges.csv and GraphML, leave it out (what "
            "attributes of edges there are is read whole)"
        )


def read_npz(path: Path, needed: Collection[str] = NEEDED) -> dict[str, NDArray[Any]]:
    """The arrays of an archive by name, without those of Python objects.

    Args:
        needed: names of arrays that may not be of Python objects.

    Raises:
        InputError: for what is no archive, is not complete, or would need unpickling.
    """
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path}: is not a readable .npz archive; is it complete, and saved by numpy.savez?")
    arrays = {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            for key in archive.files:
                try:
                    arrays[key] = np.asarray(archive[key])
                except ValueError as error:
                    if key not in needed:
                        continue  # nothing that is needed
                    raise InputError(
                        f"{path}: {key} is an array of Python objects, which is never unpickled because that can run "
                        f"any code; save numbers ({error})"
                    ) from error
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: is not a readable .npz archive ({error}); is it complete?") from error
    return arrays


def read_pt(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors of a dict that ``torch.save`` wrote, by name.

    Raises:
        InputError: for what is no such file, or would need unpickling.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path}: needs unpickling of Python objects, which is refused because that can run any code; save a dict "
            "of tensors: torch.save(data.to_dict(), path), of many graphs torch.save(Batch.from_data_list(graphs)."
            "to_dict(), path)"
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, IndexError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: cannot be read by torch.load ({reason}); is it complete?") from error
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: holds a {type(content).__name__}, not a dict of tensors with x, edge_index, y; of a list of "
            "graphs save torch_geometric's Batch.from_data_list(graphs).to_dict()"
        )
    return {str(key): _as_array(value) for key, value in content.items() if isinstance(value, torch.Tensor)}


def _as_array(tensor: torch.Tensor) -> NDArray[Any]:
    plain = tensor.detach().to_dense()
    # NumPy has no bfloat16
    array: NDArray[Any] = (plain.float() if plain.is_floating_point() else plain).numpy()
    return array


def named(arrays: Mapping[str, NDArray[Any]], names: tuple[str, ...]) -> NDArray[Any] | None:
    """The first array that has one of the names; None where there is none."""
    return next((arrays[name] for name in names if name in arrays), None)


def _nodes(path: Path, edges: NDArray[Any], y: NDArray[Any] | None) -> int:
    """How many nodes a graph without features has."""
    if y is not None:
        return len(y)
    return int(edges.max()) + 1 if edges.size and edges.dtype.kind in "iu" else 0


def _features(path: Path, x: NDArray[Any] | None, needed: bool) -> NDArray[np.float32]:
    if x is not None and not needed and x.ndim == 2 and x.shape[1] == 0 and len(x):
        return x.astype(np.float32)
    if x is None or x.ndim != 2 or 0 in x.shape:
        shape = () if x is None else x.shape
        raise InputError(f"{path}: x has the shape {shape}; it must be (nodes, features), at least one of each")
    return rows_in(path, "x", x, len(x), "node")


def rows_in(path: Path, name: str, values: NDArray[Any], rows: int, of: str) -> NDArray[np.float32]:
    """A table of finite numbers, ``(rows, columns)``; a single column may be given as ``(rows,)``.

    Args:
        name, of: of the array, and of what it has a row each, for errors.

    Raises:
        InputError: where it is no such table.
    """
    table = values[:, None] if values.ndim == 1 else values
    if table.ndim != 2 or table.shape[0] != rows or table.shape[1] == 0:
        raise InputError(
            f"{path}: {name} has the shape {values.shape}; it must be ({rows}, columns), a row for each {of}"
        )
    if table.dtype.kind not in "biuf":
        raise InputError(f"{path}: {name} has the type {values.dtype}; it must be numbers")
    with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is refused
        found = table.astype(np.float32)
    bad = ~np.isfinite(found)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise InputError(
            f"{path}: {name} has {int(bad.sum())} values that are not finite, the first at {of} {row}, column {column} "
            f"({table[row, column]}); fill them or drop the column"
        )
    return found


def attributes_in(path: Path, values: NDArray[Any] | None, edges: int) -> Attributes | None:
    """Attributes of edges, without names. Raises InputError where they are no row of numbers for each edge."""
    return None if values is None else Attributes(rows_in(path, "edge_attr", values, edges, "edge"))


def edges_in(path: Path, edges: NDArray[Any] | None, nodes: int) -> NDArray[np.int64]:
    """Edges as ``(2, edges)``. Raises InputError where they are no pairs of nodes 0..nodes-1."""
    if edges is not None and not edges.size:  # of any shape and type, as lists without edges become
        return np.zeros((2, 0), dtype=np.int64)
    if edges is None or edges.ndim != 2 or 2 not in edges.shape:
        shape = () if edges is None else edges.shape
        raise InputError(f"{path}: edge_index has the shape {shape}; it must be (2, edges) or (edges, 2)")
    if edges.dtype.kind not in "iu":
        raise InputError(
            f"{path}: edge_index has the type {edges.dtype}; nodes are numbered by integers from 0; save it as int64"
        )
    ends = (edges if edges.shape[0] == 2 else edges.T).astype(np.int64)
    outside = ((ends < 0) | (ends >= nodes)).any(axis=0)
    if outside.any():
        edge = int(np.flatnonzero(outside)[0])
        source, target = ends[:, edge]
        raise InputError(
            f"{path}: {int(outside.sum())} edges point outside the {nodes} nodes 0..{nodes - 1}, the first is edge "
            f"{edge}: {source} -> {target}; number nodes from 0, or add those that are missing"
        )
    return ends


def weight_in(path: Path, weight: NDArray[Any], edges: int) -> NDArray[np.float32]:
    """Weights as ``(edges,)``. Raises InputError where they are not one positive number for each edge."""
    flat = weight.reshape(-1)
    if flat.size != edges or flat.dtype.kind not in "biuf":
        raise InputError(
            f"{path}: edge_weight {weight.shape} {weight.dtype} must be one number for each of {edges} edges"
        )
    with np.errstate(over="ignore"):
        values = flat.astype(np.float32)
    bad = ~(np.isfinite(values) & (values > 0))
    if bad.any():
        edge = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"{path}: edge_weight of edge {edge} is {flat[edge]} ({int(bad.sum())} such); weights must be positive "
            "numbers that 32 bits can hold"
        )
    return values


def fractional(cells: NDArray[np.str_]) -> NDArray[Any]:
    """Labels of a table as numbers where all are, and not all are written as integers: ``0.5``, but also ``1.0``."""
    try:
        numbers = np.where(np.isin(cells, MISSING), "nan", cells).astype(np.float64)
    except ValueError:
        return cells
    return numbers if any(not cell.removeprefix("-").isdecimal() for cell in cells if cell not in MISSING) else cells


def _labels(path: Path, y: NDArray[Any], nodes: int) -> NDArray[Any]:
    if y.ndim not in (1, 2) or y.shape[0] != nodes:
        raise InputError(f"{path}: y has the shape {y.shape} for {nodes} nodes; it must be ({nodes},)")
    if y.dtype.kind == "S":
        y = np.char.decode(y, "utf-8", "replace")
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
