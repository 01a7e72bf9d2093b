"""Longest open reading frames: a gene finder without training."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.genome.sequence import UNKNOWN, Codes, reverse_complement

SHORTEST = 90
"""Bases of the shortest frame that is looked at, with its stop."""

STOPS = ((3, 0, 0), (3, 0, 2), (3, 2, 0))
"""TAA, TAG and TGA as codes."""

START = (0, 3, 2)
"""ATG as codes."""

Frame = tuple[int, int, int]
"""Start, end and strand (0 +, 1 -) of an open reading frame, on the + strand's bases, 0-based and half-open."""


def scan(codes: Codes) -> NDArray[np.int32]:
    """Return the length of the open reading frame that each base lies in, ``(2, bases)``; 0: none.

    The rows are the strands, + and -. A frame goes from the first ATG behind a stop to the next stop in frame. Where
    frames overlap, on either strand, the longest wins: one is dropped when longer ones have half of its bases or more.
    """
    length = len(codes)
    found = [(start, end, 0) for start, end in _frames(codes)]
    found += [(length - end, length - start, 1) for start, end in _frames(reverse_complement(codes))]
    lengths = np.zeros((2, length), dtype=np.int32)
    taken = np.zeros(length, dtype=bool)
    for start, end, strand in sorted(found, key=lambda frame: (frame[0] - frame[1], frame)):
        if 2 * np.count_nonzero(taken[start:end]) < end - start:
            taken[start:end] = True
            row = lengths[strand, start:end]
            row[row == 0] = end - start
    return lengths


def _frames(codes: Codes) -> Iterator[tuple[int, int]]:
    """Yield start and end of each open reading frame on the given strand."""
    for frame in range(3):
        codons = codes[frame : len(codes) - (len(codes) - frame) % 3].reshape(-1, 3)
        unknown = (codons == UNKNOWN).any(axis=1)
        stops = np.flatnonzero(np.any([(codons == stop).all(axis=1) for stop in STOPS], axis=0))
        starts = np.flatnonzero((codons == START).all(axis=1))
        breaks = np.flatnonzero(unknown)
        before = 0
        for stop in stops.tolist():
            low = before
            if len(breaks) and (place := int(np.searchsorted(breaks, stop))) and breaks[place - 1] >= low:
                low = int(breaks[place - 1]) + 1
            place = int(np.searchsorted(starts, low))
            if place < len(starts) and starts[place] < stop and 3 * (stop + 1 - starts[place]) >= SHORTEST:
                yield frame + 3 * int(starts[place]), frame + 3 * (stop + 1)
            before = stop + 1
