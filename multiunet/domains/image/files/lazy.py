"""Arrays on disk, read window by window with the indices of an array in memory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from multiunet.errors import InputError
from multiunet.memory import amount, free_memory

Region = tuple[slice, ...]

WHOLE = 1 << 24
"""Arrays of at most so many values are read whole."""

BLOCK = 1 << 22
"""Values of what is read at once in passing over a larger one."""

MOST = 1 << 41
"""Values of the largest array that is believed; more are damage or mischief."""


BY_PARTS = (
    "save it as a tiled TIFF or as Zarr with chunks of, say, 512 x 512, which are read by parts (docs/image.md, 'Large "
    "images', says how)"
)


class Pixels(Protocol):
    """Interface that ``np.ndarray`` and ``Lazy`` share: to read one window, index it with slices."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def ndim(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    def __getitem__(self, index: Any, /) -> Any: ...


@dataclass(frozen=True, eq=False)
class Lazy:
    """Array that is read when it is indexed, with slices of step 1.

    Attributes:
        read: gives the region, one slice an axis, all inside ``shape``.
        chunk: what is stored, and so decoded, in one piece, by axis.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[Region], np.ndarray]
    chunk: tuple[int, ...]

    @classmethod
    def of(cls, array: np.ndarray) -> Lazy:
        """Wrap an array in memory."""
        return cls(array.shape, array.dtype, lambda region: array[region], array.shape)

    @property
    def ndim(self) -> int:
        """Axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Values."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes, were it in memory."""
        return self.size * self.dtype.itemsize

    def __getitem__(self, index: Any) -> np.ndarray:
        given = () if index is Ellipsis else index if isinstance(index, tuple) else (index,)
        slices = (*given, *(slice(None),) * (self.ndim - len(given)))
        if any(not isinstance(part, slice) or part.step not in (None, 1) for part in slices):
            raise IndexError(f"{index}: an array on disk is indexed with slices of step 1; read them, and index that")
        return self.read(tuple(slice(*part.indices(n)[:2]) for part, n in zip(slices, self.shape)))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[...], dtype=dtype)

    def transpose(self, order: Sequence[int]) -> Lazy:
        """Put the axes in this order."""
        places = np.argsort(order)

        def read(region: Region) -> np.ndarray:
            return self.read(tuple(region[place] for place in places)).transpose(order)

        return replace(
            self, shape=tuple(self.shape[i] for i in order), read=read, chunk=tuple(self.chunk[i] for i in order)
        )

    def squeeze(self, axes: Sequence[int]) -> Lazy:
        """Drop these axes; of each, the first site is taken."""
        kept = [axis for axis in range(self.ndim) if axis not in axes]

        def read(region: Region) -> np.ndarray:
            full = [slice(0, 1)] * self.ndim
            for axis, part in zip(kept, region):
                full[axis] = part
            return self.read(tuple(full)).squeeze(tuple(axes))

        return replace(
            self, shape=tuple(self.shape[i] for i in kept), read=read, chunk=tuple(self.chunk[i] for i in kept)
        )

    def pick(self, axis: int, place: int) -> Lazy:
        """Take one site of an axis, and drop the axis."""
        kept = [other for other in range(self.ndim) if other != axis]

        def read(region: Region) -> np.ndarray:
            return self.read((*region[:axis], slice(place, place + 1), *region[axis:])).squeeze(axis)

        return replace(
            self, shape=tuple(self.shape[i] for i in kept), read=read, chunk=tuple(self.chunk[i] for i in kept)
        )

    def flip(self, axes: Sequence[int]) -> Lazy:
        """Reverse these axes."""
        turned = {axis % self.ndim for axis in axes}
        if not turned:
            return self
        steps = tuple(slice(None, None, -1 if axis in turned else None) for axis in range(self.ndim))

        def read(region: Region) -> np.ndarray:
            stored = (
                slice(n - part.stop, n - part.start) if axis in turned else part
                for axis, (part, n) in enumerate(zip(region, self.shape))
            )
            return self.read(tuple(stored))[steps]

        return replace(self, read=read)

    def add_channel(self) -> Lazy:
        """Add a first axis of one site."""
        return replace(
            self, shape=(1, *self.shape), read=lambda region: self.read(region[1:])[None], chunk=(1, *self.chunk)
        )

    def take_first(self, count: int, axis: int = 0) -> Lazy:
        """Return the first sites of an axis."""
        shape, chunk = list(self.shape), list(self.chunk)
        shape[axis], chunk[axis] = count, min(count, chunk[axis])
        return replace(self, shape=tuple(shape), chunk=tuple(chunk))

    def map_values(self, function: Callable[[np.ndarray], np.ndarray], dtype: DTypeLike) -> Lazy:
        """Change each window by ``function``, which keeps its shape."""
        return replace(self, dtype=np.dtype(dtype), read=lambda region: function(self.read(region)))


def take_first(pixels: Pixels, count: int, axis: int = 0) -> Pixels:
    """Return the first sites of an axis."""
    if isinstance(pixels, Lazy):
        return pixels.take_first(count, axis)
    window: np.ndarray = pixels[(*(slice(None),) * (axis % pixels.ndim), slice(count))]
    return window


def map_values(pixels: Pixels, function: Callable[[np.ndarray], np.ndarray], dtype: DTypeLike) -> Pixels:
    """Change the pixels by ``function``: now, or when they are read."""
    return pixels.map_values(function, dtype) if isinstance(pixels, Lazy) else function(pixels[...])


def reduce_channels(pixels: Pixels, function: Callable[[np.ndarray], np.ndarray], dtype: DTypeLike) -> Pixels:
    """Reduce the first axis by ``function``, which gets all of it and returns an array without it."""
    if not isinstance(pixels, Lazy):
        return function(pixels[...])

    def read(region: Region) -> np.ndarray:
        return function(pixels.read((slice(0, pixels.shape[0]), *region)))

    return Lazy(pixels.shape[1:], np.dtype(dtype), read, pixels.chunk[1:])


def bytes_in_memory(pixels: Pixels) -> int:
    """Return the bytes of memory that the pixels take."""
    return 0 if isinstance(pixels, Lazy) else pixels.nbytes


def load_small(path: Path, pixels: Lazy) -> Pixels:
    """Load an array that is small or stored in one piece; return any other as it is.

    Raises:
        InputError: when its size cannot be true, or what is decoded at once does not fit into memory.
    """
    if pixels.size > MOST:
        raise InputError(
            f"{path}: says that it has {format_shape(pixels.shape)} values, which no image has; is it damaged?"
        )
    in_one_piece = all(part >= n for part, n in zip(pixels.chunk, pixels.shape))
    piece = math.prod(map(min, pixels.chunk, pixels.shape)) * pixels.dtype.itemsize
    check_fits(path, "the whole, stored as one piece," if in_one_piece else "each piece that it is stored in", piece)
    return pixels[...] if in_one_piece or pixels.size <= WHOLE else pixels


def check_fits(path: Path, what: str, needed: int, fix: str = BY_PARTS) -> None:
    """Check that no more bytes are needed than are free.

    Args:
        fix: what to do about it; by default, to save it in a format that is read by parts.

    Raises:
        InputError: naming the size and the fix.
    """
    free = free_memory()
    if needed > free:
        raise InputError(f"{path}: {what} takes {amount(needed)} of memory, but {amount(free)} are free; {fix}")


def format_shape(shape: Sequence[int]) -> str:
    """Format a shape as in ``60,000 x 60,000``."""
    return " x ".join(f"{n:,}" for n in shape)


def iter_blocks(pixels: Pixels, whole: int = 0, rows: bool = False) -> Iterator[Region]:
    """Yield regions of few whole chunks that partition an array; the whole array if it is small.

    Args:
        whole: so many of the first axes, those of channels, are never cut.
        rows: neither is the last one.
    """
    shape, side = pixels.shape, list(pixels.shape)
    if pixels.size > WHOLE:
        chunk = pixels.chunk if isinstance(pixels, Lazy) else (1,) * len(shape)
        side = [n if axis < whole else max(1, min(part, n)) for axis, (part, n) in enumerate(zip(chunk, shape))]
        if rows:
            side[-1] = shape[-1]
        for axis in reversed(range(whole, len(shape))):
            room = max(1, BLOCK // math.prod(side))
            side[axis] = min(shape[axis], side[axis] * room)
    starts = [range(0, n, max(1, step)) for n, step in zip(shape, side)]
    for corner in itertools.product(*starts):
        yield tuple(slice(a, min(a + step, n)) for a, step, n in zip(corner, side, shape))


@dataclass(frozen=True)
class Summary:
    """Statistics of pixels ``(C, *space)``.

    Attributes:
        mean, variance: by channel.
        low, high: the extremes.
        grey: all channels are equal.
        nans, infinities: how many values are not finite; if any, the other numbers mean nothing.
    """

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    low: float
    high: float
    grey: bool
    nans: int
    infinities: int


def summarise(pixels: Pixels) -> Summary:
    """Compute statistics in one pass; moments of blocks are joined as in Chan et al. 1983, eq. 2.1."""
    mean, variance, count = np.zeros(pixels.shape[0]), np.zeros(pixels.shape[0]), 0
    lows, highs, grey, nans, infinities = [], [], True, 0, 0
    for region in iter_blocks(pixels, whole=1):
        block = pixels[region]
        grey = grey and is_grey(block)
        if block.dtype.kind == "f":
            nans += int(np.count_nonzero(np.isnan(block)))
            infinities += int(np.count_nonzero(np.isinf(block)))
        lows.append(block.min())
        highs.append(block.max())
        flat = block.reshape(block.shape[0], -1)
        before, share = count / (count + flat.shape[1]), flat.shape[1] / (count + flat.shape[1])
        with np.errstate(invalid="ignore"):  # of values that are not finite
            apart = flat.mean(axis=1, dtype=np.float64) - mean
            variance = before * variance + share * flat.var(axis=1, dtype=np.float64) + before * share * apart**2
            mean = mean + share * apart
        count += flat.shape[1]
    return Summary(mean, variance, min(lows).item(), max(highs).item(), grey, nans, infinities)


def is_grey(pixels: np.ndarray) -> bool:
    """Return whether all channels ``(C, *space)`` are equal."""
    return bool((pixels[1:] == pixels[:1]).all())


def count_values(block: np.ndarray) -> tuple[np.ndarray, NDArray[np.int64]]:
    """Count the different integers, ascending; those of up to 16 bits by bins, without sorting."""
    if block.dtype.kind != "u" or block.dtype.itemsize > 2:
        return np.unique(block, return_counts=True)
    counts = np.bincount(block.ravel())
    values = np.flatnonzero(counts)
    return values.astype(block.dtype), counts[values]


def hash_pixels(pixels: Pixels) -> int:
    """Hash pixels and their places to 64 bits; others have the same hash by a chance of about 2^-60.

    The sum of all values' bits, weighted by a random number for each site of each axis, modulo 2^64: it does not depend
    on the order in which parts are read (multilinear hashing, Carter & Wegman 1979).
    """
    rng = np.random.default_rng(0)
    weights = [rng.integers(0, 1 << 64, n, dtype=np.uint64) | np.uint64(1) for n in pixels.shape]
    total = 0
    for region in iter_blocks(pixels):
        block = np.ascontiguousarray(pixels[region])
        part = block.view(f"u{block.dtype.itemsize}").astype(np.uint64)
        for weight, cut in zip(reversed(weights), reversed(region)):
            part = part @ weight[cut]
        total += int(part)
    return total % (1 << 64)
