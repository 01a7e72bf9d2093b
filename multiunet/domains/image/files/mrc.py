"""MRC files of electron tomography and microscopy (Cheng et al. 2015, MRC2014), by windows."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np

from multiunet.domains.image.files.lazy import Lazy, Region
from multiunet.domains.image.files.stack import Stack, Wanted, stack_named
from multiunet.domains.remarks import remark_file
from multiunet.errors import InputError

MRC = (".mrc", ".mrcs", ".rec")

HEADER = 1024
"""Bytes in front of the extended header."""

KINDS = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
"""Types of numbers by the mode of the file."""

OTHERS = {3: "complex integers", 4: "complex numbers", 101: "numbers of 4 bits"}

STACK = 0
"""Space group of images that are no sections of one volume."""

ANGSTROM = 1e-4
"""In micrometres."""

IMOD, SIGNED = 1146047817, 1
"""Stamp of IMOD's own words, and the flag by which it says that bytes are signed."""


def read_mrc(path: Path, wanted: Wanted) -> Stack:
    """Read an image or volume with the size of its pixels; images of a stack are sections.

    Raises:
        InputError: for a file that is no MRC file, is shorter than its header says, or holds complex numbers.
    """
    with open(path, "rb") as file:
        header = file.read(HEADER)
    order = _find_order(path, header)
    columns, rows, sections, mode = struct.unpack_from(f"{order}4i", header, 0)
    samples = struct.unpack_from(f"{order}3i", header, 28)
    lengths = struct.unpack_from(f"{order}3f", header, 40)
    axes = struct.unpack_from(f"{order}3i", header, 64)
    group, extended = struct.unpack_from(f"{order}2i", header, 88)
    if mode not in KINDS:
        what = OTHERS.get(mode, f"numbers of mode {mode}")
        raise InputError(f"{path}: holds {what}; save real numbers of 8, 16 or 32 bits")
    kind = np.dtype(KINDS[mode]).newbyteorder("<" if order == "<" else ">")
    if mode == 0 and _has_unsigned_bytes(header, order):
        kind = np.dtype("u1")
    shape, offset = (sections, rows, columns), HEADER + extended
    if min(shape) < 1 or extended < 0:
        raise InputError(f"{path}: damaged: its header states {shape} pixels; copy or export it again")
    end, found = offset + math.prod(shape) * kind.itemsize, path.stat().st_size
    if end > found:
        raise InputError(f"{path}: cut short: has {found:,} of {end:,} bytes; copy or export it again")
    if group == STACK and sections > 1:
        remark_file(
            path, f"is a stack of {sections} images, as it states; they are read as the sections (z) of a volume"
        )

    def read(region: Region) -> np.ndarray:
        # mapped anew each time: pages that stay mapped count as memory
        return np.array(np.memmap(path, kind, "r", offset, shape)[region])

    names = [{1: "x", 2: "y", 3: "z"}.get(axis, "") for axis in reversed(axes)]
    if sorted(names) != ["x", "y", "z"]:
        names = ["z", "y", "x"]  # old files leave the words at 0
    along = {name: _step(length, count) for name, length, count in zip("xyz", lengths, samples)}
    steps = [None if name == "z" and group == STACK else along[name] for name in names]
    known = steps if all(along[name] for name in "xy") else []
    return stack_named(path, Lazy(shape, kind, read, (1, 1, columns)), names, known)


def _find_order(path: Path, header: bytes) -> str:
    """Return the byte order, as the stamp of the machine or else the words that name the axes state it."""
    if len(header) < HEADER:
        raise InputError(f"{path}: cut short: ends within its header; copy or export it again")
    stamp = {b"\x44": "<", b"\x11": ">"}.get(header[212:213])
    for order in [stamp] if stamp else ["<", ">"]:
        axes = struct.unpack_from(f"{order}3i", header, 64)
        if set(axes) <= {0, 1, 2, 3}:
            return str(order)
    raise InputError(f"{path}: not an MRC file, whatever its name says; export it again")


def _has_unsigned_bytes(header: bytes, order: str) -> bool:
    """Return whether IMOD wrote the file, and says that its bytes are not signed."""
    stamp, flags = struct.unpack_from(f"{order}2i", header, 152)
    return bool(stamp == IMOD) and not flags & SIGNED


def _step(length: float, count: int) -> float | None:
    """Return the distance of pixels in micrometres; None where the header has none."""
    return length / count * ANGSTROM if count > 0 and math.isfinite(length) and length > 0 else None
