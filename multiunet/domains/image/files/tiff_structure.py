"""Completeness of TIFF files: all pages, strips and tiles are there that the file names."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree import ElementTree

import numpy as np
import tifffile
from numpy.typing import NDArray

from multiunet.domains.expansion import DEFLATE_MOST, check_promise
from multiunet.errors import InputError

FIX = "copy or export it again"

BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Of a value, by the number of its type (TIFF 6.0, page 15; BigTIFF)."""

INTEGERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}

WIDTH, HEIGHT, BITS, COMPRESSION, SAMPLES, ROWS, PLANAR = 256, 257, 258, 259, 277, 278, 284
OFFSETS, COUNTS = {273: "strip", 324: "tile"}, {279: "strip", 325: "tile"}
ORIENTATION, TILE_WIDTH, TILE_HEIGHT, DEPTH = 274, 322, 323, 32997

MOST_TIMES = {5: 4096, 8: DEFLATE_MOST, 32946: DEFLATE_MOST, 32773: 64}
"""Times its bytes that a strip can become, by the number of its compression: LZW, deflate (two), PackBits."""


@dataclass(frozen=True)
class Form:
    """Layout of numbers in a file: byte order, and the sizes of classic TIFF or of BigTIFF."""

    order: str
    big: bool

    @property
    def count(self) -> str:
        """Format of the number of a page's tags."""
        return self.order + ("Q" if self.big else "H")

    @property
    def offset(self) -> str:
        """Format of a place in the file."""
        return self.order + ("Q" if self.big else "I")


def check_structure(path: Path) -> list[int]:
    """Check that all pages, tags, strips and tiles lie inside the file; return each page's orientation.

    Raises:
        InputError: when the file is cut short or damaged.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        header = file.read(16)
        order = {b"II": "<", b"MM": ">"}.get(header[:2])
        version = 0 if order is None or len(header) < 16 else struct.unpack(order + "H", header[2:4])[0]
        if order is None or version not in (42, 43):
            return []  # tifffile knows more kinds, or says what is wrong
        form = Form(order, version == 43)
        start = header[8:16] if form.big else header[4:8]
        pages = _walk(path, file, form, struct.unpack(form.offset, start)[0], size)
        return [_check_page(path, number, tags, size) for number, tags in enumerate(pages)]


Tags = Mapping[int, NDArray[Any]]
"""Integer values of the tags that say where a page's pixels are, and how they lie."""


def _walk(path: Path, file: BinaryIO, form: Form, place: int, size: int) -> Iterator[Tags]:
    """Follow the chain of pages to its end."""
    width, head = struct.calcsize(form.offset), struct.calcsize(form.count)
    seen: set[int] = set()
    while place:
        if place in seen:
            raise InputError(f"{path}: damaged: its pages follow one another in a circle; {FIX}")
        seen.add(place)
        file.seek(place)
        count = _unpack(path, form.count, file.read(head))
        entry = 4 + 2 * width
        table = file.read(count * entry + width) if place + count * entry <= size else b""
        if len(table) < count * entry + width:
            raise InputError(f"{path}: cut short: page {len(seen)} lies beyond its {size:,} bytes; {FIX}")
        yield dict(_tags(path, file, form, [table[i * entry : (i + 1) * entry] for i in range(count)], size))
        place = _unpack(path, form.offset, table[-width:])


def _tags(path: Path, file: BinaryIO, form: Form, entries: list[bytes], size: int) -> Iterator[tuple[int, Any]]:
    for entry in entries:
        tag, kind = struct.unpack(form.order + "HH", entry[:4])
        half = (len(entry) - 4) // 2
        count = _unpack(path, form.offset, entry[4 : 4 + half])
        value, length = entry[4 + half :], BYTES.get(kind, 0) * count
        if length > half:
            place = _unpack(path, form.offset, value)
            if place + length > size:
                raise InputError(f"{path}: cut short: the value of tag {tag} lies beyond its {size:,} bytes; {FIX}")
            if tag in READ:
                file.seek(place)
                value = file.read(length)
        if tag in READ and kind in INTEGERS:
            yield tag, np.frombuffer(value[:length], form.order + INTEGERS[kind]).astype(np.uint64)


READ = {
    *(WIDTH, HEIGHT, BITS, COMPRESSION, SAMPLES, ROWS, PLANAR, ORIENTATION, TILE_WIDTH, TILE_HEIGHT, DEPTH),
    *(*OFFSETS, *COUNTS),
}


def _unpack(path: Path, form: str, data: bytes) -> int:
    if len(data) < struct.calcsize(form):
        raise InputError(f"{path}: cut short: it ends within the list of its pages; {FIX}")
    number: int = struct.unpack(form, data)[0]
    return number


def _check_page(path: Path, number: int, tags: Tags, size: int) -> int:
    """Check that the pixels of a page lie inside the file; return its orientation."""
    for where, what in OFFSETS.items():
        offsets, counts = tags.get(where), tags.get(where + (6 if what == "strip" else 1))
        if offsets is None or counts is None or len(offsets) != len(counts):
            continue
        _check_promised(path, number, tags, what, len(offsets), counts)
        counts = counts.copy()
        if what == "strip":
            counts[-1] = min(int(counts[-1]), _bytes_of_last_strip(tags))
        beyond = np.flatnonzero((counts > 0) & (offsets + counts > size))
        if len(beyond):
            raise InputError(
                f"{path}: cut short: {len(beyond)} of the {len(offsets)} {what}s of page {number + 1} lie beyond its "
                f"{size:,} bytes; {FIX}"
            )
    return _first(tags, ORIENTATION, 1)


def _check_promised(path: Path, number: int, tags: Tags, what: str, found: int, counts: NDArray[np.uint64]) -> None:
    """Check that a page has as many strips or tiles as its size needs, and that their bytes can become its pixels."""
    height, width = _first(tags, HEIGHT, 0), _first(tags, WIDTH, 0)
    rows = min(height, _first(tags, ROWS, height)) if what == "strip" else _first(tags, TILE_HEIGHT, height)
    columns = width if what == "strip" else _first(tags, TILE_WIDTH, width)
    depth = _first(tags, DEPTH, 1)
    samples = _first(tags, SAMPLES, 1)
    planes = samples if _first(tags, PLANAR, 1) == 2 else 1
    if not rows or not columns or depth > 1:  # volumes of tiles are rare, and tifffile's own check is enough
        return
    needed = math.ceil(height / rows) * math.ceil(width / columns) * planes
    if found < needed:
        raise InputError(
            f"{path}: damaged: page {number + 1} has {height:,} x {width:,} pixels, which are {needed:,} {what}s, but "
            f"it names {found:,}; {FIX}"
        )
    most = MOST_TIMES.get(_first(tags, COMPRESSION, 1))
    if most is not None and (counts > 0).any():
        bits = int(tags[BITS].max()) if BITS in tags else 1
        piece = rows * columns * samples // planes * bits // 8
        check_promise(path, f"a {what} of page {number + 1}", int(counts.max()), piece, most)


def _bytes_of_last_strip(tags: Tags) -> int:
    """Return the bytes that the last strip needs, which some programs round up; of compressed ones no limit."""
    rows, height = _first(tags, ROWS, 0), _first(tags, HEIGHT, 0)
    if _first(tags, COMPRESSION, 1) != 1 or not rows or not height:
        return 1 << 62
    bits = int(tags[BITS].max()) if BITS in tags else 1
    samples = _first(tags, SAMPLES, 1) if _first(tags, PLANAR, 1) == 1 else 1
    return ((height - 1) % rows + 1) * math.ceil(_first(tags, WIDTH, 0) * samples * bits / 8)


def _first(tags: Tags, tag: int, default: int) -> int:
    values = tags.get(tag)
    return default if values is None or not len(values) else int(values[0])


def check_planes(path: Path, tif: tifffile.TiffFile) -> None:
    """Check that as many planes are there as the file's description says (ImageJ, OME, tifffile).

    Raises:
        InputError: when there are fewer.
    """
    stated, by = _stated_planes(tif)
    size = path.stat().st_size
    found = sum(_count_planes(series, size) for series in tif.series)
    samples = max(math.prod(n for axis, n in zip(series.axes, series.shape) if axis == "S") for series in tif.series)
    if stated > found * samples:
        raise InputError(
            f"{path}: its description ({by}) states {stated} planes, but it holds {found}: it is cut short or a part "
            "of another file; copy it again, or if it is whole, save it anew without that description"
        )


def _count_planes(series: Any, size: int) -> int:
    """Count the planes of a series that are in the file: numbers one after the other, or pages."""
    if series.dataoffset is not None and series.dataoffset + series.nbytes <= size:
        return math.prod(n for axis, n in zip(series.axes, series.shape) if axis not in "YXS")
    return sum(page is not None for page in series.pages)


def _stated_planes(tif: tifffile.TiffFile) -> tuple[int, str]:
    """Return how many planes a file's description states, samples of a pixel counted or not, and whose it is."""
    if tif.is_imagej:
        facts: dict[str, Any] = tif.imagej_metadata or {}
        return max(
            facts.get("images", 1), math.prod(facts.get(n, 1) for n in ("channels", "slices", "frames"))
        ), "ImageJ"
    if tif.is_ome and tif.ome_metadata:
        return _planes_of_ome(tif.ome_metadata), "OME"
    if tif.is_shaped:
        values = sum(math.prod(facts.get("shape", ())) for facts in tif.shaped_metadata or ())
        return math.ceil(values / math.prod(tif.pages.first.shape)), "tifffile"
    return 0, ""


def _planes_of_ome(xml: str) -> int:
    """Return the planes that lie in this file; 0 where others hold some of them."""
    root = ElementTree.fromstring(xml)
    if any(element.tag.endswith("}UUID") and element.get("FileName") for element in root.iter()):
        return 0
    pixels = [element for element in root.iter() if element.tag.endswith("}Pixels")]
    return sum(math.prod(int(one.get(f"Size{axis}", 1)) for axis in "ZCT") for one in pixels)
