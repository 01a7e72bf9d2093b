"""Stored predictions, opened."""

from __future__ import annotations

import json
import os
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any, cast

import xarray as xr
import zarr
from xarray.core import indexing

from multiunet.errors import InputError
from multiunet.files import AnyPath
from multiunet.prediction.group_names import group_name
from multiunet.prediction.ome import OME
from multiunet.prediction.stored_array import StoredArray

MARK = "multiunet"
"""The attribute that tells a prediction from other Zarr folders: the version that wrote it."""

NAME = "name"
"""The attribute of a group that holds its input's name, which the group's own name may not spell out."""

CHUNKS = "chunks_written"
"""The attribute of an array that says how many chunks it has; those that hold its fill value alone are not written."""

BYTES = "bytes_written"
"""The attribute of an array that says how many bytes its chunks have: not every codec notices one that is cut short."""

VARIANCES = ("epistemic", "aleatoric", "total")
OBJECTS = ("object_mean", *(f"object_{name}" for name in VARIANCES))
VARIABLES = (
    *("samples", "mean", "lower", "upper", "class", "set", "instance", "confidence", *VARIANCES, "fraction"),
    *OBJECTS,
)


def is_prediction(path: Path) -> bool:
    """Return whether a ``PredictionStore`` wrote this folder."""
    return MARK in attrs_of(path)


def attrs_of(path: Path) -> dict[str, Any]:
    """Return the attributes of a Zarr folder, of a prediction ``task`` among others; else none."""
    try:
        return dict(json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def open_prediction(path: AnyPath) -> xr.DataTree:
    """Open a stored prediction as a tree with a node for each input, by its name, read lazily.

    A slash in the name of an input makes a node in a node: ``tree["HLA/A"]`` finds it. Where the name up to
    a slash is an input, too, there is one node, whose name has ``%2F`` for slashes: nodes in a node share its axes.

    Raises:
        InputError: when ``path`` is not a stored prediction, or a damaged one.
    """
    datasets = open_datasets(path)
    tree = xr.DataTree.from_dict({_node_name(name, datasets): data for name, data in datasets.items()})
    tree.attrs = attrs_of(Path(path))
    return tree


def open_datasets(path: AnyPath) -> dict[str, xr.Dataset]:
    """Open a stored prediction; return its datasets by input, read lazily.

    Raises:
        InputError: when ``path`` is not a stored prediction, or a damaged one.
    """
    path = Path(path)
    if (
        not path.exists()
        and (complete := path.with_name(f".{path.name}.partial")).exists()
        and (path.with_name(f".{path.name}.replaced").exists())
    ):
        raise InputError(
            f"{path}: a process was killed while it replaced this prediction; the new one is complete: rename "
            f"{complete.name} to {path.name}, or predict anew"
        )
    if not (path / "zarr.json").is_file():
        raise InputError(f"{path}: no prediction here (no zarr.json); `multiunet predict` writes one")
    if not is_prediction(path):
        raise InputError(f"{path}: no prediction here (its zarr.json is of another program, or damaged)")
    try:
        return _datasets(path)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # of many kinds: those of Zarr, of its codecs and of xarray
        raise InputError(f"{path}: the prediction cannot be read ({error}); it is damaged, so predict anew") from error


def _datasets(path: Path) -> dict[str, xr.Dataset]:
    found = {}
    for group, arrays in sorted(zarr.open_group(path, mode="r").groups()):
        _check_complete(path, group, arrays)
        data = xr.open_zarr(path, group=group, consolidated=False, chunks=None)
        # arrays are found in no fixed order, and the order of a dataset's dimensions is that of its variables
        variables = {name: _named(path, group, arrays, data[name]) for name in VARIABLES if name in data}
        found[str(data.attrs[NAME])] = xr.Dataset(variables, data.coords, _without_ome(data.attrs))
    return found


def _without_ome(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes without what tells viewers the same in their words."""
    return {name: value for name, value in attrs.items() if name != OME}


def _node_name(name: str, inputs: Container[str]) -> str:
    """Return the name of a node: that of the group where the input's would be no place in the tree, or in an input."""
    parts = name.split("/")
    within = any("/".join(parts[:end]) in inputs for end in range(1, len(parts)))
    return group_name(name) if within or {"", ".", ".."} & {*parts} else name


def _named(path: Path, group: str, arrays: zarr.Group, data: xr.DataArray) -> xr.Variable:
    """Return a variable whose errors of reading name the prediction and the array."""
    array = StoredArray(cast("zarr.Array[Any]", arrays[str(data.name)]), f"{path}: {group}/{data.name}")
    return xr.Variable(data.dims, indexing.LazilyIndexedArray(array), data.attrs)


def _check_complete(path: Path, name: str, group: zarr.Group) -> None:
    """Check that no chunk is missing, which Zarr would read as the fill value, or cut short."""
    for variable, array in group.arrays():
        count, size = count_chunks(path / array.path)
        missing = int(array.attrs.get(CHUNKS, 0)) - count  # type: ignore[arg-type]
        written = int(array.attrs.get(BYTES, size))  # type: ignore[arg-type]
        if missing > 0:
            raise InputError(
                f"{path}: {missing} of the chunks of {name}/{variable} are missing; copy the prediction again, or "
                "predict anew"
            )
        if size != written:
            raise InputError(
                f"{path}: the chunks of {name}/{variable} have {size:,} bytes, not the {written:,} that were written; "
                "copy the prediction again, or predict anew"
            )


def count_chunks(array: Path) -> tuple[int, int]:
    """Return how many chunks the array in this folder has, and their bytes."""
    sizes = [os.stat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(array / "c") for name in names]
    return len(sizes), sum(sizes)
