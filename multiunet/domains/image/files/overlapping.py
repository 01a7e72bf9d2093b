"""Masks of classes that may overlap: a file, a channel or a bit a class, read as one integer a pixel.

Bit k of the integer says that the pixel has class k, bit ``UNKNOWN + k`` that this is not known.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.image.files.lazy import Lazy, Pixels, Region, format_shape, iter_blocks
from multiunet.domains.image.files.masks import read_mask
from multiunet.domains.image.files.readers import read_file
from multiunet.errors import InputError
from multiunet.wording import are, counted, listing

Layout = Literal["files", "channels", "bits"]
"""Where a class of a mask lies: in a file of its own, in a channel (or page), or in a bit of an integer."""

MOST = 31
"""Classes of a mask, at most."""

UNKNOWN = 32
"""Place of the first bit that says that a class is not known."""

INSIDE = (1, 255, 65535)
"""Values that stand for inside in a mask of one class."""

FORBIDDEN = "{},"
"""Signs that names of files of one class cannot have: see ``join_files``."""


@dataclass(frozen=True)
class OverlappingMask:
    """Mask of classes that may overlap.

    Attributes:
        bits: of each pixel, int64 ``space``; see above.
        layout: of its files.
        places: number of files or channels; of bits 0, as any may be used.
    """

    bits: Pixels
    layout: Layout
    places: int


def join_files(paths: Sequence[Path]) -> str:
    """Return the files of one mask, a class each, as one name.

    Raises:
        InputError: for a name with signs that this cannot have.

    >>> join_files([Path("masks/border/a.png"), Path("masks/cell/a.png")])
    'masks/{border/a.png,cell/a.png}'
    """
    folder = os.path.commonpath([path.parent for path in paths])
    names = [os.path.relpath(path, folder) for path in paths]
    for path, name in zip(paths, names):
        if set(FORBIDDEN) & set(name):
            raise InputError(f"{path}: the name of a file of one class has no {' '.join(FORBIDDEN)}; rename it")
    return f"{Path(folder) / ('{' + ','.join(names) + '}')}"


def split_files(target: str) -> list[str]:
    """Return the files of a mask: those that ``join_files`` joined, or the one that it is.

    >>> split_files("masks/{border/a.png,cell/a.png}")
    ['masks/border/a.png', 'masks/cell/a.png']
    >>> split_files("masks/a.png")
    ['masks/a.png']
    """
    found = re.fullmatch(r"(.*)\{([^{}]+)\}", target)
    return [target] if found is None else [f"{found[1]}{name}" for name in found[2].split(",")]


def read_overlapping(target: str, ndim: int, ignore_value: int | None = None, checked: bool = False) -> OverlappingMask:
    """Read a mask of classes that may overlap.

    Args:
        target: a file, or several as ``join_files`` names them, a class each.
        ndim: axes in space; a mask with one more has a class a channel, or page.
        ignore_value: of pixels that are not known: in the files or channels of these classes, of bits in all.
        checked: it was read before, so its values are not looked at again.

    Raises:
        InputError: when a file cannot be read, or has other values than 0 and 1 (or 255), or too many bits.
    """
    paths = split_files(target)
    if len(paths) > 1:
        planes = [read_mask(Path(path), numbered=True, checked=True) for path in paths]
        for path, plane in zip(paths, planes):
            if plane.shape != planes[0].shape:
                sizes = format_shape(plane.shape), format_shape(planes[0].shape)
                raise InputError(f"{path}: is {sizes[0]}, but {paths[0]} is {sizes[1]}; masks of one image are alike")
        return _join(paths, planes, "files", ignore_value, checked)
    pixels = _read_channels(target, ndim)
    if pixels.shape[0] > 1:
        names = [f"{target}, channel {place}" for place in range(pixels.shape[0])]
        channels = [_take(pixels, place) for place in range(pixels.shape[0])]
        return _join(names, channels, "channels", ignore_value, checked)
    labels = read_mask(Path(target), numbered=True, checked=True)
    if labels.ndim > ndim:
        labels = _take(labels, 0)
    if not checked:
        _check_bits(target, labels, ignore_value)

    def pack(block: np.ndarray) -> NDArray[np.int64]:
        bits = block.astype(np.int64)
        return bits if ignore_value is None else np.where(bits == ignore_value, ALL_UNKNOWN, bits)

    return OverlappingMask(_combine([labels], lambda blocks: pack(blocks[0])), "bits", 0)


ALL_UNKNOWN = ((1 << MOST) - 1) << UNKNOWN
"""Bits of a pixel of which nothing is known."""


def _read_channels(target: str, ndim: int) -> Pixels:
    """Read one file, ``(C, *space)``, whose sections may be its channels."""
    pixels = read_file(Path(target), "labels").pixels
    if pixels.ndim == ndim + 2 and pixels.shape[0] == 1:  # pages of an image
        return _take(pixels, 0)
    return pixels


def _take(pixels: Pixels, place: int) -> Pixels:
    """Return one part of the first axis."""
    if not isinstance(pixels, Lazy):
        plane: np.ndarray = pixels[place]
        return plane

    def read(region: Region) -> np.ndarray:
        block: np.ndarray = pixels.read((slice(place, place + 1), *region))[0]
        return block

    return Lazy(pixels.shape[1:], pixels.dtype, read, pixels.chunk[1:])


def _join(
    names: Sequence[str], planes: Sequence[Pixels], layout: Layout, ignore_value: int | None, checked: bool
) -> OverlappingMask:
    """Return the mask whose classes are these planes, ``space`` each; 0 is outside."""
    if len(planes) > MOST:
        raise InputError(f"{names[0]}: one of {len(planes)} classes; at most {MOST} may overlap")
    if not checked:
        for name, plane in zip(names, planes):
            _check_plane(name, plane, ignore_value)

    def pack(blocks: Sequence[np.ndarray]) -> NDArray[np.int64]:
        bits = np.zeros(blocks[0].shape, dtype=np.int64)
        for place, block in enumerate(blocks):
            unknown = np.zeros(block.shape, bool) if ignore_value is None else block == ignore_value
            bits |= ((block != 0) & ~unknown).astype(np.int64) << place | unknown.astype(np.int64) << (UNKNOWN + place)
        return bits

    return OverlappingMask(_combine(planes, pack), layout, len(planes))


def _combine(planes: Sequence[Pixels], pack: Callable[[Sequence[np.ndarray]], NDArray[np.int64]]) -> Pixels:
    """Return what ``pack`` makes of arrays of one shape; by parts, where they are read so."""
    shape = planes[0].shape
    if not any(isinstance(plane, Lazy) for plane in planes):
        return pack([plane[...] for plane in planes])
    chunk = next(plane.chunk for plane in planes if isinstance(plane, Lazy))
    return Lazy(shape, np.dtype(np.int64), lambda region: pack([plane[region] for plane in planes]), chunk)


def _check_plane(name: str, plane: Pixels, ignore_value: int | None) -> None:
    """Refuse a mask of one class that has other values than 0 and one for inside."""
    values: set[float] = set()
    for region in iter_blocks(plane):
        values.update(np.unique(plane[region]).tolist())
    inside = sorted(values - {0, ignore_value})
    if len(inside) > 1 or (inside and inside[0] not in INSIDE):
        strange = next((value for value in inside if value not in INSIDE), inside[-1])
        count = sum(int(np.count_nonzero(plane[region] == strange)) for region in iter_blocks(plane))
        raise InputError(
            f"{name}: value {strange:g} in {counted(count, 'pixel')}; a mask of one class is 0 outside and 1 (or 255) "
            f"inside, and this has {listing([f'{value:g}' for value in sorted(values)])}; of pixels that do not count, "
            f"pass `ignore_value={strange:g}`; numbers whose bits are classes are one file with one channel"
        )


def _check_bits(name: str, labels: Pixels, ignore_value: int | None) -> None:
    """Refuse numbers that are no bits of at most ``MOST`` classes."""
    for region in iter_blocks(labels):
        block = labels[region]
        known = block if ignore_value is None else block[block != ignore_value]
        wrong = known[(known < 0) | (known >= 1 << MOST)]
        if wrong.size:
            raise InputError(
                f"{name}: {are(wrong.size, 'pixel')} {wrong[0]}; the bits of a mask of overlapping classes are 0 to "
                f"{MOST - 1}; of pixels that do not count, pass `ignore_value={wrong[0]}`"
            )


def used_places(bits: NDArray[np.int64]) -> int:
    """Return the classes that are somewhere, as the bits of one integer."""
    used = int(np.bitwise_or.reduce(bits, axis=None)) if bits.size else 0
    return used & ((1 << MOST) - 1)


def places_of(used: int) -> list[int]:
    """Return the places of the bits of an integer, ascending.

    >>> places_of(0b1010)
    [1, 3]
    """
    return [place for place in range(MOST) if used >> place & 1]


def choose_places(bits: NDArray[np.int64], places: Sequence[int]) -> NDArray[np.int64]:
    """Return the bits of the classes at these places as those of classes 0, 1, ...; others are left out."""
    if list(places) == list(range(len(places))):  # nothing moves
        kept = (1 << len(places)) - 1
        same: NDArray[np.int64] = bits & (kept | kept << UNKNOWN)
        return same
    found = np.zeros_like(bits)
    for index, place in enumerate(places):
        found |= (bits >> place & 1) << index | (bits >> (UNKNOWN + place) & 1) << (UNKNOWN + index)
    return found


def unpack(bits: NDArray[np.int64], count: int) -> NDArray[np.float32]:
    """Return classes as planes ``(count, *space)``: 1 where it is, 0 where not, NaN where unknown.

    >>> unpack(np.array([0b01, 0b11, 1 << UNKNOWN]), 2).tolist()
    [[1.0, 1.0, nan], [0.0, 1.0, 0.0]]
    """
    places = np.arange(count).reshape(-1, *(1,) * bits.ndim)
    planes = (bits >> places & 1).astype(np.float32)
    planes[(bits >> (UNKNOWN + places) & 1).astype(bool)] = np.nan
    return planes
