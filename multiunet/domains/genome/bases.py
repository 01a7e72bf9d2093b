"""Sequences that are read by stretches, so that memory does not grow with the genome."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.reading import reading

Codes = NDArray[np.uint8]

STRETCH = 1 << 22
"""Bases of a stretch, where a whole sequence is looked at."""


class Bases(Protocol):
    """Bases of a sequence: an array of codes, or what reads them from a file when they are asked for."""

    def __len__(self) -> int:
        """Return the number of bases."""

    def __getitem__(self, stretch: slice, /) -> Codes:
        """Return the codes of a stretch, of steps of one base."""


@dataclass(frozen=True)
class ReadBases:
    """Bases that a function reads.

    Attributes:
        length: bases.
        read: gives the codes ``[start, stop)``.
    """

    length: int
    read: Callable[[int, int], Codes]

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, stretch: slice) -> Codes:
        start, stop, _ = stretch.indices(self.length)
        return self.read(start, max(start, stop))


class StoredBases:
    """Bases in a file of codes, one byte each; the file is read, not mapped, so its pages are not held.

    It travels to other processes as the name of its file.

    Args:
        offset: of the first base in the file, in bytes.
    """

    def __init__(self, path: Path, offset: int, length: int) -> None:
        self.path, self.offset, self.length = path, offset, length
        self._file: FileIO | None = None

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, stretch: slice) -> Codes:
        start, stop, _ = stretch.indices(self.length)
        codes = np.empty(max(0, stop - start), dtype=np.uint8)
        with reading(self.path):
            if self._file is None:
                self._file = FileIO(self.path)
            self._file.seek(self.offset + start)
            if self._file.readinto(codes.data) != len(codes):
                raise EOFError("it ends early")
        return codes

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}


class MappedBases:
    """Bases in a file of codes that is mapped, for windows at random places; see ``StoredBases``.

    Pages stay mapped once they were read, so processes share them, and the system takes them back when it needs to.
    """

    def __init__(self, path: Path, offset: int, length: int) -> None:
        self.path, self.offset, self.length = path, offset, length
        self._codes: Codes | None = None

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, stretch: slice) -> Codes:
        if self._codes is None:
            with reading(self.path):
                mapped = np.memmap(self.path, dtype=np.uint8, mode="r", offset=self.offset, shape=(self.length,))
            self._codes = mapped.view(np.ndarray)  # of which slices are made in a tenth of the time
        return self._codes[stretch]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_codes": None}


def lazily(codes: Bases) -> Bases:
    """Return bases that are mapped from a file as such that are read from it; others as they are."""
    return StoredBases(*place) if (place := _place(codes)) is not None else codes


def portable(codes: Bases) -> Bases:
    """Return bases that are mapped from a file as such that other processes map anew; others as they are."""
    return MappedBases(*place) if (place := _place(codes)) is not None else codes


def _place(codes: Bases) -> tuple[Path, int, int] | None:
    """Return file, offset and length of bases that are mapped; None for others."""
    if isinstance(codes, np.memmap) and isinstance(codes.base, mmap.mmap):
        return Path(str(codes.filename)), codes.offset, len(codes)
    return None


def stretches(codes: Bases, step: int = 1) -> Iterator[Codes]:
    """Yield the bases of a sequence, about ``STRETCH`` at a time, all but the last a multiple of ``step``."""
    bases, size = lazily(codes), max(1, STRETCH // step) * step
    for first in range(0, len(bases), size):
        yield bases[first : first + size]
