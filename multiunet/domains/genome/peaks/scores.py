"""Scores of peaks: are they higher than places without one, and have they their profiles and sums?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.genome.generation.spectrum import jensen_shannon
from multiunet.domains.genome.peaks.negatives import Places
from multiunet.domains.labelled import Piece
from multiunet.domains.side_score import SideScore
from multiunet.metrics import mean_of_defined
from multiunet.metrics.correlation import pearson

FEWEST_BINS = 4
"""Bins of a peak that have a profile."""

SCORES = ("peak_auprc", "peak_profile_jsd", "peak_log_count_pearson")


class PeakScore(SideScore):
    """Scores of the peaks of some chromosomes.

    ``peak_auprc``: area under the curve of precision over recall (average precision) of the predicted mean of peaks
    against GC-matched places without one; of a constant it is the share of peaks. ``peak_profile_jsd``: mean
    Jensen-Shannon distance, 0 to 1, of predicted and measured profile of a peak, each divided by its sum, of peaks of
    four known bins or more; of a constant it is that of an even profile. ``peak_log_count_pearson``: correlation of
    log(1 + sum) over the peaks. Values below 0 count as 0 in the last two.

    Args:
        names: of the tracks.
        places: on the scored chromosomes.
    """

    def __init__(self, names: Sequence[str], places: Places, bin_size: int) -> None:
        self._names, self._places, self._bin_size = names, places, bin_size
        self._levels: list[list[tuple[float, bool]]] = [[] for _ in names]
        self._distances: list[list[float]] = [[] for _ in names]
        self._sums: list[list[tuple[float, float]]] = [[] for _ in names]

    def add(self, piece: Piece) -> None:
        """Add a whole chromosome."""
        chrom = str(piece.item)
        predicted, target = (part[0].cpu().numpy().astype(np.float64) for part in (piece.predicted, piece.target))
        for there, places in ((True, self._places.peaks), (False, self._places.negatives)):
            for start, end in places.get(chrom, []):
                bins = slice(start // self._bin_size, max(start // self._bin_size + 1, -(-end // self._bin_size)))
                for track in range(len(self._names)):
                    self._add_place(track, predicted[track, bins], target[track, bins], there)

    def _add_place(self, track: int, predicted: NDArray[np.float64], target: NDArray[np.float64], there: bool) -> None:
        known = np.isfinite(predicted) & np.isfinite(target)
        if not known.any():
            return
        predicted, target = predicted[known], target[known]
        self._levels[track].append((float(predicted.mean()), there))
        if not there:
            return
        predicted, target = predicted.clip(min=0), target.clip(min=0)
        self._sums[track].append((float(predicted.sum()), float(target.sum())))
        if len(target) >= FEWEST_BINS and target.sum() > 0:
            shape = predicted if predicted.sum() > 0 else np.ones_like(predicted)
            self._distances[track].append(jensen_shannon(shape, target))

    def merge(self, other: Self) -> None:
        for own, more in (
            (self._levels, other._levels),
            (self._distances, other._distances),
            (self._sums, other._sums),
        ):
            for values, others in zip(own, more):
                values += others  # type: ignore[operator]

    def result(self) -> dict[str, Any]:
        """Return scores; of several tracks their means."""
        tracks = [self._of_track(track) for track in range(len(self._names))]
        scores: dict[str, Any] = {name: mean_of_defined(track[name] for track in tracks) for name in SCORES}
        peaks = sum(there for _, there in self._levels[0])
        return {"peaks": peaks, "negatives": len(self._levels[0]) - peaks} | scores

    def _of_track(self, track: int) -> dict[str, float | None]:
        predicted, target = np.log1p(np.array(self._sums[track], dtype=np.float64).reshape(-1, 2)).T
        distances = self._distances[track]
        values, there = np.array(self._levels[track], dtype=np.float64).reshape(-1, 2).T
        return {
            "peak_auprc": average_precision(values, there > 0),
            "peak_profile_jsd": float(np.mean(distances)) if distances else None,
            "peak_log_count_pearson": pearson(predicted, target) if len(predicted) > 1 else None,
        }


def average_precision(values: NDArray[np.float64], there: NDArray[np.bool_]) -> float | None:
    """Return the mean over the true ones of the precision among all of their value or a higher one.

    Equal values count together, so the order of the input does not matter. None where all, or none, are true.
    """
    if not there.any() or there.all():
        return None
    levels, place = np.unique(-values, return_inverse=True)
    ones = np.bincount(place, weights=there, minlength=len(levels))
    precision = ones.cumsum() / np.bincount(place, minlength=len(levels)).cumsum()
    return float((ones * precision).sum() / ones.sum())
