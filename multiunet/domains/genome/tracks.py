"""Signals along chromosomes: bigWig and bedGraph to one value a bin."""

from __future__ import annotations

import gzip
import math
import zlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pybigtools
from numpy.typing import NDArray

from multiunet.domains.genome.names import check_names, check_within
from multiunet.errors import InputError

Values = NDArray[np.float32]

BIGWIG_MAGIC = (b"\x26\xfc\x8f\x88", b"\x88\x8f\xfc\x26")
SLICE = 1 << 22
"""Bases of a bigWig that are in memory at once."""


LONGEST = 1 << 40
"""Bases: positions beyond this are mistakes."""


@dataclass(frozen=True)
class Track:
    """One signal.

    Attributes:
        name: the file's, without its endings.
        values: one a bin, by chromosome; NaN where it was not measured.
        chroms: all that the file has, also those that were not read.
    """

    name: str
    path: Path
    values: dict[str, Values]
    chroms: tuple[str, ...]


def read_tracks(
    paths: Sequence[Path],
    lengths: Mapping[str, int],
    bin_size: int,
    fasta: Path,
    excluded: Sequence[str] = (),
    zero: bool = False,
) -> list[Track]:
    """Reads signals onto the bins of chromosomes of these lengths.

    A chromosome of n bases has ceil(n / bin_size) bins; the last may be shorter. A bin's value is the mean over its
    bases that have one; it is NaN where fewer than half of its bases do. A base has one where the file says so, or,
    with ``zero``, where it does not say NaN.

    Args:
        lengths: of the chromosomes to read, in bases.
        fasta: names them, in messages.
        excluded: patterns of chromosomes that the files may have and that are not read.
        zero: what a file does not mention is 0, whole chromosomes too.

    Raises:
        InputError: for files that cannot be read, or that do not fit the chromosomes by name or by length.
    """
    names = [_name(path) for path in paths]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two targets are named {name!r}; a track is named after its file: rename one")
    read = (_read_bigwig if _is_bigwig(path) else _read_bedgraph for path in paths)
    return [
        Track(name, path, *reader(path, lengths, bin_size, fasta, excluded, zero))
        for name, path, reader in zip(names, paths, read)
    ]


def binned(
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    values: NDArray[np.float64],
    length: int,
    bin_size: int,
    zero: bool = False,
) -> Values:
    """Values of disjoint intervals, 0-based and half-open, on the bins of a chromosome; NaN values are not measured.

    Args:
        zero: bases outside all intervals are 0, not unmeasured.
    """
    known = ~np.isnan(values)
    sums, covered = _spread(starts[known], ends[known], values[known], length, bin_size)
    if zero:
        blank = ~known
        covered = _bases(length, bin_size) - _spread(starts[blank], ends[blank], values[blank], length, bin_size)[1]
    return _means(sums, covered, length, bin_size)


def _spread(
    starts: NDArray[np.int64], ends: NDArray[np.int64], values: NDArray[np.float64], length: int, bin_size: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each bin the sum over the bases of intervals, and how many bases these are."""
    first, last = starts // bin_size, (ends - 1) // bin_size
    pieces = last - first + 1  # an interval has one piece in each bin that it touches
    owner = np.repeat(np.arange(len(starts)), pieces)
    where = first[owner] + np.arange(len(owner)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    bases = np.minimum(ends[owner], (where + 1) * bin_size) - np.maximum(starts[owner], where * bin_size)
    count = -(-length // bin_size)
    sums, covered = np.zeros(count), np.zeros(count)
    np.add.at(sums, where, bases * values[owner])
    np.add.at(covered, where, bases)
    return sums, covered


def _bases(length: int, bin_size: int) -> NDArray[np.int64]:
    """How many bases each bin has."""
    bases = np.full(-(-length // bin_size), bin_size)
    bases[-1] = length - (len(bases) - 1) * bin_size
    return bases


def _means(sums: NDArray[np.float64], covered: NDArray[np.float64], length: int, bin_size: int) -> Values:
    enough = 2 * covered >= _bases(length, bin_size)
    with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is refused
        return np.where(enough, sums / np.maximum(covered, 1), np.nan).astype(np.float32)


def _read_bigwig(
    path: Path, lengths: Mapping[str, int], bin_size: int, fasta: Path, excluded: Sequence[str], zero: bool
) -> tuple[dict[str, Values], tuple[str, ...]]:
    try:
        with pybigtools.open(str(path)) as file:
            found: dict[str, int] = dict(file.chroms())
            check_names(path, found, lengths, fasta, excluded, complete=not zero)
            values = {}
            for chrom, length in lengths.items():
                if chrom not in found:
                    values[chrom] = np.zeros(-(-length // bin_size), dtype=np.float32)
                    continue
                check_within(path, chrom, found[chrom], length, fasta, exactly=True)
                values[chrom] = _bigwig_bins(path, file, chrom, length, bin_size, 0.0 if zero else math.nan)
            return values, tuple(found)
    except InputError:
        raise
    except Exception as error:  # the reader is native code that raises many kinds for a damaged file
        raise InputError(f"{path}: cannot be read as bigWig ({error}); is it whole?") from error


def _bigwig_bins(
    path: Path, file: pybigtools.BBIReader, chrom: str, length: int, bin_size: int, absent: float
) -> Values:
    count = -(-length // bin_size)
    sums, covered = np.zeros(count), np.zeros(count)
    per_slice = max(1, SLICE // bin_size)
    for first in range(0, count, per_slice):
        start, end = first * bin_size, min(length, (first + per_slice) * bin_size)
        # fillna is always given: version 0.3 changed what is without it
        values = file.values(chrom, start, end, fillna=absent, oob=math.nan)
        if (infinite := np.isinf(values)).any():  # as of bedGraph
            at = int(np.argmax(infinite))
            raise InputError(
                f"{path}: the value of {chrom}:{start + at}-{start + at + 1} is {values[at]}; leave out what was not "
                "measured"
            )
        known = ~np.isnan(values)
        edges = np.arange(0, end - start, bin_size)
        sums[first : first + len(edges)] = np.add.reduceat(np.where(known, values, 0.0), edges)
        covered[first : first + len(edges)] = np.add.reduceat(known, edges, dtype=np.int64)
    return _means(sums, covered, length, bin_size)


class _Intervals:
    """The intervals of one chromosome, as they come."""

    def __init__(self) -> None:
        self.starts, self.ends, self.lines, self.values = array("q"), array("q"), array("q"), array("d")

    def sorted(self, path: Path, chrom: str) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        starts, ends, lines = (np.frombuffer(a, dtype=np.int64) for a in (self.starts, self.ends, self.lines))
        order = np.argsort(starts, kind="stable")
        starts, ends, lines = starts[order], ends[order], lines[order]
        overlaps = np.flatnonzero(starts[1:] < ends[:-1])
        if len(overlaps):
            i = int(overlaps[0])
            raise InputError(
                f"{path}:{lines[i + 1]}: interval {chrom}:{starts[i + 1]}-{ends[i + 1]} overlaps "
                f"{chrom}:{starts[i]}-{ends[i]} of line {lines[i]} ({len(overlaps)} such); a base has one value: merge "
                f"them (bedtools merge -c 4 -o mean), or pass several tracks as several files"
            )
        return starts, ends, np.frombuffer(self.values, dtype=np.float64)[order]


def _read_bedgraph(
    path: Path, lengths: Mapping[str, int], bin_size: int, fasta: Path, excluded: Sequence[str], zero: bool
) -> tuple[dict[str, Values], tuple[str, ...]]:
    found = _parse_bedgraph(path)
    check_names(path, found, lengths, fasta, excluded, complete=not zero)
    values = {}
    for chrom, length in lengths.items():
        intervals = found.get(chrom, _Intervals())
        check_within(path, chrom, max(intervals.ends, default=0), length, fasta, exactly=False)
        values[chrom] = binned(*intervals.sorted(path, chrom), length, bin_size, zero)
    return values, tuple(found)


def _parse_bedgraph(path: Path) -> dict[str, _Intervals]:
    found: dict[str, _Intervals] = {}
    number = 0
    try:
        with gzip.open(path, "rt", encoding="utf-8-sig") if _is_gzip(path) else path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                fields = line.split()
                if not fields or fields[0] in ("track", "browser") or fields[0].startswith("#"):
                    continue
                start, end, value = _interval(path, number, fields)
                intervals = found.setdefault(fields[0], _Intervals())
                intervals.starts.append(start)
                intervals.ends.append(end)
                intervals.values.append(value)
                intervals.lines.append(number)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as bedGraph after line {number} ({error}); is it whole?") from error
    if not found:
        raise InputError(f"{path}: holds no interval; a bedGraph line is 'CHROM START END VALUE'")
    return found


def _interval(path: Path, number: int, fields: list[str]) -> tuple[int, int, float]:
    """Start, end and value of a line; ``NaN``, ``NA`` and ``.`` are not measured."""
    try:
        _, first, last, shown = fields
        start, end = int(first), int(last)
        value = math.nan if shown in ("NA", ".") else float(shown)
    except ValueError:
        text = " ".join(fields)[:60]
        raise InputError(f"{path}:{number}: {text!r} is not 'CHROM START END VALUE' (bedGraph, or bigWig)") from None
    if end > LONGEST:
        raise InputError(f"{path}:{number}: ends at {end}, but no chromosome has more than {LONGEST:,} bases")
    if not 0 <= start < end:
        raise InputError(
            f"{path}:{number}: interval {start}-{end} is empty or negative; starts count from 0 and ends are exclusive"
        )
    if math.isinf(value):
        raise InputError(f"{path}:{number}: the value is {value}; write NaN where nothing was measured")
    return start, end, value


def _name(path: Path) -> str:
    name = path.name.removesuffix(".gz")
    return name.rsplit(".", 1)[0] or name


def _is_bigwig(path: Path) -> bool:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with path.open("rb") as file:
        magic = file.read(4)
    if not magic:
        raise InputError(f"{path}: is empty")
    named = path.suffix.lower() in (".bw", ".bigwig")
    if named and magic not in BIGWIG_MAGIC:
        raise InputError(f"{path}: is named like a bigWig, but does not begin like one")
    return magic in BIGWIG_MAGIC


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"
