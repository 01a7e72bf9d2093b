"""Cells of tables: which are numbers, which are words, and which say that nothing is known."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MISSING = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "None", "null", "NULL")
"""Cells that stand for an unknown class, quantity, split or word."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)

DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)

LARGEST = float(np.finfo(np.float32).max)


def finite(cell: str) -> float | None:
    """Return the number that a cell holds; None where it holds none that is finite in 32 bits.

    >>> finite("-1.5e3"), finite("nan"), finite("1_0"), finite("1e39")
    (-1500.0, None, None, None)
    """
    if NUMBER.fullmatch(cell) is None:
        return None
    number = float(cell)
    return number if abs(number) <= LARGEST else None


def resembles_number(cell: str) -> bool:
    """Return whether a cell was meant as a number: ``nan``, ``1_0``, digits of other scripts too.

    >>> resembles_number("inf"), resembles_number("1_0"), resembles_number("north")
    (True, True, False)
    """
    try:
        float(cell)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Words:
    """A column of text: each distinct word once.

    Attributes:
        words: distinct, in any order.
        codes: the place of each cell's word in ``words``, ``(rows,)``.
    """

    words: tuple[str, ...]
    codes: NDArray[np.int64]

    @classmethod
    def of(cls, cells: Iterable[str]) -> Words:
        """Return the column that has these cells."""
        place: dict[str, int] = {}
        codes = [place.setdefault(cell, len(place)) for cell in cells]
        return cls(tuple(place), np.array(codes, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> str:
        return self.words[int(self.codes[row])]

    def cells(self) -> NDArray[Any]:
        """Return the text of each row, ``(rows,)``, as objects."""
        return np.array(self.words, dtype=object)[self.codes] if self.words else np.zeros(0, dtype=object)

    def numbers(self) -> NDArray[np.float64]:
        """Return the number of each row, ``(rows,)``; NaN where the cell holds none, see ``finite``."""
        known = [finite(word) for word in self.words]
        return np.array([np.nan if number is None else number for number in known] or [np.nan])[self.codes]

    def mark(self, words: Iterable[str]) -> NDArray[np.bool_]:
        """Return which rows hold one of the words, ``(rows,)``."""
        wanted = set(words)
        return np.array([word in wanted for word in self.words] or [False])[self.codes]

    def take(self, rows: NDArray[Any]) -> Words:
        """Return the column of some rows, given by number or by a mask."""
        used, codes = np.unique(self.codes[rows], return_inverse=True)
        return Words(tuple(self.words[word] for word in used), codes)


Column = NDArray[np.float64] | Words
"""A column of a table: numbers that are all finite in 32 bits, or text."""
