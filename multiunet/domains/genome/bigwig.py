"""bigWig files: values base by base, summed over bins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pybigtools
from numpy.typing import NDArray

from multiunet.domains.genome.bigwig_structure import MAGIC, check_indexes
from multiunet.domains.reading import reading
from multiunet.errors import InputError

SLICE = 1 << 22
"""Bases that are in memory at once."""


def is_bigwig(path: Path) -> bool:
    """Return whether a file begins like a bigWig.

    Raises:
        InputError: when there is no such file, it is empty, or it is named like a bigWig and does not begin like one.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with path.open("rb") as file:
        magic = file.read(4)
    if not magic:
        raise InputError(f"{path}: is empty")
    if path.suffix.lower() in (".bw", ".bigwig") and magic not in MAGIC:
        raise InputError(f"{path}: is named like a bigWig, but does not begin like one")
    return magic in MAGIC


class BigWig:
    """An open bigWig file.

    Attributes:
        lengths: bases of the chromosomes that it has, by name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        check_indexes(path)
        with reading(path):
            self._file = pybigtools.open(str(path))
            self.lengths: dict[str, int] = dict(self._file.chroms())

    def bin_sums(
        self, chrom: str, bin_size: int, zero: bool = False
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return for each bin of a chromosome the sum over its measured bases, and how many these are.

        Args:
            zero: bases that the file does not mention are 0; those that it stores as NaN are still not measured.

        Raises:
            InputError: for a file that is damaged, or holds an infinite value.
        """
        length = self.lengths[chrom]
        count = -(-length // bin_size)
        sums, covered = np.zeros(count), np.zeros(count)
        per_slice = max(1, SLICE // bin_size)
        for first in range(0, count, per_slice):
            start, end = first * bin_size, min(length, (first + per_slice) * bin_size)
            values, known = self._bases(chrom, start, end, zero)
            edges = np.arange(0, end - start, bin_size)
            sums[first : first + len(edges)] = np.add.reduceat(np.where(known, values, 0.0), edges)
            covered[first : first + len(edges)] = np.add.reduceat(known, edges, dtype=np.int64)
        return sums, covered

    def _bases(self, chrom: str, start: int, end: int, zero: bool) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the values of bases, 0 or NaN where there is none, and which of them are measured."""
        with reading(self.path):
            # fillna is always given: version 0.3 changed what is without it
            values: NDArray[np.float64] = self._file.values(chrom, start, end, fillna=None)
        if (infinite := np.isinf(values)).any():
            at = int(np.argmax(infinite))
            raise InputError(
                f"{self.path}: the value of {chrom}:{start + at}-{start + at + 1} is {values[at]}; leave out what was "
                "not measured"
            )
        known = ~np.isnan(values)
        if self._count_mentioned(chrom, start, end, 1)[0] == known.sum():
            return (np.where(known, values, 0.0), np.ones_like(known)) if zero else (values, known)
        # values() gives NaN for bases of no interval and for those of one of NaN, and the sum of several
        times = self._count_mentioned(chrom, start, end, end - start)
        if (twice := times > 1).any():
            at = start + int(np.argmax(twice))
            raise InputError(
                f"{self.path}: has two values of {chrom}:{at}-{at + 1}; its intervals overlap, so it is damaged or was "
                "not made of one signal; make it anew"
            )
        return (np.where(known, values, 0.0), known | (times == 0)) if zero else (values, known)

    def _count_mentioned(self, chrom: str, start: int, end: int, bins: int) -> NDArray[np.float64]:
        """Count the bases that lie in intervals, also of NaN, by bin."""
        with reading(self.path):
            counts: NDArray[np.float64] = self._file.values(
                chrom, start, end, bins=bins, summary="bases_covered", exact=True, fillna=0.0
            )
        return counts

    def close(self) -> None:
        """Close the file."""
        with reading(self.path):
            self._file.close()
