"""Text files of intervals along chromosomes (bedGraph, BED) as columns."""

from __future__ import annotations

import csv
import io
import math
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multiunet.domains.unpack import iter_lines, open_unpacked
from multiunet.domains.whole_numbers import parse_whole
from multiunet.errors import InputError

Format = Literal["bedGraph", "BED"]

LINE = {"bedGraph": "CHROM START END VALUE", "BED": "CHROM START END"}
OTHER_LINES = re.compile(r"#|(?:track|browser)$")
"""First words of lines that are no intervals."""

NOT_MEASURED = ("NA", ".")
LONGEST = 1 << 40
"""Bases: positions beyond this are mistakes."""


@dataclass(frozen=True)
class Intervals:
    """Intervals of one chromosome in the order of the file, 0-based and half-open.

    Attributes:
        values: NaN where nothing was measured, and of a BED file.
        lines: numbers of their lines in the file, from 1.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    values: NDArray[np.float64]
    lines: NDArray[np.int64]

    def take(self, where: NDArray[np.int64]) -> Intervals:
        """Return some of the intervals, by their places."""
        return Intervals(self.starts[where], self.ends[where], self.values[where], self.lines[where])


NONE = Intervals(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))


def read_intervals(path: Path, kind: Format) -> dict[str, Intervals]:
    """Read a bedGraph or BED file, plain, gzip or bgzip, by chromosome in the order of their first lines.

    Lines of ``track`` and ``browser``, comments and empty lines are skipped. The values ``NaN``, ``NA`` and ``.`` are
    not measured. Of a BED file the first three columns are read.

    Raises:
        InputError: naming the line that is wrong, or a file that cannot be read.
    """
    return _read_by_columns(path, kind) or _read_by_lines(path, kind)


def read_names(path: Path) -> dict[int, str]:
    """Return the name of each region of a BED file, its fourth column, by the number of its line."""
    return read_column(path, 3)


def read_column(path: Path, column: int) -> dict[int, str]:
    """Return a column, from 0, of the lines of a BED file that have it, by the number of the line."""
    return {number: fields[column] for number, fields in _iter_lines(path) if len(fields) > column}


def _read_by_columns(path: Path, kind: Format) -> dict[str, Intervals] | None:
    """Read a file of nothing but data lines behind its head, fast; None for any other, right or wrong."""
    head, columns = _read_head(path)
    if columns < 3 or (kind == "bedGraph" and columns != 4):
        return None
    missing = [*NOT_MEASURED, "nan", "NaN", "NAN"]
    with _open_text(path) as file:
        try:
            for _ in range(head):  # read_csv would not count lines that end with a bare carriage return
                file.readline()
            table = pd.read_csv(
                file,
                sep=r"\s+",
                header=None,
                names=[str(column) for column in range(columns)],
                usecols=None if kind == "bedGraph" else range(3),  # with a choice, longer lines are cut in silence
                index_col=False,
                skip_blank_lines=False,
                dtype={"0": str},
                keep_default_na=False,
                na_values={"3": missing},
                quoting=csv.QUOTE_NONE,
                low_memory=False,
            )
        except Exception:  # of many kinds; the reader of lines says which line is wrong
            return None
    chroms, *numbers = (table[name].to_numpy() for name in table.columns)
    whole = [column.dtype == np.int64 for column in numbers]
    if not all(whole[:2]) or not (kind == "BED" or whole[2] or numbers[2].dtype == np.float64):
        return None
    if any(OTHER_LINES.match(str(name)) for name in pd.unique(chroms)):
        return None  # comments among the lines, of as many words
    starts, ends = numbers[:2]
    values = numbers[2].astype(np.float64) if kind == "bedGraph" else np.full(len(starts), np.nan)
    if starts.min() < 0 or ends.max() > LONGEST or not (starts < ends).all() or np.isinf(values).any():
        return None
    return _group(chroms, Intervals(starts, ends, values, head + 1 + np.arange(len(starts), dtype=np.int64)))


def _read_head(path: Path) -> tuple[int, int]:
    """Return the number of lines before the first data line, and how many columns this one has (0: there is none)."""
    for number, fields in _iter_lines(path):
        return number - 1, len(fields)
    return 0, 0


def _read_by_lines(path: Path, kind: Format) -> dict[str, Intervals]:
    starts, ends, lines, values, chroms = array("q"), array("q"), array("q"), array("d"), []
    for number, fields in _iter_lines(path):
        start, end, value = _parse(path, number, fields, kind)
        chroms.append(fields[0])
        starts.append(start)
        ends.append(end)
        values.append(value)
        lines.append(number)
    if not chroms:
        raise InputError(f"{path}: holds no interval; a {kind} line is {LINE[kind]!r}")
    found = Intervals(np.array(starts), np.array(ends), np.array(values), np.array(lines))
    return _group(np.array(chroms, dtype=object), found)


def _group(chroms: NDArray[np.object_], found: Intervals) -> dict[str, Intervals]:
    places, names = pd.factorize(chroms)
    order = np.argsort(places, kind="stable")
    edges = np.searchsorted(places[order], np.arange(len(names) + 1))
    return {str(name): found.take(order[a:b]) for name, a, b in zip(names, edges, edges[1:])}


def _iter_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield number and fields of each data line."""
    for number, line in iter_lines(path):
        fields = line.split()
        if fields and not OTHER_LINES.match(fields[0]):
            yield number, fields


def _open_text(path: Path) -> io.TextIOWrapper:
    """Open a file as text, with every line end as LF."""
    return io.TextIOWrapper(open_unpacked(path), encoding="utf-8-sig")


def _parse(path: Path, number: int, fields: list[str], kind: Format) -> tuple[int, int, float]:
    """Return start, end and value of a line."""
    try:
        if kind == "bedGraph" and len(fields) != 4:
            raise ValueError(f"has {len(fields)} words")
        if len(fields) < 3:
            raise ValueError(f"has {len(fields)} words")
        start, end = (_parse_position(field) for field in fields[1:3])
        value = math.nan if kind == "BED" else _parse_value(fields[3])
    except ValueError as error:
        raise InputError(
            f"{path}:{number}: {' '.join(fields)[:60]!r}: {error}; a line of {kind} is {LINE[kind]!r}, and one of "
            "words begins with #"
        ) from None
    if end > LONGEST:
        raise InputError(f"{path}:{number}: ends at {end}, but no chromosome has more than {LONGEST:,} bases")
    if not 0 <= start < end:
        raise InputError(
            f"{path}:{number}: interval {start}-{end} is empty or negative; starts count from 0 and ends are exclusive"
        )
    if math.isinf(value):
        raise InputError(f"{path}:{number}: the value is {value}; write NaN where nothing was measured")
    return start, end, value


def _parse_position(text: str) -> int:
    if (position := parse_whole(text)) is None:
        raise ValueError(f"{text[:20]!r} is no whole number")
    return position


def _parse_value(text: str) -> float:
    if text in NOT_MEASURED:
        return math.nan
    try:
        return float("" if "_" in text or not text.isascii() else text)  # Python would take 1_000 and other scripts
    except ValueError:
        raise ValueError(f"{text[:20]!r} is no number") from None
