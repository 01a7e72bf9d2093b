"""CSV files as columns: read by pandas, and by a line reader where a line has to be named."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.files.blocks import has_even_lines, parse_columns, read_lines
from multiunet.domains.graph.files.cells import Column, Words
from multiunet.domains.reading import reading
from multiunet.domains.remarks import remark_file
from multiunet.errors import InputError

DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}
"""Marks other than the comma that separate columns elsewhere, and their names."""


@dataclass(frozen=True)
class Table:
    """Columns of a file by name.

    Attributes:
        path: of the file.
        columns: by name, each of ``rows`` cells.
        place: returns where a row stands in the file ("line 7"), for errors.
    """

    path: Path
    columns: Mapping[str, Column]
    rows: int
    place: Callable[[int], str]

    def named(self, wanted: str) -> str | None:
        """Return the name of the column that is wanted, see ``find_name``."""
        return find_name(self.path, list(self.columns), wanted)

    def words(self, name: str) -> Words:
        """Return a column that was read as text."""
        column = self.columns[name]
        assert isinstance(column, Words)
        return column

    def texts(self, name: str) -> NDArray[Any]:
        """Return the cells of a column as text, ``(rows,)``, as objects."""
        column = self.columns[name]
        if isinstance(column, Words):
            return column.cells()
        return np.array([f"{cell:.17g}" for cell in column.tolist()], dtype=object)


def find_name(path: Path, names: Sequence[str], wanted: str) -> str | None:
    """Return the name that is wanted, or the only one that differs in capitals, which is said.

    >>> find_name(Path("nodes.csv"), ["id", "height"], "label") is None
    True
    """
    wanted = unicodedata.normalize("NFC", wanted)
    if wanted in names:
        return wanted
    alike = [name for name in names if name.casefold() == wanted.casefold()]
    if len(alike) != 1:
        return None
    remark_file(path, f"the column {alike[0]!r} is read as {wanted!r}")
    return alike[0]


class Sheet:
    """A CSV file whose first line names the columns.

    Cells are read without the blanks around them and in composed Unicode (NFC), so that names that look alike are
    equal. Lines without any cell are skipped.

    Attributes:
        header: names of the columns.
    """

    def __init__(self, path: Path) -> None:
        """Read the file and its header.

        Raises:
            InputError: for a file that is missing, empty, not UTF-8, or has other delimiters or equal column names.
        """
        self.path = path
        with reading(path):
            data = read_lines(path)
            if not data.isascii():
                data = unicodedata.normalize("NFC", data.decode("utf-8")).encode()
        if b"\0" in data:
            raise InputError(
                f"{path}: holds zero bytes, which text has not; it is damaged or in UTF-16, save it as UTF-8"
            )
        self.data = data
        self.header = next((cells for _, cells in self._lines()), [])
        if not self.header:
            raise InputError(f"{path}: is empty; its first line must name the columns")
        foreign = [mark for mark in DELIMITERS if len(self.header) == 1 and mark in self.header[0]]
        if foreign:
            raise InputError(f"{path}: its columns are separated by {DELIMITERS[foreign[0]]}; save it with commas")
        if len(set(self.header)) < len(self.header):
            raise InputError(f"{path}: two columns have the same name; is the first line a header?")

    def table(self, texts: Collection[str] = ()) -> Table:
        """Return the rows below the header.

        Args:
            texts: names of columns whose cells stay text, even if all are numbers.

        Raises:
            InputError: naming the line whose cells are not as many as the header's.
        """
        kept = {place for place, name in enumerate(self.header) if name in texts}
        columns = self._columns(kept)
        rows = len(columns[0])
        if all(isinstance(column, Words) for column in columns):
            words = [column for column in columns if isinstance(column, Words)]
            blank = np.all([column.mark([""]) for column in words], axis=0)
            if blank.any():
                columns, rows = [column.take(~blank) for column in words], int((~blank).sum())
        last = columns[-1]
        # pandas fills up short lines with empty cells
        if isinstance(last, Words) and last.mark([""]).any() and not self._even:
            self._check_lengths()
        return Table(self.path, dict(zip(self.header, columns)), rows, self.place)

    def place(self, row: int) -> str:
        """Return the line of the file in which a row begins, in words."""
        return f"line {self._starts[row + 1]}"

    @cached_property
    def _starts(self) -> list[int]:
        """Number of the first line of each row, the header's included."""
        return [line for line, _ in self._lines()]

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the number of the first line of each row that has a cell, the header's included, and its cells."""
        reader = csv.reader(io.TextIOWrapper(io.BytesIO(self.data), "utf-8", newline=""), strict=True)
        with reading(self.path):
            before = 0
            for row in reader:
                cells = [cell.strip() for cell in row]
                if any(cells):
                    yield before + 1, cells
                before = reader.line_num

    def _check_lengths(self) -> None:
        for line, cells in self._lines():
            if len(cells) != len(self.header):
                raise InputError(
                    f"{self.path}, line {line}: has {len(cells)} cells, but the header has {len(self.header)}"
                )

    def _columns(self, texts: Collection[int]) -> list[Column]:
        try:
            return parse_columns(self.data, len(self.header), texts, self._even)
        except ValueError as error:
            self._check_lengths()
            with reading(self.path):
                raise error

    @cached_property
    def _even(self) -> bool:
        """True where each line is known to have as many cells as the header."""
        return has_even_lines(self.data, len(self.header))
