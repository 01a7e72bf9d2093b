"""Arrays by name from .npz archives and .pt files; nothing is ever unpickled."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from multiunet.domains.expansion import MOST_TIMES_OF_ARRAYS, check_expansion, check_promise
from multiunet.domains.graph.files.splits import resembles_split
from multiunet.domains.graph.files.torch_files import read_torch
from multiunet.domains.reading import reading
from multiunet.domains.remarks import remark_file
from multiunet.errors import InputError
from multiunet.wording import listing

Keys = Mapping[str, tuple[str, ...]]
"""Names under which each part of a graph may be found, the usual one first."""


@dataclass(frozen=True)
class Arrays:
    """Arrays of a file.

    Attributes:
        values: by name, those that are asked for and those that may have to do with a split.
        others: names of what else the file holds.
    """

    values: Mapping[str, NDArray[Any]]
    others: tuple[str, ...]

    def parts(self, keys: Keys) -> dict[str, NDArray[Any] | None]:
        """Return the array of each part under the first of its names; None where there is none."""
        return {
            part: next((self.values[name] for name in names if name in self.values), None)
            for part, names in keys.items()
        }

    def __str__(self) -> str:
        return ", ".join(sorted([*self.values, *self.others])) or "nothing"

    def remark_unread(self, path: Path, keys: Keys) -> None:
        """Say which arrays are not read, those that repeat a part under another name included."""
        repeats = [[name for name in names if name in self.values] for names in keys.values()]
        unread = [*(f"{name} ({names[0]} is)" for names in repeats for name in names[1:]), *self.others]
        if unread:
            remark_file(path, f"not read: {listing(unread)}")


def read_arrays(path: Path, keys: Keys) -> Arrays:
    """Read the arrays of an .npz, or the tensors of a .pt.

    Raises:
        InputError: for a file that is not complete, of another kind, or would need unpickling.
    """
    wanted = {name for names in keys.values() for name in names}
    return (_read_npz if path.suffix.lower() == ".npz" else _read_pt)(
        path, lambda name: name in wanted or resembles_split(name)
    )


def _read_npz(path: Path, wanted: Callable[[str], bool]) -> Arrays:
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path}: is not a readable .npz archive; is it complete, and saved by numpy.savez?")
    found: dict[str, NDArray[Any]] = {}
    others = []
    with reading(path), zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            name = entry.filename.removesuffix(".npy")
            if wanted(name):
                found[name] = _read_npy(path, archive, entry, name)
            else:
                others.append(name)
    return Arrays(found, tuple(others))


def _read_npy(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> NDArray[Any]:
    check_promise(path, f"{name}, as its entry says,", entry.compress_size, entry.file_size)
    check_expansion(path, entry.compress_size, entry.file_size, f"{name}, unpacked,", MOST_TIMES_OF_ARRAYS)
    with archive.open(entry) as stream:
        _check_header(archive, entry, name)
        try:
            array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
        except ValueError as error:
            if "allow_pickle" not in str(error):
                raise ValueError(f"{name}: {error}") from error
            raise InputError(
                f"{path}: {name} is an array of Python objects, which is never unpickled because that can run any "
                f"code; save numbers or text ({error})"
            ) from error
        # only a reader that comes to the end compares the checksum
        if stream.read(1):
            raise ValueError(f"{name} is longer than its shape says")
    return array


def _check_header(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> None:
    """Check that an array has as many bytes as its header says, before room is made for them."""
    with archive.open(entry) as stream:
        version = np.lib.format.read_magic(stream)
        if version not in HEADERS:
            raise ValueError(f"{name} is of an unknown version {version} of the format")
        shape, _, dtype = HEADERS[version](stream)
        size = math.prod(shape) * dtype.itemsize
        if not dtype.hasobject and stream.tell() + size > entry.file_size:
            raise ValueError(f"{name}: its header says {size:,} bytes, but {entry.file_size - stream.tell():,} follow")


HEADERS: Mapping[tuple[int, int], Callable[[Any], tuple[tuple[int, ...], bool, np.dtype[Any]]]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
"""Readers of the headers of NumPy's format by its version; a third, of names beyond Latin, is of records alone."""


def _read_pt(path: Path, wanted: Callable[[str], bool]) -> Arrays:
    content = read_torch(path)
    found: dict[str, NDArray[Any]] = {}
    others = []
    with reading(path):
        for name, value in _flat(content):
            array = _as_array(path, name, value) if wanted(name) else None
            if array is not None:
                found[name] = array
            elif value is not None:
                others.append(name)
    return Arrays(found, tuple(others))


def _flat(content: Mapping[Any, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the names and values of a dict, those of dicts in it as ``outer.inner``."""
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _as_array(path: Path, name: str, value: Any) -> NDArray[Any] | None:
    """Return a tensor, a number, or a list of numbers or words as an array; None for anything else."""
    if isinstance(value, torch.Tensor):
        # a sparse tensor, or one that repeats its numbers, stores far fewer
        check_expansion(
            path,
            path.stat().st_size,
            value.numel() * value.element_size(),
            f"{name}, written out,",
            MOST_TIMES_OF_ARRAYS,
        )
        plain = value.detach().to_dense()
        # NumPy has no bfloat16
        array: NDArray[Any] = (plain.float() if plain.is_floating_point() else plain).numpy()
        return array
    if isinstance(value, (bool, int, float, str)):
        return np.asarray(value)
    if isinstance(value, (list, tuple)) and (
        all(isinstance(item, str) for item in value) or all(isinstance(item, (bool, int, float)) for item in value)
    ):
        return np.asarray(value)
    return None
