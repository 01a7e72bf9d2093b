"""Regions that hold most of a track's variance, such as repeats that many reads fall on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeInt, PositiveInt

from multiunet.domains.genome.regions import runs
from multiunet.domains.info import Record

BLOCKS = 2000
"""Blocks of a genome whose variances are compared."""

BLOCK_SHARE = 0.02
"""Share of the variance from which a block is extreme: forty times an even one."""

GAP = 3
"""Blocks between two extreme ones that belong to one region."""

LEAST_SHARE = 0.1
"""Share of the variance from which a region is named."""

LARGEST = 0.02
"""Largest part of the genome's bins that is a region rather than the signal itself."""


class Extreme(Record):
    """Region that holds a large share of a track's variance.

    Attributes:
        track: its place among the tracks, from 0.
        chrom, start, end: bases, 0-based and half-open.
        share: of the sum of squared deviations from the track's median, over all chromosomes.
        multiple: mean of the region over the median of the track; None where that is not positive.
        part: of the bins that have a value.
    """

    track: NonNegativeInt
    chrom: str
    start: NonNegativeInt
    end: PositiveInt
    share: float
    multiple: float | None
    part: float

    @classmethod
    def at(cls, track: int, place: tuple[str, int, int], share: float, multiple: float | None, part: float) -> Extreme:
        """Return the region at a place, chromosome, start and end."""
        chrom, start, end = place
        return cls(track=track, chrom=chrom, start=start, end=end, share=share, multiple=multiple, part=part)

    def describe(self) -> str:
        """Return place, share and multiple in words."""
        times = "" if self.multiple is None else f", {self.multiple:.3g} times the median"
        return (
            f"{self.chrom}:{self.start:,}-{self.end:,} ({self.part:.2%} of the bins) holds {self.share:.0%} of the "
            f"variance{times}"
        )


def find_extremes(
    targets: Mapping[str, NDArray[np.float32]], lengths: Mapping[str, int], bin_size: int
) -> tuple[Extreme, ...]:
    """Find regions that hold far more of a track's variance than their size, the heaviest first.

    Args:
        targets: ``(tracks, bins)`` by chromosome; NaN is not known.
        lengths: bases by chromosome.
    """
    tracks = next(iter(targets.values())).shape[0]
    return tuple(
        extreme
        for track in range(tracks)
        for extreme in _of_track(track, {name: rows[track] for name, rows in targets.items()}, lengths, bin_size)
    )


def mask_extremes(extremes: Sequence[Extreme], track: int, chrom: str, bins: int, bin_size: int) -> NDArray[np.bool_]:
    """Return ``(bins,)``, True for the bins of a chromosome in extreme regions of a track."""
    inside = np.zeros(bins, dtype=bool)
    for extreme in extremes:
        if (extreme.track, extreme.chrom) == (track, chrom):
            inside[extreme.start // bin_size : -(-extreme.end // bin_size)] = True
    return inside


def drop_extremes(
    extremes: Sequence[Extreme], chrom: str, target: NDArray[np.float32], bin_size: int
) -> NDArray[np.float32]:
    """Return the targets of a chromosome, ``(tracks, bins)``, with NaN in each track's extreme regions."""
    if not any(extreme.chrom == chrom for extreme in extremes):
        return target
    dropped = target.copy()
    for track, row in enumerate(dropped):
        row[mask_extremes(extremes, track, chrom, len(row), bin_size)] = np.nan
    return dropped


def _of_track(
    track: int, values: Mapping[str, NDArray[np.float32]], lengths: Mapping[str, int], bin_size: int
) -> list[Extreme]:
    known = np.concatenate([row[~np.isnan(row)] for row in values.values()]).astype(np.float64)
    if not len(known):
        return []
    median = float(np.median(known))
    total = float(((known - median) ** 2).sum())
    width = max(1, sum(map(len, values.values())) // BLOCKS)
    found = []
    for chrom, row in values.items():
        squares = np.nan_to_num((row.astype(np.float64) - median) ** 2)
        for first, last in _heavy(squares, width, total):
            part = row[first:last]
            measured = part[~np.isnan(part)]
            share, covered = float(squares[first:last].sum()) / total, len(measured) / len(known)
            if share < LEAST_SHARE or covered > LARGEST:
                continue
            multiple = float(measured.mean()) / median if median > 0 else None
            end = min(last * bin_size, lengths[chrom])
            place = (chrom, first * bin_size, end)
            found.append(Extreme.at(track, place, share, multiple, covered))
    return sorted(found, key=lambda extreme: -extreme.share)


def _heavy(squares: NDArray[np.float64], width: int, total: float) -> list[tuple[int, int]]:
    """Return first bin, and the one behind the last, of neighbouring extreme blocks, cut to their extreme bins."""
    if total <= 0:
        return []
    blocks = np.add.reduceat(squares, np.arange(0, len(squares), width))
    found = []
    for first, last in runs(_close_gaps(blocks >= BLOCK_SHARE * total)):
        # a neighbouring block may hold the region's edge
        low, high = max(0, (first - 1) * width), min(len(squares), (last + 1) * width)
        near = squares[low:high]
        extreme = np.flatnonzero(near >= 0.05 * near.max())
        found.append((low + int(extreme[0]), low + int(extreme[-1]) + 1))
    return found


def _close_gaps(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return flags with gaps of up to ``GAP`` filled: where nothing was measured, say."""
    closed = flags.copy()
    for first, last in runs(~flags):
        if first > 0 and last < len(flags) and last - first <= GAP:
            closed[first:last] = True
    return closed
