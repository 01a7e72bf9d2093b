"""HDF5 files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from multiunet.domains.image.files.arrays import choose_array, stack_array
from multiunet.domains.image.files.hdf5_heaps import check_heaps, has_texts
from multiunet.domains.image.files.hdf5_storage import Checked, check_storage
from multiunet.domains.image.files.lazy import Lazy, Region
from multiunet.domains.image.files.places import split_place
from multiunet.domains.image.files.stack import Stack, Wanted
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
        check_storage(path, where, array, wanted == "image")
        shape, name, dtype = array.shape, array.name, array.dtype
        chunk = array.chunks or (*(1,) * (len(shape) - 1), shape[-1])
        if has_texts(array):
            check_heaps(path, where)
        attributes, names = dict(array.attrs), [axis.label for axis in array.dims]

    checked = Checked(path)

    def read(region: Region) -> np.ndarray:
        with h5py.File(where, "r") as file:
            checked.check(file[name], region)
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
