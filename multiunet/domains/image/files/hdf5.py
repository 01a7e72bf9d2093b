"""HDF5 files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from multiunet.domains.image.files.arrays import choose_array, list_array_times, name_axes, stack_array
from multiunet.domains.image.files.hdf5_heaps import check_heaps, has_texts
from multiunet.domains.image.files.hdf5_storage import Checked, check_storage
from multiunet.domains.image.files.lazy import Lazy, Region
from multiunet.domains.image.files.places import join_place, split_place
from multiunet.domains.image.files.stack import Stack, Wanted
from multiunet.domains.image.files.times import split_time
from multiunet.errors import InputError


def read_hdf5(path: Path, wanted: Wanted) -> Stack:
    """Read the one array of a file, or the one with a usual name, as its attributes describe it.

    Raises:
        InputError: when it is not clear which array is meant, or its axes are not y, x; z, y, x; or those and channels.
    """
    import h5py

    with h5py.File(split_place(path)[0], "r") as file:
        found = _list_arrays(file)
        path, time = split_time(path, partial(_is_there, found))
        where, inside = split_place(path)
        array = choose_array(path, _below(path, found, inside), wanted)
        check_storage(path, where, array, wanted == "image")
        shape, name, dtype = array.shape, array.name, array.dtype
        chunk = array.chunks or (*(1,) * (len(shape) - 1), shape[-1])
        attributes, names = _read_texts(path, where, array)

    checked = Checked(path)

    def read(region: Region) -> np.ndarray:
        with h5py.File(where, "r") as file:
            checked.check(file[name], region)
            window: np.ndarray = file[name][region]
            return window

    advice = f'in Python, with h5py: for axis, name in enumerate("cyx"): file["{name}"].dims[axis].label = name'
    return stack_array(path, Lazy(shape, dtype, read, chunk), attributes, names, wanted, advice, time)


def list_hdf5_times(path: Path, wanted: Wanted) -> list[Path]:
    """List the images of a file or a place in it: itself, or a place for each point in time."""
    import h5py

    try:
        with h5py.File(split_place(path)[0], "r") as file:
            found = _list_arrays(file)
            is_there = partial(_is_there, found)
            if split_time(path, is_there)[1]:
                return [path]
            array = choose_array(path, _below(path, found, split_place(path)[1]), wanted)
            axes = name_axes(*_read_texts(path, split_place(path)[0], array), len(array.shape))
            return list_array_times(path, join_place(split_place(path)[0], array.name[1:]), array.shape, axes, is_there)
    except Exception:  # whatever is wrong with it, its reader says
        return [path]


def names_hdf5_time(path: Path) -> bool:
    """Return whether an image is one point in time of an array."""
    import h5py

    with h5py.File(split_place(path)[0], "r") as file:
        return bool(split_time(path, partial(_is_there, _list_arrays(file)))[1])


def _list_arrays(file: Any) -> dict[str, Any]:
    import h5py

    found: dict[str, Any] = {}
    file.visititems(lambda name, item: found.update({name: item}) if isinstance(item, h5py.Dataset) else None)
    return found


def _read_texts(path: Path, file: Path, array: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the attributes of an array and the labels of its axes, once it is known that reading them does no harm."""
    if has_texts(array):
        check_heaps(path, file)
    return dict(array.attrs), [axis.label for axis in array.dims]


def _is_there(arrays: Mapping[str, Any], place: str) -> bool:
    return any(f"{name}/".startswith(f"{place}/") for name in arrays)


def _below(path: Path, arrays: Mapping[str, Any], inside: str) -> Mapping[str, Any]:
    """Return the arrays at or below a place in a file."""
    found = {name: array for name, array in arrays.items() if f"{name}/".startswith(f"{inside}/" if inside else "")}
    if arrays and not found:
        raise InputError(f"{path}: no such array; the file holds {', '.join(sorted(arrays)[:9])}")
    return found
