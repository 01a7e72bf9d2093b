"""Places without a peak that have the GC content of those with one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.genome.bases import Bases
from multiunet.domains.genome.regions import Regions
from multiunet.domains.genome.sequence import count_known
from multiunet.seeds import generator

GC_STEP = 0.02
"""Width of a bin of the histogram of GC content."""

LEAST_KNOWN = 0.9
"""Share of known bases of a place that may be a negative."""


@dataclass(frozen=True)
class Places:
    """Peaks of some chromosomes, and as many places without one or fewer.

    Attributes:
        peaks, negatives: starts and ends by chromosome, bases; all negatives have the width of the median peak.
        unmatched: peaks for which no place of like GC content was left.
        gc: mean GC content of peaks, of negatives, and of all places that might have been.
    """

    peaks: Regions
    negatives: Regions
    unmatched: int
    gc: tuple[float, float, float]


def match_negatives(codes: Mapping[str, Bases], peaks: Regions, seed: int, ratio: float = 1.0) -> Places:
    """Draw places without a peak, on the chromosomes of the peaks and with their GC contents.

    The genome is cut into places as wide as the median peak. Those that touch a peak, or have many unknown bases, are
    left out. Each peak has, in turn, ``ratio`` others drawn of its own bin of GC content, each once; where there are
    none left, it has none.

    Args:
        codes: bases by chromosome; peaks of other chromosomes are left out.
        seed: the same gives the same places.
        ratio: negatives for each peak, on average.
    """
    kept: Regions = {chrom: rows for chrom, rows in peaks.items() if chrom in codes}
    widths = [end - start for rows in kept.values() for start, end in rows]
    width = max(1, int(np.median(widths))) if widths else 1
    negatives: Regions = {}
    wanted, found = 0, 0
    contents: tuple[list[NDArray[np.float64]], ...] = ([], [], [])
    for chrom, rows in kept.items():
        rng = generator("negatives", seed, chrom)
        starts, gc = _candidates(codes[chrom], rows, width)
        own = np.array([_gc(codes[chrom], start, end) for start, end in rows])
        chosen = _draw(gc, own, ratio, rng)
        negatives[chrom] = sorted((int(starts[place]), int(starts[place]) + width) for place in chosen)
        wanted, found = wanted + len(rows), found + len(chosen)
        for values, more in zip(contents, (own, gc[chosen], gc)):
            values.append(more)
    means = [float(np.mean(part)) if len(part) else float("nan") for part in map(_join, contents)]
    return Places(kept, negatives, max(0, round(wanted * ratio) - found), (means[0], means[1], means[2]))


def _candidates(codes: Bases, rows: list[tuple[int, int]], width: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return starts and GC content of the places that may be negatives."""
    starts = np.arange(0, len(codes) - width + 1, width, dtype=np.int64)
    taken = np.zeros(len(starts) + 1, dtype=bool)
    for start, end in rows:
        taken[min(start // width, len(starts)) : -(-end // width)] = True
    counts = [count_known(codes[int(start) : int(start) + width]) for start in starts]
    known, strong = np.array(counts, dtype=np.float64).reshape(-1, 2).T
    free = ~taken[: len(starts)] & (known >= LEAST_KNOWN * width)
    return starts[free], strong[free] / known[free]


def _draw(
    gc: NDArray[np.float64], own: NDArray[np.float64], ratio: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return which candidates match the peaks' GC contents, in no order."""
    bins, wanted = np.floor(gc / GC_STEP).astype(int), np.floor(own / GC_STEP).astype(int)
    chosen: list[NDArray[np.int64]] = []
    for content in np.unique(wanted):
        there = np.flatnonzero(bins == content)
        exact = ratio * np.count_nonzero(wanted == content)
        count = min(len(there), int(exact) + int(rng.random() < exact % 1))
        chosen.append(rng.choice(there, size=count, replace=False))
    return np.concatenate(chosen) if chosen else np.empty(0, dtype=np.int64)


def _gc(codes: Bases, start: int, end: int) -> float:
    known, strong = count_known(codes[start:end])
    return strong / known if known else 0.0


def _join(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate(parts) if parts else np.empty(0)
