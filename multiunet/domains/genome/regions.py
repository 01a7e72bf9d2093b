"""Intervals along chromosomes: BED to the bins that they touch."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.genome.names import listed
from multiunet.errors import InputError

Regions = dict[str, list[tuple[int, int]]]
"""Starts and ends by chromosome, 0-based and half-open."""


def read_regions(path: Path, lengths: Mapping[str, int], fasta: Path) -> Regions:
    """Reads a BED file, plain or gzip; of its columns the first three. Chromosomes that the FASTA has not are ignored.

    Args:
        lengths: of the chromosomes, in bases.
        fasta: names them, in messages.

    Raises:
        InputError: for what is no BED file, an interval beyond its chromosome, or no chromosome in common.
    """
    found: Regions = {}
    for number, chrom, start, end in _lines(path):
        if not 0 <= start < end:
            raise InputError(f"{path}:{number}: interval {start}-{end} is empty or negative; starts count from 0")
        if chrom in lengths and end > lengths[chrom]:
            raise InputError(
                f"{path}:{number}: ends at {end:,}, but {chrom} has {lengths[chrom]:,} bases in {fasta.name}; another "
                "assembly?"
            )
        found.setdefault(chrom, []).append((start, end))
    known = {chrom: rows for chrom, rows in found.items() if chrom in lengths}
    if not known:
        raise InputError(f"{path}: has {listed(found) or 'no interval'}; {fasta.name} has {listed(lengths)}")
    return known


def touched(rows: list[tuple[int, int]], length: int, bin_size: int) -> NDArray[np.bool_]:
    """Which bins of a chromosome, ``(bins,)``, have a base in one of the intervals."""
    bins = np.zeros(-(-length // bin_size), dtype=bool)
    for start, end in rows:
        bins[start // bin_size : -(-end // bin_size)] = True
    return bins


def runs(bins: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First bin, and the one behind the last, of each stretch of true bins.

    >>> runs(np.array([True, False, True, True]))
    [(0, 1), (2, 4)]
    """
    steps = np.diff(np.concatenate([[0], bins.astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(steps > 0).tolist(), np.flatnonzero(steps < 0).tolist()))


def _lines(path: Path) -> Iterator[tuple[int, str, int, int]]:
    """Line number, chromosome, start and end."""
    number = 0
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                fields = line.split()
                if not fields or fields[0] in ("track", "browser") or fields[0].startswith("#"):
                    continue
                try:
                    yield number, fields[0], int(fields[1]), int(fields[2])
                except (IndexError, ValueError):
                    raise InputError(f"{path}:{number}: {line.strip()[:60]!r} is not 'CHROM START END'") from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as BED after line {number} ({error})") from error
