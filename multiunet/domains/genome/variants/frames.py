"""Windows about a variant in which the bins of both alleles line up, on both sides of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.genome.sequence import Codes
from multiunet.domains.genome.variants.alleles import Allele


@dataclass(frozen=True)
class Window:
    """Windows of a variant: an odd number of bins, the variant in the middle one.

    Attributes:
        bin_size: bases a bin.
        bins: of a window.
        context: bins at each end that do not count, as in training: the network does not see what lies beyond them.
    """

    bin_size: int
    bins: int
    context: int

    @property
    def centre(self) -> int:
        """The middle bin."""
        return self.bins // 2

    @property
    def bases(self) -> int:
        """Bases of a window."""
        return self.bins * self.bin_size

    @property
    def longest(self) -> int:
        """Bases of the longest allele: it must leave room for its surroundings."""
        return self.bases // 2


@dataclass(frozen=True)
class Frame:
    """Windows of both alleles for one place of the variant within its bin.

    An insertion or deletion has two pairs of windows. In the first the bins left of the variant hold the same bases in
    both alleles, in the second those right of it; ``join`` puts the halves together. Otherwise the pairs are the same.

    Attributes:
        weight: of the scores of this place.
        pairs: codes ``(reference, alternative)``, each ``(bases,)``.
    """

    weight: float
    pairs: tuple[tuple[Codes, Codes], ...]


def make_frames(allele: Allele, window: Window, shifts: int) -> list[Frame]:
    """Return the frames of an allele, whose weights sum up to 1."""
    ref, alt, size = allele.ref, allele.alt, window.bases
    least = min(len(ref), len(alt))
    frames = []
    for half, weight in phases(window.bin_size, shifts, least % 2 == 1):
        # counted in half bases, so that the middle of an odd number of bases has a place
        to_anchor = 2 * window.centre * window.bin_size + half
        before = (to_anchor - least) // 2  # bases of the window left of the variant, where these line up
        behind = (2 * size - to_anchor - least) // 2
        left = tuple(_read_left(allele, part, before, size) for part in (ref, alt))
        right = tuple(_read_right(allele, part, behind, size) for part in (ref, alt))
        pairs = (left,) if len(ref) == len(alt) else (left, right)
        frames.append(Frame(weight, pairs))  # type: ignore[arg-type]
    return frames


def _read_left(allele: Allele, part: Codes, before: int, size: int) -> Codes:
    head = np.concatenate([allele.reference.read(allele.start - before, allele.start), part])
    rest = max(0, size - len(head))
    return np.concatenate([head, allele.reference.read(allele.stop, allele.stop + rest)])[:size]


def _read_right(allele: Allele, part: Codes, behind: int, size: int) -> Codes:
    tail = np.concatenate([part, allele.reference.read(allele.stop, allele.stop + behind)])
    rest = max(0, size - len(tail))
    whole = np.concatenate([allele.reference.read(allele.start - rest, allele.start), tail])
    return whole[len(whole) - size :]


def phases(bin_size: int, shifts: int, odd: bool) -> list[tuple[int, float]]:
    """Return places of a variant's middle within its bin, in half bases, each with its weight.

    They are spread evenly, and the same from either end of the bin, so that both strands give the same scores.

    Args:
        odd: the variant has an odd number of bases, so its middle lies within a base.

    >>> phases(10, 2, odd=True)
    [(5, 0.5), (15, 0.5)]
    >>> phases(10, 1, odd=True)
    [(9, 0.5), (11, 0.5)]
    """
    found: dict[int, float] = {}
    for k in range(shifts):
        wanted = Fraction((2 * k + 1) * bin_size, shifts)
        low = int(wanted)
        low -= (low - odd) % 2
        if wanted == low:
            nearest = [low]
        elif wanted - low == 1:  # between two: away from the bin's middle, from which both are as far
            nearest = [low, low + 2] if wanted == bin_size else [low] if wanted < bin_size else [low + 2]
        else:
            nearest = [low] if wanted - low < 1 else [low + 2]
        for half in nearest:
            found[half] = found.get(half, 0.0) + 1 / (shifts * len(nearest))
    return sorted(found.items())


def join(left: NDArray[np.float64], right: NDArray[np.float64], centre: int) -> NDArray[np.float64]:
    """Join tracks ``(..., bins)``: the first left of the middle bin, the second right; in it the mean."""
    joined = np.concatenate([left[..., :centre], right[..., centre:]], axis=-1)
    joined[..., centre] = (left[..., centre] + right[..., centre]) / 2
    return joined
