"""Cutting a grid into tiles whose predictions fit together exactly."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiunet.geometries.footprint import Footprint
from multiunet.prediction.source import Reader


@dataclass(frozen=True)
class Span:
    """One tile along one axis, in sites of the extended input (``margin`` mirrored sites before the first).

    Attributes:
        start, stop: what is read.
        keep: output sites of what is read that are kept.
        out: where they lie in the whole output.
    """

    start: int
    stop: int
    keep: slice
    out: slice


def spans(size: int, halo: int, stride: int, reduction: int, margin: int, core: int) -> list[Span]:
    """Tiles of one axis: cores of at most about ``core`` sites that partition the output, read with their halo.

    The extended input runs from ``-margin`` to ``size + margin``. Reads begin on multiples of the stride counted from
    its begin, so that a tile's coarse sites are those of the whole; they end with the extended input or at the first
    such multiple past core and halo.
    """
    begin, end = -margin, size + margin
    count = -(-size // max(core, stride))
    step = -(-size // (count * stride)) * stride
    first_edge = -(-margin // stride) * stride - margin + step
    tiles = []
    for left, right in itertools.pairwise([0, *range(first_edge, size, step), size]):
        start = begin + max(0, (left - halo - begin) // stride) * stride
        stop = min(end, begin - (begin - right - halo) // stride * stride)
        first, last = -(-left // reduction), -(-right // reduction)
        offset = start // reduction
        tiles.append(Span(start, stop, slice(first - offset, last - offset), slice(first, last)))
    return tiles


@dataclass(frozen=True)
class Tile:
    """One tile: what is read, and which part of its output goes where."""

    start: tuple[int, ...]
    stop: tuple[int, ...]
    keep: tuple[slice, ...]
    out: tuple[slice, ...]


def tiles(shape: Sequence[int], footprint: Footprint, margin: Sequence[int], core: Sequence[int]) -> list[Tile]:
    """All tiles of a grid, in the order of its memory; see ``spans``."""
    axes = [spans(*axis) for axis in zip(shape, footprint.halo, footprint.stride, footprint.reduction, margin, core)]
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
    """The window ``[start, stop)`` of an input that is mirrored beyond its borders (the border site is not repeated).

    Ronneberger et al. 2015, section 2 (the overlap-tile strategy). Only sites inside the input are read.
    """
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


def core_side(shape: Sequence[int], footprint: Footprint, margin: Sequence[int], sites: int) -> int:
    """The largest core side for which a tile with its halo reads at most ``sites`` sites.

    Never less than the halo: smaller cores would mostly compute what their neighbours compute too.
    """

    def read(side: int) -> int:
        axes = zip(shape, footprint.halo, margin)
        return math.prod(min(size + 2 * m, side + 2 * halo) for size, halo, m in axes)

    low, high = max(1, *footprint.halo, *footprint.stride), max(shape)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if read(middle) <= sites else (low, middle - 1)
    return low
