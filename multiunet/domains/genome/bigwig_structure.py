"""Check of the indexes of a bigWig: what they name lies in the file, and takes no more than that.

The reader's own language ends the whole process where a damaged number asks it for more memory than there is. The
layout is that of Kent et al. 2010, supplement, tables 5 to 16.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import BinaryIO

from multiunet.errors import InputError
from multiunet.memory import amount

MAGIC = (b"\x26\xfc\x8f\x88", b"\x88\x8f\xfc\x26")
"""First bytes of a bigWig, of either order of bytes."""

LARGEST_BLOCK = 1 << 26
"""Bytes of an unpacked block, at most; programs write blocks of some thousand intervals."""

HEADER, ZOOM = 64, 24
"""Bytes of the header, and of each of the zoom levels behind it."""

NAMES, BLOCKS = 0x78CA8C91, 0x2468ACE0
"""Numbers with which the tree of chromosomes and that of blocks begin."""

STRETCH, MOST_PACKED = 12, 1024
"""Bytes that say of which bases a block is, and those of a packed block that are read to know them."""

BRANCH, LEAF = 24, 32
"""Bytes of an item of the tree of blocks."""


def check_indexes(path: Path) -> None:
    """Check that the trees of chromosomes and of blocks, and all blocks, lie inside the file.

    Raises:
        InputError: when one does not, or a block is said to take more memory than any does.
    """
    with path.open("rb") as file:
        head = file.read(HEADER)
        if len(head) < HEADER or head[:4] not in MAGIC:
            return  # the reader says what is wrong
        _Checker(path, file, "<" if head[:4] == MAGIC[0] else ">").check(head)


class _Checker:
    def __init__(self, path: Path, file: BinaryIO, order: str) -> None:
        self.path, self.file, self.order, self.size = path, file, order, path.stat().st_size
        self.packed = False

    def check(self, head: bytes) -> None:
        zooms, names, _, blocks = struct.unpack_from(f"{self.order}HQQQ", head, 6)
        (buffer,) = struct.unpack_from(f"{self.order}I", head, 52)
        if buffer > LARGEST_BLOCK:
            raise InputError(
                f"{self.path}: damaged, or made to do harm: a block of it takes {amount(buffer)}, it says, where "
                f"{amount(LARGEST_BLOCK)} are more than any program writes; copy or export it again"
            )
        self.packed = buffer > 0
        self._read(HEADER, zooms * ZOOM, "its zoom levels")
        self._check_names(names)
        self._check_blocks(blocks)

    def _read(self, place: int, length: int, what: str) -> bytes:
        if place + length > self.size:
            raise InputError(
                f"{self.path}: damaged, cut short or of another format ({what} lie beyond its {self.size:,} bytes); "
                "copy or export it again"
            )
        self.file.seek(place)
        return self.file.read(length)

    def _check_names(self, place: int) -> None:
        what = "the names of its chromosomes"
        magic, _, key, value, count, _ = struct.unpack(f"{self.order}IIIIQQ", self._read(place, 32, what))
        if magic != NAMES:
            return  # the reader says so
        self._read(place, count * (key + value), what)
        nodes, seen = [place + 32], set[int]()
        while nodes:
            leaf, items = self._open_node(nodes.pop(), seen, key + value, key + 8, what)
            if not leaf:
                nodes += [struct.unpack_from(f"{self.order}Q", item, key)[0] for item in items]

    def _open_node(self, place: int, seen: set[int], leaf: int, branch: int, what: str) -> tuple[bool, list[bytes]]:
        """Return whether a node is a leaf, and its items, of so many bytes each."""
        if place in seen:
            raise InputError(f"{self.path}: damaged: its index leads in a circle; copy or export it again")
        seen.add(place)
        is_leaf, _, count = struct.unpack(f"{self.order}BBH", self._read(place, 4, what))
        width = leaf if is_leaf else branch
        content = self._read(place + 4, count * width, what)
        return bool(is_leaf), [content[start : start + width] for start in range(0, len(content), width)]

    def _check_blocks(self, place: int) -> None:
        what = "the index of its blocks"
        (magic,) = struct.unpack(f"{self.order}I", self._read(place, 48, what)[:4])
        nodes, seen = [place + 48] if magic == BLOCKS else [], set[int]()
        while nodes:
            leaf, items = self._open_node(nodes.pop(), seen, LEAF, BRANCH, what)
            for item in items:
                (start,) = struct.unpack_from(f"{self.order}Q", item, 16)
                if not leaf:
                    nodes.append(start)
                else:
                    self._check_block(item, start)

    def _check_block(self, item: bytes, start: int) -> None:
        """Check that a block lies in the file, and is of the bases by which the index finds it."""
        size = struct.unpack_from(f"{self.order}Q", item, 24)[0]
        if start + size > self.size:
            self._read(self.size, 1, "some of its blocks")
        head = self._read(start, min(size, MOST_PACKED) if self.packed else min(size, STRETCH), "some of its blocks")
        try:
            found = zlib.decompressobj().decompress(head, STRETCH) if self.packed else head
            stretch = struct.unpack(f"{self.order}III", found)
        except (zlib.error, struct.error) as error:
            raise InputError(f"{self.path}: damaged: a block cannot be unpacked; copy or export it again") from error
        chrom, first, last_chrom, last = struct.unpack_from(f"{self.order}IIII", item)
        if not (chrom, first) <= stretch[:2] <= (stretch[0], stretch[2]) <= (last_chrom, last):
            raise InputError(
                f"{self.path}: damaged: a block is of other bases than its index says; copy or export it again"
            )
