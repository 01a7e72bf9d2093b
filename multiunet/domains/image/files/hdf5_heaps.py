"""Check of the heaps in which an HDF5 file keeps texts, before the HDF5 library reads them."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Any

from multiunet.errors import InputError

SIGNATURE = b"GCOL\x01\0\0\0"
"""Begin of a global heap, and its version (HDF5 File Format Specification 3.0, III.E)."""

HEAD, ENTRY = struct.Struct("<8sQ"), struct.Struct("<HH4xQ")
"""Begin of a heap, with its size; begin of an entry: its number, users, and size. Number 0 is free space."""


def check_heaps(path: Path, file: Path) -> None:
    """Check that the heaps of a file end.

    At free space that says to have no bytes, the HDF5 library would read for ever.

    Raises:
        InputError: naming the file and the place.
    """
    if file.stat().st_size < HEAD.size:
        return
    with open(file, "rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        at = content.find(SIGNATURE)
        while at >= 0:
            if (place := _find_endless(content, at)) is not None:
                raise InputError(
                    f"{path}: is damaged: the heap of its texts has no end at byte {place:,}; copy it again"
                )
            at = content.find(SIGNATURE, at + 1)


def has_texts(array: Any) -> bool:
    """Return whether attributes of an HDF5 array, or the names of its axes, may lie in a heap."""
    import h5py

    numbers = {h5py.h5t.INTEGER, h5py.h5t.FLOAT}
    attributes = array.attrs
    return any(attributes.get_id(name).get_type().get_class() not in numbers for name in attributes)


def _find_endless(content: mmap.mmap, start: int) -> int | None:
    """Return where a heap has free space of no bytes, if anywhere."""
    if start + HEAD.size > len(content):
        return None
    end = min(start + HEAD.unpack_from(content, start)[1], len(content))
    at = start + HEAD.size
    while at + ENTRY.size <= end:
        number, _, size = ENTRY.unpack_from(content, at)
        step = size if number == 0 else ENTRY.size + (size + 7) // 8 * 8
        if step == 0:
            return at
        at += step
    return None
