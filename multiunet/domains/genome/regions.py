"""Intervals along chromosomes: BED to the bins that they touch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.genome.intervals import Intervals, read_intervals
from multiunet.domains.genome.names import listed, match_chromosomes
from multiunet.domains.genome.sequence import Genome
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.wording import counted

Regions = dict[str, list[tuple[int, int]]]
"""Starts and ends by chromosome, 0-based and half-open."""


def read_regions(path: Path, genome: Genome) -> Regions:
    """Read the regions of a BED file, plain, gzip or bgzip, by chromosome.

    Regions of chromosomes that the genome does not have are left out, which is said; chromosomes that are named
    otherwise there are matched.

    Raises:
        InputError: for a file that is not BED, a region beyond its chromosome, or no chromosome in common.
    """
    known = read_known(path, genome)
    return {chrom: list(zip(rows.starts.tolist(), rows.ends.tolist())) for chrom, rows in known.items()}


def read_known(path: Path, genome: Genome) -> dict[str, Intervals]:
    """Read the intervals of a BED file by chromosome of the genome; see ``read_regions``.

    Raises:
        InputError: see there.
    """
    lengths, fasta = genome.lengths, genome.path
    found = read_intervals(path, "BED")
    names = match_chromosomes(path, found, genome, fasta)
    known = {chrom: found[name] for name, chrom in names.items()}
    if not known:
        raise InputError(
            f"{path}: none of its chromosomes is in {fasta.name}: another assembly? ({path.name} has {listed(found)}; "
            f"{fasta.name} has {listed(lengths)})"
        )
    if absent := [name for name in found if name not in names]:
        lost, total = sum(len(found[name].starts) for name in absent), sum(len(rows.starts) for rows in found.values())
        remark(f"{path}: {lost:,} of {counted(total, 'region')} are left out: {fasta.name} has no {listed(absent)}")
    for chrom, rows in known.items():
        if len(beyond := np.flatnonzero(rows.ends > lengths[chrom])):
            line, end = rows.lines[beyond[0]], rows.ends[beyond[0]]
            raise InputError(
                f"{path}:{line}: ends at {end:,}, but {chrom} has {lengths[chrom]:,} bases in {fasta.name}; another "
                "assembly?"
            )
    return known


def touched(rows: Sequence[tuple[int, int]], length: int, bin_size: int) -> NDArray[np.bool_]:
    """Return ``(bins,)``, True for the bins of a chromosome that have a base in one of the intervals."""
    bins = np.zeros(-(-length // bin_size), dtype=bool)
    for start, end in rows:
        bins[start // bin_size : -(-end // bin_size)] = True
    return bins


def runs(bins: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the first bin, and the one behind the last, of each stretch of true bins.

    >>> runs(np.array([True, False, True, True]))
    [(0, 1), (2, 4)]
    """
    steps = np.diff(np.concatenate([[0], bins.astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(steps > 0).tolist(), np.flatnonzero(steps < 0).tolist()))
