"""HDF5 files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from multiunet.domains.image.files.arrays import choose_array, stack_array
from multiunet.domains.image.files.lazy import Lazy, Region
from multiunet.domains.image.files.places import split_place
from multiunet.domains.image.files.stack import Stack, Wanted
from multiunet.domains.remarks import remark_file
from multiunet.errors import InputError


def read_hdf5(path: Path, wanted: Wanted) -> Stack:
    """Read the one array of a file, or the one with a usual name, as its attributes describe it.

    Raises:
        InputError: when it is not clear which array is meant, or its axes are not y, x; z, y, x; or those and channels.
    """
    import h5py

    where, inside = split_place(path)
    with h5py.File(where, "r") as file:
        found: dict[str, Any] = {}
        file.visititems(lambda name, item: found.update({name: item}) if isinstance(item, h5py.Dataset) else None)
        array = choose_array(path, _below(path, found, inside), wanted)
        _check_complete(path, array, wanted)
        shape, name, dtype = array.shape, array.name, array.dtype
        chunk = array.chunks or (*(1,) * (len(shape) - 1), shape[-1])
        attributes, names = dict(array.attrs), [axis.label for axis in array.dims]

    def read(region: Region) -> np.ndarray:
        with h5py.File(where, "r") as file:
            window: np.ndarray = file[name][region]
            return window

    advice = f'in Python, with h5py: for axis, name in enumerate("cyx"): file["{name}"].dims[axis].label = name'
    return stack_array(path, Lazy(shape, dtype, read, chunk), attributes, names, wanted, advice)


def _below(path: Path, arrays: Mapping[str, Any], inside: str) -> Mapping[str, Any]:
    """Return the arrays at or below a place in a file."""
    found = {name: array for name, array in arrays.items() if f"{name}/".startswith(f"{inside}/" if inside else "")}
    if arrays and not found:
        raise InputError(f"{path}: no such array; the file holds {', '.join(sorted(arrays)[:9])}")
    return found


def _check_complete(path: Path, array: Any, wanted: Wanted) -> None:
    """Check that an array's parts are there: those in other files, and those that should have been written."""
    if array.is_virtual:
        sources = [Path(source.file_name) for source in array.virtual_sources() if source.file_name != "."]
        folder = split_place(path)[0].parent
        missing = [str(source) for source in sources if not (folder / source).exists()]
        if missing:
            raise InputError(f"{path}: a part of its array lies in {missing[0]}, which is not there; put it back")
    elif array.chunks and wanted == "image":
        stored = array.id.get_num_chunks()
        needed = math.prod(math.ceil(n / part) for n, part in zip(array.shape, array.chunks))
        warn_of_missing(path, needed - stored, needed, array.fillvalue)


def warn_of_missing(path: Path, missing: int, needed: int, fill: object) -> None:
    """Warn of parts of an image that are not stored, and so read as one value."""
    if missing > 0:
        remark_file(
            path,
            f"{missing} of the {needed} parts that it is stored in are not there, and read as {fill}; if they "
            "are not empty, the file is incomplete",
        )
