"""Columns of the text of a CSV, parsed by pandas: of large files block by block, to save memory."""

from __future__ import annotations

import io
import warnings
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from multiunet.domains.expansion import check_room
from multiunet.domains.graph.files.cells import LARGEST, Column, Words
from multiunet.domains.unpack import is_packed, open_unpacked

LARGE = 1 << 23
"""Bytes of a text above which it is parsed in blocks."""

ROWS = 1 << 18
"""Rows of a block."""

PIECE = 1 << 22
"""Bytes of which the marks between cells are counted at once."""

COMMA, LINE = b",\n"


def read_lines(path: Path) -> bytes:
    """Return the bytes of a text file, plain or gzip, with line feeds alone and no byte order mark.

    Raises:
        InputError: where it is larger than the free memory.
    """
    check_room(path, path.stat().st_size, "the text", "give it in parts, as arrays (.npz), or use more memory")
    if is_packed(path):
        with open_unpacked(path) as file:
            data = file.read()
    else:
        data = path.read_bytes()
    data = data.removeprefix(b"\xef\xbb\xbf")
    # pandas loses a letter after a blank line that ends in a carriage return
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data


def has_even_lines(data: bytes, cells: int) -> bool:
    """Return whether each line has this many cells; False, too, where quotes or blank lines leave it open.

    >>> has_even_lines(b"a,b\\n1,2\\n,", 2), has_even_lines(b"a,b\\n1", 2)
    (True, False)
    """
    if b'"' in data:
        return False
    start = 0
    while start < len(data):
        stop = data.find(b"\n", start + PIECE) + 1 or len(data)
        piece = np.frombuffer(data, np.uint8, stop - start, start)
        ends = piece[(piece == COMMA) | (piece == LINE)] == LINE
        if piece[-1] != LINE:
            ends = np.append(ends, True)
        if len(ends) % cells:
            return False
        lines = ends.reshape(-1, cells)
        if lines[:, :-1].any() or not lines[:, -1].all():
            return False
        start = stop
    return True


def parse_csv(data: bytes, **options: Any) -> Any:
    """Parse a CSV in UTF-8 into a data frame; no cell counts as missing, numbers have all their digits.

    Args:
        options: of ``pandas.read_csv``.

    Raises:
        ValueError: for lines of more cells than others, and quotes that are never closed.
    """
    return next(_frames(data, **options))


def _frames(data: bytes, **options: Any) -> Iterator[Any]:
    """Yield the data frame of each block of a CSV, or of all of it without ``chunksize``."""
    import pandas  # costs a third of a second to import

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # float_precision goes with pandas 4
        warnings.simplefilter("error", pandas.errors.ParserWarning)
        try:
            found = pandas.read_csv(
                io.BytesIO(data), na_filter=False, low_memory=False, float_precision="round_trip", **options
            )
            yield from found if "chunksize" in options else [found]
        except pandas.errors.ParserWarning as warning:
            raise ValueError(str(warning)) from warning


def parse_columns(data: bytes, count: int, texts: Collection[int], even: bool) -> list[Column]:
    """Return the columns below the header.

    Args:
        count: of the columns.
        texts: places of those whose cells stay text, even if all are numbers.
        even: whether each line has ``count`` cells, see ``has_even_lines``; other texts are parsed at once.

    Raises:
        ValueError: see ``parse_csv``.
    """
    blocks = {"chunksize": ROWS} if even and len(data) > LARGE else {}
    found = _gather(data, count, texts, range(count), blocks)
    # read again as they are written: words that pandas takes for truth values, numbers that 32 bits cannot hold
    odd = [place for place in range(count) if place not in found]
    again = _gather(data, count, odd, odd, blocks) if odd else {}
    return [again[place] if place in again else found[place] for place in range(count)]


def _gather(
    data: bytes, count: int, texts: Collection[int], wanted: Sequence[int], blocks: dict[str, int]
) -> dict[int, Column]:
    """Return columns by place; left out are those that are neither text nor finite numbers in all blocks alike."""
    used = None if len(wanted) == count else list(wanted)
    options: dict[str, Any] = {"header": 0, "names": range(count), "index_col": False, "usecols": used}
    parts = {place: _Parts() for place in wanted}
    for frame in _frames(data, dtype=dict.fromkeys(texts, object), **options, **blocks):
        for place in list(parts):
            if not parts[place].add(frame[place]):
                del parts[place]
    return {place: part.join() for place, part in parts.items()}


class _Parts:
    """A column, block by block: numbers, or places of distinct words."""

    def __init__(self) -> None:
        self.numbers: list[Any] = []
        self.codes: list[Any] = []
        self.place: dict[str, int] = {}

    def add(self, series: Any) -> bool:
        """Add a block; return False for one that is neither text nor finite, or unlike those before."""
        kind = series.dtype.kind
        if kind in "iuf":
            values = series.to_numpy(np.float64)
            self.numbers.append(values)
            return not self.codes and bool((np.abs(values) <= LARGEST).all())
        codes, words = series.factorize()
        # cells that differ in the blanks around them are the same word
        same = np.array([self.place.setdefault(str(word).strip(), len(self.place)) for word in words] or [0], np.int64)
        self.codes.append(same[codes])
        return kind in "OU" and not self.numbers

    def join(self) -> Column:
        """Return the whole column."""
        return Words(tuple(self.place), np.concatenate(self.codes)) if self.codes else np.concatenate(self.numbers)
