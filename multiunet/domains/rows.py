"""Rows of tables in text files, each with the number of its line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from multiunet.domains.reading import reading
from multiunet.errors import InputError

Row = tuple[int, list[str]]
"""Number of a row's first line, from 1, as an editor counts them, and its cells without the blanks around them."""


def read_rows(path: Path, delimiters: str = ",") -> list[Row]:
    """Read the rows of a table that are not blank.

    Args:
        delimiters: signs that may part its cells; that counts which is most often in the first line.

    Raises:
        InputError: for a file that cannot be read, or is no such table.
    """
    rows, before = list[Row](), 0
    with reading(path):
        text = path.read_bytes().decode("utf-8-sig")  # as it is: a sign of a new line may be in a cell
        first = next((line for line in io.StringIO(text) if line.strip()), "")
        delimiter = max(delimiters, key=first.count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((before + 1, [cell.strip() for cell in cells]))
            before = reader.line_num
    return rows


def delimiter_of(path: Path) -> str:
    """Return what parts cells in a table of genomes or of signals: commas in a ``.csv``, else tabs."""
    return "," if path.suffix.lower() == ".csv" else "\t"


def name_cells(
    path: Path, rows: Sequence[Row], header: Sequence[str], hint: str = ""
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line of each row, and its cells by the names of their columns.

    Args:
        header: names of the columns.
        hint: what to do about a row with more cells than that, for the error.

    Raises:
        InputError: for a row of another number of cells.
    """
    for number, cells in rows:
        if len(cells) != len(header):
            more = hint if len(cells) > len(header) else ""
            raise InputError(f"{path}, line {number}: has {len(cells)} cells, but the header has {len(header)}{more}")
        yield number, dict(zip(header, cells))
