"""Scores of tracks without the regions that hold most of their variance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch

from multiunet.domains.genome.extremes import Extreme, drop_extremes
from multiunet.domains.labelled import Piece
from multiunet.domains.side_score import SideScore
from multiunet.metrics import mean_of_defined
from multiunet.tasks import RegressionScore

SCORES = ("pearson_r", "spearman_r", "r2", "mse", "mae")


class WithoutExtremes(SideScore):
    """Scores ``NAME_without_extremes`` of all tracks, of bins outside of extreme regions.

    Args:
        names: of the tracks.
        extremes: of the scored data.
    """

    def __init__(self, names: Sequence[str], extremes: Sequence[Extreme], bin_size: int) -> None:
        self._names, self._extremes, self._bin_size = names, extremes, bin_size
        self._score, self._dropped = RegressionScore(names), False

    def add(self, piece: Piece) -> None:
        """Add a whole chromosome."""
        self._dropped |= any(extreme.chrom == piece.item for extreme in self._extremes)
        target = drop_extremes(self._extremes, str(piece.item), piece.target[0].numpy(), self._bin_size)
        self._score.add(piece.predicted, torch.from_numpy(target)[None])

    def merge(self, other: Self) -> None:
        self._score.merge(other._score)
        self._dropped |= other._dropped

    def result(self) -> dict[str, Any]:
        """Return the scores; none where no extreme region is on a scored chromosome."""
        if not self._dropped:
            return {}
        found = self._score.result()
        tracks = found.get("per_track", [found])
        scores: dict[str, Any] = {}
        for name in SCORES:
            values = [track[name] for track in tracks]
            if name not in ("mse", "mae") or len(values) == 1:  # errors of several tracks differ in unit
                scores[f"{name}_without_extremes"] = mean_of_defined(values)
        return scores
