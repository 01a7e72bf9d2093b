"""Cutting a grid into tiles whose predictions fit together exactly."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiunet.core.receptive_field import ReceptiveField
from multiunet.prediction.source import Reader

EDGES = {1: 1 << 18, 2: 1 << 9, 3: 1 << 6}
"""Sites of a chunk along an axis, at most about so many: several chunks are written at once, so they are small."""


ATTENDED = 1 << 10
"""Sites that look everywhere, about at most, in a tile that no one sized: their work grows with the square of their
number, and a network has learnt from no more of them."""


def bound_sites(sites: int, field: ReceptiveField) -> int:
    """Return how many sites a tile may have: no more than hold ``ATTENDED`` that look everywhere."""
    return sites if field.everywhere is None else min(sites, ATTENDED * math.prod(field.everywhere))


@dataclass(frozen=True)
class Span:
    """Tile along one axis, in sites of the input, which goes on beyond its ends by a margin.

    Attributes:
        start, stop: what is read.
        keep: output sites of what is read that are kept.
        out: where they lie in the whole output.
    """

    start: int
    stop: int
    keep: slice
    out: slice


Margin = tuple[int, int]
"""Sites before and behind an axis of the input that are read, too, and of which nothing is predicted."""


def spans(
    size: int, halo: int, stride: int, reduction: int, margin: Margin, core: int, edge: int, both_ends: bool = False
) -> list[Span]:
    """Cut one axis into tiles: cores of about ``core`` sites that partition it, read with their halo.

    The cores, but for the last, are equal, and hold whole chunks of up to ``edge``.

    The extended input runs from ``-margin[0]`` to ``size + margin[1]``. Reads begin on multiples of the stride counted
    from its begin, so that a tile's coarse sites are those of the whole; they end with the extended input or at the
    first such multiple past core and halo. With ``both_ends`` they end on multiples counted from its end, so that read
    backwards, too, a tile has the coarse sites of the whole.
    """
    begin, end = -margin[0], size + margin[1]
    count = -(-size // max(core, stride))
    unit = stride * -(-min(size, core) // edge)
    step = -(-size // (count * unit)) * unit
    tiles = []
    for left, right in itertools.pairwise([*range(0, size, step), size]):
        start = begin + max(0, (left - halo - begin) // stride) * stride
        if both_ends:
            stop = end - max(0, (end - right - halo) // stride) * stride
        else:
            stop = min(end, begin - (begin - right - halo) // stride * stride)
        first, last = -(-left // reduction), -(-right // reduction)
        offset = start // reduction
        tiles.append(Span(start, stop, slice(first - offset, last - offset), slice(first, last)))
    return tiles


@dataclass(frozen=True)
class Tile:
    """Tile of a grid: what is read, and which part of its output goes where."""

    start: tuple[int, ...]
    stop: tuple[int, ...]
    keep: tuple[slice, ...]
    out: tuple[slice, ...]


def tiles(shape: Sequence[int], field: ReceptiveField, margins: Sequence[Margin], core: Sequence[int]) -> list[Tile]:
    """Cut a grid into tiles, in the order of its memory; see ``spans``."""
    seen = zip(field.radius, field.tile_stride, field.output_stride)
    edge, both_ends = EDGES[len(shape)], field.both_ends
    axes = [
        spans(size, *operators, margin, side, edge, both_ends)
        for size, operators, margin, side in zip(shape, seen, margins, core)
    ]
    return [
        Tile(
            tuple(span.start for span in product),
            tuple(span.stop for span in product),
            tuple(span.keep for span in product),
            tuple(span.out for span in product),
        )
        for product in itertools.product(*axes)
    ]


def mirrored(read: Reader, shape: Sequence[int], start: Sequence[int], stop: Sequence[int]) -> np.ndarray:
    """Read the window ``[start, stop)`` of an input that is mirrored at its borders.

    Ronneberger et al. 2015, section 2 (the overlap-tile strategy). The border site is not repeated. Only sites inside
    the input are read.
    """
    if min(start) >= 0 and all(b <= n for b, n in zip(stop, shape)):
        return read(start, stop)
    index = [_mirror(np.arange(a, b), n) for a, b, n in zip(start, stop, shape)]
    low = [int(i.min()) for i in index]
    window = read(low, [int(i.max()) + 1 for i in index])
    for axis, (i, first) in enumerate(zip(index, low), start=1):
        if not np.array_equal(i, np.arange(first, first + window.shape[axis])):
            window = np.take(window, i - first, axis=axis)
    return window


def _mirror(index: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    if size == 1:
        return np.zeros_like(index)
    folded = np.abs(index) % (2 * (size - 1))
    return np.where(folded < size, folded, 2 * (size - 1) - folded)


def chunks_of(plan: Sequence[Tile]) -> tuple[int, ...]:
    """Return the sites of a chunk of the output by axis, of which each tile holds whole numbers."""
    sides = [max(tile.out[axis].stop - tile.out[axis].start for tile in plan) for axis in range(len(plan[0].out))]
    return tuple(-(-side // -(-side // EDGES[len(sides)])) for side in sides)


def batches(plan: Sequence[Tile], count: int) -> Iterator[list[Tile]]:
    """Group up to ``count`` tiles of equal reads; the largest first: memory for all is found once."""
    alike: dict[tuple[int, ...], list[Tile]] = {}
    for tile in plan:
        alike.setdefault(tuple(b - a for a, b in zip(tile.start, tile.stop)), []).append(tile)
    for shape in sorted(alike, key=math.prod, reverse=True):
        yield from (alike[shape][first : first + count] for first in range(0, len(alike[shape]), count))


def core_sides(shape: Sequence[int], field: ReceptiveField, margins: Sequence[Margin], sites: int) -> tuple[int, ...]:
    """Choose a core's sides so that a tile reads about ``sites`` sites at most, all tiles the fewest.

    Never less than the halo: smaller cores would mostly compute what their neighbours compute too.
    """
    axes = list(zip(shape, field.radius, field.tile_stride, margins))

    def read(axis: int, count: int) -> int:
        """Along an axis, by the largest of ``count`` tiles."""
        size, halo, _, margin = axes[axis]
        inner = min(count - 1, 2)  # of its two ends, those that are not the input's
        return -(-size // count) + inner * halo + sum(sorted(min(halo, sites) for sites in margin)[inner:])

    def total(counts: Sequence[int]) -> int:
        return math.prod(size + 2 * (n - 1) * halo for n, (size, halo, _, _) in zip(counts, axes))

    most = [max(1, size // max(1, halo, stride)) for size, halo, stride, _ in axes]
    best = tuple(most)
    last = len(axes) - 1
    for counts in itertools.product(*(range(1, n + 1) for n in most[:-1])):
        room = sites // math.prod(read(axis, n) for axis, n in enumerate(counts))
        fewest = next((n for n in range(1, most[-1] + 1) if read(last, n) <= room), None)
        if fewest is not None and total((*counts, fewest)) <= total(best):
            best = (*counts, fewest)
    return tuple(-(-size // count) for size, count in zip(shape, best))
