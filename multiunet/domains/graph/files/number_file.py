"""Text files of numbers separated by commas, without a header."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.files.blocks import parse_csv, read_lines
from multiunet.domains.graph.files.cells import MISSING, finite
from multiunet.domains.reading import reading
from multiunet.errors import InputError


@dataclass(frozen=True)
class Numbers:
    """Numbers of a file.

    Attributes:
        values: ``(rows, columns)``; NaN where missing.
    """

    path: Path
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.values)

    def integers(self, least: int | None = None) -> NDArray[np.int64]:
        """Return the numbers as integers, ``(rows, columns)``.

        Args:
            least: the smallest that is allowed.

        Raises:
            InputError: naming the line of the first that is none, or too small.
        """
        bad = self.values != np.floor(self.values)
        if least is not None:
            bad |= self.values < least
        if bad.any():
            row, column = np.argwhere(bad)[0]
            what = "integers" if least is None else f"integers from {least}"
            self.refuse(int(row), f"{self.values[row, column]:g} stands where {what} belong")
        return self.values.astype(np.int64)

    def refuse(self, row: int, why: str) -> NoReturn:
        """Raise InputError about the line of a row."""
        line = next(line for place, (line, _) in enumerate(_lines(self.path)) if place == row)
        raise InputError(f"{self.path}, line {line}: {why}; correct it or leave it out")


def read_numbers(path: Path, missing: bool = False) -> Numbers:
    """Read a file of numbers; blank lines are skipped.

    Args:
        missing: whether numbers may be missing, see ``MISSING``.

    Raises:
        InputError: naming the line of a cell that is not a finite number, or that has more or fewer cells than others.
    """
    with reading(path):
        values = _read_fast(path)
    return Numbers(path, _read_lines(path, missing) if values is None else values)


def _read_fast(path: Path) -> NDArray[np.float64] | None:
    """Return the numbers; None where any line must be looked at by itself."""
    try:
        frame = parse_csv(read_lines(path), header=None)
    except ValueError:
        return None
    if not all(kind.kind in "iuf" for kind in frame.dtypes):
        return None
    values: NDArray[np.float64] = frame.to_numpy(np.float64)
    return values if np.isfinite(values.astype(np.float32)).all() else None


def _read_lines(path: Path, missing: bool) -> NDArray[np.float64]:
    rows: list[list[float]] = []
    for line, cells in _lines(path):
        if rows and len(cells) != len(rows[0]):
            raise InputError(f"{path}, line {line}: has {len(cells)} numbers, but lines before {len(rows[0])}")
        for cell in cells:
            if finite(cell) is None and not (missing and cell in MISSING):
                raise InputError(f"{path}, line {line}: {cell!r} is not a finite number; correct it")
        rows.append([float("nan") if (number := finite(cell)) is None else number for cell in cells])
    if not rows:
        raise InputError(f"{path}: is empty; is it complete?")
    return np.array(rows, dtype=np.float64)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each line that is not blank, and its cells."""
    with reading(path):
        text = read_lines(path).decode("utf-8")
    for line, content in enumerate(text.split("\n"), start=1):
        if content.strip():
            yield line, [cell.strip() for cell in content.split(",")]
