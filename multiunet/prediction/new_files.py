"""Files of new groups and arrays of a store, made in memory and moved to their place at once.

On disk zarr has other threads read and write each file, one after the other, and those of the groups around it again.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import ArrayLike
from zarr.codecs import BloscCodec
from zarr.core.buffer import Buffer
from zarr.storage import LocalStore, MemoryStore, StorePath

from multiunet.files import sync_folder, sync_tree

Files = dict[str, bytes]
"""Contents of files by their places in the folder of a group or an array."""

ABOUT = "zarr.json"

FLOATS = BloscCodec(cname="lz4", clevel=1, shuffle="bitshuffle")
"""Of simulated noisy probabilities it makes slightly less than Zarr's default (Zstandard), some four times as fast."""


def array_files(
    shape: Sequence[int],
    dims: Sequence[str],
    dtype: str,
    *,
    chunks: Sequence[int] | None = None,
    fill_value: float | None = None,
    fast: bool = False,
    attrs: Mapping[str, Any] | None = None,
) -> Files:
    """Make an array of its fill value.

    Args:
        dims: names of the axes; none: they have no names.
        dtype: a NumPy type, or "str".
        chunks: sites of a chunk by axis; None: as Zarr chooses.
        fill_value: None: 0, False or an empty text.
        fast: pack by ``FLOATS``, not by Zarr's default.
    """
    fill = "NaN" if fill_value is not None and math.isnan(fill_value) else fill_value
    about = _describe(tuple(shape), tuple(dims), dtype, None if chunks is None else tuple(chunks), fill, fast)
    return {ABOUT: _text(json.loads(about) | {"attributes": dict(attrs)}).encode() if attrs else about}


def value_files(values: ArrayLike, dims: Sequence[str], **options: Any) -> Files:
    """Make an array of values.

    Args:
        options: as of ``array_files``.
    """
    given = np.asarray(values)
    dtype = "str" if given.dtype.kind in "OU" else given.dtype.str
    files = array_files(given.shape, dims, dtype, **options)
    chunks: dict[str, Buffer] = {}
    array = zarr.Array.from_dict(StorePath(MemoryStore(chunks)), json.loads(files[ABOUT]))
    array[...] = given
    return files | {name: content.to_bytes() for name, content in chunks.items()}


def group_files(attrs: Mapping[str, Any], members: Mapping[str, Files] | None = None) -> Files:
    """Make a group.

    Args:
        members: arrays and groups in it, by name.
    """
    files = {ABOUT: group_text(attrs).encode()}
    for name, member in (members or {}).items():
        files |= {f"{name}/{file}": content for file, content in member.items()}
    return files


def group_text(attrs: Mapping[str, Any]) -> str:
    """Return what tells of a group."""
    return _text({"attributes": dict(attrs), "zarr_format": 3, "node_type": "group"})


def without_attrs(array: Files) -> Files:
    """Return an array as it is, without its attributes."""
    return array | {ABOUT: _text(json.loads(array[ABOUT]) | {"attributes": {}}).encode()}


def write_files(folder: Path, files: Files, flush: bool = False) -> None:
    """Write the folder of a group or an array, in place of one that is there.

    A process that is killed meanwhile leaves all of it or nothing, and a hidden folder beside it, which the next one
    that writes the folder replaces.

    Args:
        flush: all is on the disk when it is done.
    """
    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    for parent in {(new / name).parent for name in files}:
        parent.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (new / name).write_bytes(content)
    if flush:
        sync_tree(new)
    if folder.exists():
        shutil.rmtree(folder)
    os.rename(new, folder)
    if flush:
        sync_folder(folder.parent)


def open_stored(folder: Path) -> zarr.Array[Any]:
    """Open an array of a store to read and write it; zarr's own way takes several times as long."""
    return zarr.Array.from_dict(StorePath(LocalStore(folder)), _read(folder))


def attrs_of(folder: Path) -> dict[str, Any]:
    """Return the attributes of a group or an array."""
    return dict(_read(folder).get("attributes", {}))


def dims_of(folder: Path) -> tuple[str, ...]:
    """Return the names of an array's axes."""
    return tuple(_read(folder).get("dimension_names") or ())


@lru_cache(256)
def _describe(
    shape: tuple[int, ...],
    dims: tuple[str, ...],
    dtype: str,
    chunks: tuple[int, ...] | None,
    fill: float | str | None,
    fast: bool,
) -> bytes:
    """Return what Zarr writes of an array without attributes; of most inputs several are alike."""
    files: dict[str, Buffer] = {}
    given: dict[str, Any] = {} if fill is None else {"fill_value": math.nan if fill == "NaN" else fill}
    zarr.create_array(
        MemoryStore(files),
        shape=shape,
        dtype=str if dtype == "str" else dtype,
        chunks=chunks or "auto",
        dimension_names=dims or None,
        zarr_format=3,
        compressors=FLOATS if fast else "auto",
        **given,
    )
    return files[ABOUT].to_bytes()


def _read(folder: Path) -> dict[str, Any]:
    about: dict[str, Any] = json.loads((folder / ABOUT).read_bytes())
    return about


def _text(about: Mapping[str, Any]) -> str:
    return json.dumps(about, indent=2)
