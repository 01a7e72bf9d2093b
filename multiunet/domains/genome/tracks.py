"""Signals along chromosomes: bigWig and bedGraph to one value a bin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.genome.bigwig import BigWig, is_bigwig
from multiunet.domains.genome.intervals import NONE, Intervals, read_intervals
from multiunet.domains.genome.names import check_names, check_within, matches
from multiunet.domains.genome.sequence import Genome
from multiunet.domains.repeats import find_repeated
from multiunet.errors import InputError

Values = NDArray[np.float32]


@dataclass(frozen=True)
class Bins:
    """Bins of a genome's chromosomes that signals are read onto.

    Attributes:
        bin_size: bases a bin; the last bin of a chromosome may have fewer.
        exclude: patterns of chromosomes that are not read; signals and genome may have others of them.
        zero: bases, and whole chromosomes, that a signal does not mention are 0.
    """

    genome: Genome
    bin_size: int
    exclude: Sequence[str] = ()
    zero: bool = False

    def lengths(self) -> dict[str, int]:
        """Return the bases of the chromosomes to read, by name."""
        found = self.genome.lengths.items()
        return {name: length for name, length in found if not matches(name, self.exclude)}


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


def read_tracks(paths: Sequence[Path], onto: Bins, names: Sequence[str] = ()) -> list[Track]:
    """Read signals onto bins.

    Args:
        names: of the tracks; an empty one, or none: that of the file, without its endings.

    A bin's value is the mean over its measured bases; it is NaN where fewer than half of its bases are measured. A base
    is measured where the file has a value other than NaN, or, with ``onto.zero``, where it does not mention the base.

    Raises:
        InputError: for files that cannot be read, or that do not fit the chromosomes by name or by length.
    """
    names = [given or _name(path) for path, given in zip(paths, names or [""] * len(paths))]
    if twice := find_repeated(names):
        raise InputError(f"two targets are named {twice[0]!r}; a track is named after its file: rename one")
    readers = (_read_bigwig if is_bigwig(path) else _read_bedgraph for path in paths)
    return [Track(name, path, *read(path, onto)) for name, path, read in zip(names, paths, readers)]


def binned(
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    values: NDArray[np.float64],
    length: int,
    bin_size: int,
    zero: bool = False,
) -> Values:
    """Return the mean of disjoint intervals, 0-based and half-open, over each bin of a chromosome.

    Intervals whose value is NaN are not measured.

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
    """Return for each bin the sum over the bases of intervals, and how many bases these are."""
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
    """Return the number of bases of each bin."""
    bases = np.full(-(-length // bin_size), bin_size)
    bases[-1] = length - (len(bases) - 1) * bin_size
    return bases


def _means(sums: NDArray[np.float64], covered: NDArray[np.float64], length: int, bin_size: int) -> Values:
    enough = 2 * covered >= _bases(length, bin_size)
    with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is refused
        return np.where(enough, sums / np.maximum(covered, 1), np.nan).astype(np.float32)


def _read_bigwig(path: Path, onto: Bins) -> tuple[dict[str, Values], tuple[str, ...]]:
    file = BigWig(path)
    try:
        names = check_names(path, file.lengths, onto.genome, onto.exclude, complete=not onto.zero)
        values = {}
        for chrom, length in onto.lengths().items():
            if chrom not in names:
                values[chrom] = np.zeros(-(-length // onto.bin_size), dtype=np.float32)
                continue
            check_within(path, chrom, file.lengths[names[chrom]], onto.genome, exactly=True)
            values[chrom] = _means(*file.bin_sums(names[chrom], onto.bin_size, onto.zero), length, onto.bin_size)
        return values, tuple(file.lengths)
    finally:
        file.close()


def _read_bedgraph(path: Path, onto: Bins) -> tuple[dict[str, Values], tuple[str, ...]]:
    found = read_intervals(path, "bedGraph")
    names = check_names(path, found, onto.genome, onto.exclude, complete=not onto.zero)
    values = {}
    for chrom, length in onto.lengths().items():
        rows = _sort(path, chrom, found.get(names.get(chrom, ""), NONE))
        check_within(path, chrom, int(rows.ends.max(initial=0)), onto.genome, exactly=False)
        values[chrom] = binned(rows.starts, rows.ends, rows.values, length, onto.bin_size, onto.zero)
    return values, tuple(found)


def _sort(path: Path, chrom: str, rows: Intervals) -> Intervals:
    """Return the intervals by their starts.

    Raises:
        InputError: for intervals that overlap.
    """
    rows = rows.take(np.argsort(rows.starts, kind="stable"))
    starts, ends, lines = rows.starts, rows.ends, rows.lines
    overlaps = np.flatnonzero(starts[1:] < ends[:-1])
    if len(overlaps):
        i = int(overlaps[0])
        raise InputError(
            f"{path}:{lines[i + 1]}: interval {chrom}:{starts[i + 1]}-{ends[i + 1]} overlaps "
            f"{chrom}:{starts[i]}-{ends[i]} of line {lines[i]} ({len(overlaps)} such); a base has one value: merge "
            f"them (bedtools merge -c 4 -o mean), or pass several tracks as several files"
        )
    return rows


def _name(path: Path) -> str:
    name = path.name.removesuffix(".gz")
    return name.rsplit(".", 1)[0] or name
