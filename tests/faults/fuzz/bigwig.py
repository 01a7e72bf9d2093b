"""bigWig files written and read a second time, from the format's description.

Kent et al. 2010, supplement, tables 5 to 16: header, tree of chromosomes, tree of blocks, blocks of three kinds.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

HEADER, LEAF, HEAD = 64, 32, 24
"""Bytes of the header, of an item of the tree of blocks, and of the head of a block."""


def write_plainly(path: Path, order: str = ">") -> Path:
    """Write a bigWig of unpacked blocks of all three kinds, of two chromosomes."""

    def block(number: int, start: int, end: int, kind: int, rows: list[bytes], step: int = 0) -> bytes:
        return struct.pack(f"{order}IIIIIBBH", number, start, end, step, 5, kind, 0, len(rows)) + b"".join(rows)

    spans = [struct.pack(f"{order}IIf", at, at + 5, at / 7) for at in range(0, 450, 9)]
    starts = [struct.pack(f"{order}If", at, at / 7) for at in range(450, 900, 9)]
    values = [struct.pack(f"{order}f", at / 7) for at in range(0, 900, 9)]
    blocks = [(0, 0, 446, block(0, 0, 446, 1, spans)), (0, 450, 896, block(0, 450, 896, 2, starts))]
    blocks.append((1, 0, 896, block(1, 0, 896, 3, values, 9)))
    names = struct.pack(f"{order}IIIIQQBBH", 0x78CA8C91, 2, 4, 8, 2, 0, 1, 0, 2)
    names += b"".join(struct.pack(f"{order}4sII", b"chr%d" % (n + 1), n, (1000, 950)[n]) for n in (0, 1))
    at = HEADER + len(names)
    place, items = at + 8, b""
    for number, first, last, content in blocks:
        items += struct.pack(f"{order}IIIIQQ", number, first, number, last, place, len(content))
        place += len(content)
    tree = struct.pack(f"{order}IIQIIIIQII", 0x2468ACE0, 256, 3, 0, 0, 1, 896, place, 1, 0)
    head = struct.pack(f"{order}IHHQQQHHQQIQ", 0x888FFC26, 4, 0, HEADER, at, place, 0, 0, 0, 0, 0, 0)
    data = struct.pack(f"{order}Q", len(blocks)) + b"".join(content for *_, content in blocks)
    tree += struct.pack(f"{order}BBH", 1, 0, 3) + items
    path.write_bytes(head + names + data + tree + head[:4])
    return path


def sum_plainly(path: Path, bin_size: int) -> dict[str, Any]:
    """Return for each chromosome the sums of its bins, and how many bases each has."""
    data = path.read_bytes()
    order = {b"\x26\xfc\x8f\x88": "<", b"\x88\x8f\xfc\x26": ">"}[data[:4]]
    names, _, blocks = struct.unpack_from(f"{order}QQQ", data, 8)
    (packed,) = struct.unpack_from(f"{order}I", data, 52)
    key = struct.unpack_from(f"{order}I", data, names + 8)[0]
    lengths = {}
    for item in _leaves(data, order, names + 32, key + 8, key + 8):
        number, length = struct.unpack_from(f"{order}II", item, key)
        lengths[number] = (item[:key].rstrip(b"\0").decode(), length)
    signal = {number: np.full(length, np.nan) for number, (_, length) in lengths.items()}
    for item in _leaves(data, order, blocks + 48, LEAF, 24):
        start, size = struct.unpack_from(f"{order}QQ", item, 16)
        block = data[start : start + size]
        for number, first, last, value in _intervals(zlib.decompress(block) if packed else block, order):
            signal[number][first:last] = value
    return {name: _bins(signal[number], bin_size) for number, (name, _) in lengths.items()}


def _leaves(data: bytes, order: str, place: int, leaf: int, branch: int) -> Iterator[bytes]:
    is_leaf, _, count = struct.unpack_from(f"{order}BBH", data, place)
    for row in range(count):
        at = place + 4 + row * (leaf if is_leaf else branch)
        if is_leaf:
            yield data[at : at + leaf]
        else:
            yield from _leaves(data, order, struct.unpack_from(f"{order}Q", data, at + branch - 8)[0], leaf, branch)


def _intervals(block: bytes, order: str) -> Iterator[tuple[int, int, int, float]]:
    number, start, _, step, span, kind, _, count = struct.unpack_from(f"{order}IIIIIBBH", block)
    for row in range(count):
        if kind == 1:
            first, last, value = struct.unpack_from(f"{order}IIf", block, HEAD + 12 * row)
        elif kind == 2:
            first, value = struct.unpack_from(f"{order}If", block, HEAD + 8 * row)
            last = first + span
        elif kind == 3:
            (value,) = struct.unpack_from(f"{order}f", block, HEAD + 4 * row)
            first = start + step * row
            last = first + span
        else:
            raise ValueError(f"a block of the kind {kind}")
        yield number, first, last, value


def _bins(signal: Any, bin_size: int) -> tuple[Any, Any]:
    edges, known = np.arange(0, len(signal), bin_size), ~np.isnan(signal)
    return np.add.reduceat(np.where(known, signal, 0.0), edges), np.add.reduceat(known, edges, dtype=np.float64)
