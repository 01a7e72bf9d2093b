"""Training windows of chromosomes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.domains.genome.bases import Bases, portable
from multiunet.domains.genome.sequence import UNKNOWN, Codes, cut, reverse_complement
from multiunet.domains.genome.several.conditions import Telling
from multiunet.training.data import Sample, TrainingData

Values = NDArray[np.float32]


@dataclass(frozen=True)
class Windowing:
    """Settings of training windows.

    Attributes:
        bin_size: bases a bin.
        bins: of a window.
        context: bins at each end of a window whose targets do not count, because the network does not see the bases
            that lie beyond; they count where the chromosome ends there.
        strand_pair: for each track, the index of the track that holds the same signal on the other strand; its own
            where it has no strand.
        mutation_rate: share of bases that are replaced by a random one (Lee et al. 2023, "EvoAug").
    """

    bin_size: int
    bins: int
    context: int
    strand_pair: tuple[int, ...]
    mutation_rate: float = 0.0


class Centres(ABC):
    """Places that training windows are centred on."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of items."""

    @abstractmethod
    def draw(self, item: int, rng: np.random.Generator) -> tuple[str, int]:
        """Return chromosome and base of a window's middle."""


class EvenCentres(Centres):
    """Places that are spread evenly: item i is the i-th stretch of the chromosomes laid end to end.

    Args:
        sizes: bins by chromosome.
        bins: of a window, and so of a stretch.
        bin_size: bases a bin.
    """

    def __init__(self, sizes: Mapping[str, int], bins: int, bin_size: int) -> None:
        self.sizes, self.bins, self.bin_size = dict(sizes), bins, bin_size
        self.chroms = list(sizes)
        self.ends: list[int] = list(accumulate(sizes.values()))
        self.count = max(1, round(self.ends[-1] / bins))

    def __len__(self) -> int:
        return self.count

    def draw(self, item: int, rng: np.random.Generator) -> tuple[str, int]:
        place = (item + rng.random()) / self.count * self.ends[-1]
        index = bisect_right(self.ends, place)
        chrom = self.chroms[index]
        return chrom, int((place - (self.ends[index] - self.sizes[chrom])) * self.bin_size)


class Windows(TrainingData[Tensor]):
    """Training windows: fields ``(1, 1, bases)`` of codes, targets ``(1, tracks, bins)``.

    A draw centres a window on a place of its item, half the time the reverse complement. Its bins begin anywhere: their
    targets are the means of the chromosome's bins that they overlap, weighted by the overlap. Up to half a window hangs
    over the end of its chromosome: the network reads unknown bases there, as in prediction (see ``chromosomes``), and
    so learns to tell an end from the edge of a window.

    Args:
        codes: bases by chromosome.
        targets: ``(tracks, bins)`` by chromosome.
        centres: where they lie; None: spread evenly over the chromosomes.
        telling: what the network is told of each chromosome beside its bases; None: nothing.
    """

    def __init__(
        self,
        codes: Mapping[str, Bases],
        targets: Mapping[str, Values],
        windowing: Windowing,
        centres: Centres | None = None,
        telling: Telling | None = None,
    ) -> None:
        self.codes = {chrom: portable(bases) for chrom, bases in codes.items()}
        self.targets, self.windowing = dict(targets), windowing
        sizes = {chrom: self.targets[chrom].shape[1] for chrom in codes}
        self.telling = telling
        self.centres = centres or EvenCentres(sizes, windowing.bins, windowing.bin_size)

    def __len__(self) -> int:
        return len(self.centres)

    def draw(self, item: int, rng: np.random.Generator) -> Sample[Tensor]:
        w = self.windowing
        chrom, centre = self.centres.draw(item, rng)
        start = centre - w.bins * w.bin_size // 2
        codes, target = self.window(chrom, start)
        if rng.random() < 0.5:
            codes, target = reverse_complement(codes), swap_strands(target, w.strand_pair)
        elif not codes.flags.owndata:
            codes = codes.copy()  # a view of bases in memory
        if w.mutation_rate:
            mutate(codes, w.mutation_rate, rng)
        told = None if self.telling is None else self.telling.draw(chrom, rng)
        values = torch.from_numpy(np.ascontiguousarray(target))[None]
        return Sample(torch.from_numpy(codes).view(1, 1, -1), values, condition=told)

    def window(self, chrom: str, start: int) -> tuple[Codes, Values]:
        """Return codes ``(bases,)`` and targets ``(tracks, bins)`` from base ``start``, which may be negative."""
        w = self.windowing
        values = self.targets[chrom]
        stop, total = start + w.bins * w.bin_size, values.shape[1] * w.bin_size
        target = shift(values, start, w.bins, w.bin_size)
        if start > 0:
            target[:, : w.context] = np.nan
        if stop < total:
            target[:, w.bins - w.context :] = np.nan
        return cut(self.codes[chrom], start, stop), target


def shift(values: Values, start: int, bins: int, bin_size: int) -> Values:
    """Return values ``(tracks, bins)`` on bins that begin at base ``start``: means weighted by overlap.

    Args:
        values: ``(tracks, all bins)`` of a chromosome.
        bins: number to return.

    Returns:
        NaN where less than half of a bin overlaps what was measured, as in ``read_tracks``.
    """
    if not len(values):
        return np.empty((0, bins), dtype=np.float32)
    first, offset = divmod(start, bin_size)
    low, high = max(first, 0), min(first + bins + 1, values.shape[1])
    near = values[:, low : max(low, high)]
    if near.shape[1] <= bins:
        inside, near = near, np.full((len(values), bins + 1), np.nan, dtype=np.float32)
        near[:, low - first : low - first + inside.shape[1]] = inside
    share = np.float32(offset / bin_size)
    known = ~np.isnan(near)
    if known.all():
        even: Values = near[:, :-1] * (1 - share) + near[:, 1:] * share
        return even
    weights = known[:, :-1] * (1 - share) + known[:, 1:] * share
    filled = np.where(known, near, np.float32(0))
    sums = filled[:, :-1] * (1 - share) + filled[:, 1:] * share
    moved: Values = np.where(weights >= 0.5, sums / np.maximum(weights, 0.5), np.float32(np.nan))
    return moved


def mutate(codes: Codes, rate: float, rng: np.random.Generator) -> None:
    """Replace about this share of the bases by random ones, in place; unknown bases stay unknown."""
    count = rng.binomial(len(codes), rate)
    drawn = rng.bit_generator.random_raw(-(-count // 2)).view(np.uint32)[:count].astype(np.int64)
    drawn *= 4 * len(codes)
    drawn >>= 32  # a place and a base at once: a third of the time of drawing both
    places, bases = drawn >> 2, drawn.astype(np.uint8) & np.uint8(3)  # of one type with the codes: none is converted
    if codes.max() == UNKNOWN:
        known = codes[places] < UNKNOWN
        places, bases = places[known], bases[known]
    codes[places] = bases


def swap_strands(values: Values, strand_pair: Sequence[int]) -> Values:
    """Return values ``(tracks, bins)`` as on the other strand: reversed, with strand pairs swapped."""
    turned = values[:, ::-1]
    return turned if tuple(strand_pair) == tuple(range(len(values))) else turned[list(strand_pair)]
