"""Scores of genomes beside those of all bins: without extreme regions, and of peaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from multiunet.domains.genome.config import GenomeTrain
from multiunet.domains.genome.extreme_scores import WithoutExtremes
from multiunet.domains.genome.extremes import find_extremes
from multiunet.domains.genome.info import GenomeInfo
from multiunet.domains.genome.peaks.negatives import match_negatives
from multiunet.domains.genome.peaks.scores import PeakScore
from multiunet.domains.genome.readers import Data
from multiunet.domains.genome.regions import read_regions
from multiunet.domains.genome.several.scores import ByGenome
from multiunet.domains.labelled import Labelled, Piece
from multiunet.domains.side_score import SideScore


class SideScores(SideScore):
    """Several scores as one."""

    def __init__(self, parts: Sequence[SideScore]) -> None:
        self._parts = parts

    def add(self, piece: Piece) -> None:
        for part in self._parts:
            part.add(piece)

    def merge(self, other: Self) -> None:
        for part, more in zip(self._parts, other._parts):
            part.merge(more)

    def result(self) -> Mapping[str, Any]:
        return {name: value for part in self._parts for name, value in part.result().items()}


def make_side_score(
    config: GenomeTrain, info: GenomeInfo, data: Labelled, read: Callable[[GenomeTrain], Data]
) -> SideScore | None:
    """Return what else is scored on these data; None for nothing.

    Extreme regions of other data than the run's are looked for in these. Peaks are those of the training, of a split of
    the run alone.

    Args:
        read: reads the data of the training.
    """
    if not info.regression:
        return None
    parts: list[SideScore] = [] if data.keys or not info.genomes else [ByGenome(info.quantities.names)]
    extremes = info.extremes
    if data.keys:  # other data
        targets = {chrom: target for chrom, (_, target) in data.items.items()}
        lengths = {chrom: len(codes) for chrom, (codes, _) in data.items.items()}
        extremes = find_extremes(targets, lengths, info.bin_size)
    elif config.peaks is not None:
        codes = {chrom: codes for chrom, (codes, _) in data.items.items()}
        places = match_negatives(codes, read_regions(config.peaks, read(config).genome), seed=0)
        parts.append(PeakScore(info.quantities.names, places, info.bin_size))
    parts.append(WithoutExtremes(info.quantities.names, extremes, info.bin_size))
    return SideScores(parts)
