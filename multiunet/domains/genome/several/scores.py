"""Scores of each genome by itself, where a run is on several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from multiunet.domains.genome.several.joining import genome_of
from multiunet.domains.labelled import Piece
from multiunet.domains.side_score import SideScore
from multiunet.metrics import mean_of_defined
from multiunet.tasks import RegressionScore


class ByGenome(SideScore):
    """Scores ``pearson_r_of_GENOME``, mean over tracks: differences between genomes do not count in them.

    Args:
        names: of the tracks.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._scores: dict[str, RegressionScore] = {}

    def add(self, piece: Piece) -> None:
        """Add a whole chromosome."""
        self._of(genome_of(str(piece.item))).add(piece.predicted, piece.target)

    def merge(self, other: Self) -> None:
        for genome, score in other._scores.items():
            self._of(genome).merge(score)

    def result(self) -> Mapping[str, Any]:
        return {f"pearson_r_of_{genome}": _pearson(score) for genome, score in sorted(self._scores.items())}

    def _of(self, genome: str) -> RegressionScore:
        return self._scores.setdefault(genome, RegressionScore(self._names))


def average_scores(found: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the mean of each score over genomes, those that are defined; of one genome its scores.

    So no difference between genomes counts as a success.
    """
    if len(found) == 1:
        return found[0]
    averaged: dict[str, Any] = {}
    for name, value in found[0].items():
        several = [scores[name] for scores in found]
        if name == "per_track":
            averaged[name] = [average_scores(tracks) for tracks in zip(*several)]
        elif isinstance(value, int | float | None):
            averaged[name] = mean_of_defined(several)
        else:
            averaged[name] = value
    return averaged


def _pearson(score: RegressionScore) -> float | None:
    found = score.result()
    return mean_of_defined(track["pearson_r"] for track in found.get("per_track", [found]))
