"""Tables of genomes and of signals as rows of cells, each with the number of its line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from multiunet.domains.reading import reading

Row = tuple[int, list[str]]
"""Number of a row's first line, from 1, and its cells without the blanks around them."""


def read_rows(path: Path) -> list[Row]:
    """Read the rows of a table that are not blank; cells are parted by commas in a ``.csv``, else by tabs.

    Raises:
        InputError: for a file that cannot be read, or is no such table.
    """
    delimiter = "," if path.suffix.lower() == ".csv" else "\t"
    rows, before = list[Row](), 0
    with reading(path):
        reader = csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), delimiter=delimiter)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((before + 1, [cell.strip() for cell in cells]))
            before = reader.line_num
    return rows
