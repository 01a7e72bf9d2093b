"""Windows of chromosomes to train on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.domains.genome.fasta import UNKNOWN, Codes, cut, one_hot, reverse_complement
from multiunet.training.data import Sample, TrainingData

Values = NDArray[np.float32]


@dataclass(frozen=True)
class Windowing:
    """How windows are cut and varied.

    Attributes:
        bin_size: bases a bin.
        bins: of a window.
        context: bins at each end of a window whose targets do not count, because the network does not see what lies
            beyond; they count where that is the end of the chromosome.
        mates: by track, the one that holds its signal on the other strand; itself where it has no strand.
        mutation: the share of bases replaced by a random one (Lee et al. 2023, "EvoAug").
    """

    bin_size: int
    bins: int
    context: int
    mates: tuple[int, ...]
    mutation: float = 0.0


class Windows(TrainingData[Tensor]):
    """Windows spread evenly over chromosomes: fields ``(1, 4, bases)``, targets ``(1, tracks, bins)``.

    Item i is the i-th stretch of the chromosomes laid end to end; a draw centres a window on a random bin of it, half
    the time the reverse complement. A window that would hang over the end of its chromosome is moved to lie flush with
    it, so that ends are met as often as other places and look as they do in prediction, where nothing follows either.
    Only chromosomes shorter than a window are filled up with unknown bases and targets.

    Args:
        codes: bases by chromosome.
        targets: ``(tracks, bins)`` by chromosome.
    """

    def __init__(self, codes: Mapping[str, Codes], targets: Mapping[str, Values], windowing: Windowing) -> None:
        self.codes, self.targets, self.windowing = dict(codes), dict(targets), windowing
        self.chroms = list(codes)
        self.ends = np.cumsum([self.targets[chrom].shape[1] for chrom in self.chroms])

    def __len__(self) -> int:
        return max(1, round(int(self.ends[-1]) / self.windowing.bins))

    def draw(self, item: int, rng: np.random.Generator) -> Sample[Tensor]:
        place = int((item + rng.random()) / len(self) * int(self.ends[-1]))
        index = int(np.searchsorted(self.ends, place, side="right"))
        chrom = self.chroms[index]
        total = self.targets[chrom].shape[1]
        spare = total - self.windowing.bins
        centre = place - (int(self.ends[index]) - total)
        start = int(np.clip(centre - self.windowing.bins // 2, min(0, spare), max(0, spare)))
        codes, target = self.window(chrom, start)
        if self.windowing.mutation:
            codes = mutated(codes, self.windowing.mutation, rng)
        if rng.random() < 0.5:
            codes, target = reverse_complement(codes), other_strand(target, self.windowing.mates)
        return Sample(torch.from_numpy(one_hot(codes))[None], torch.from_numpy(np.ascontiguousarray(target))[None])

    def window(self, chrom: str, start: int) -> tuple[Codes, Values]:
        """Codes ``(bases,)`` and targets ``(tracks, bins)`` from bin ``start`` on, which may be negative."""
        w = self.windowing
        values = self.targets[chrom]
        stop, total = start + w.bins, values.shape[1]
        codes = cut(self.codes[chrom], start * w.bin_size, stop * w.bin_size)
        target = np.full((len(values), w.bins), np.nan, dtype=np.float32)
        first = start + w.context if start > 0 else max(start, 0)
        last = stop - w.context if stop < total else min(stop, total)
        target[:, first - start : last - start] = values[:, first:last]
        return codes, target


def mutated(codes: Codes, share: float, rng: np.random.Generator) -> Codes:
    """The sequence with about this share of its bases replaced by random ones; unknown bases stay unknown."""
    places = rng.integers(0, len(codes), size=rng.binomial(len(codes), share))
    places = places[codes[places] < UNKNOWN]
    changed = codes.copy()
    changed[places] = rng.integers(0, 4, size=len(places), dtype=np.uint8)
    return changed


def other_strand(values: Values, mates: Sequence[int]) -> Values:
    """Values ``(tracks, bins)`` as the other strand's reader meets them."""
    return values[list(mates), ::-1]
