"""Shares of classes and counts of objects in images, with intervals that cover."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from multiunet.prediction.totals import LEVEL
from multiunet.uncertainty.sums import SumCalibration, Totals, count_totals


@dataclass(frozen=True)
class Share:
    """Share of a class with its interval; all None where held-out images did not tell how wrong sums are."""

    estimate: float | None = None
    deviation: float | None = None
    low: float | None = None
    high: float | None = None

    def rest(self) -> Share:
        """Return the share of everything else."""
        if self.estimate is None or self.low is None or self.high is None:
            return self
        return Share(1 - self.estimate, self.deviation, 1 - self.high, 1 - self.low)


def state_shares(sums: Mapping[str, SumCalibration], totals: Totals, weights: Sequence[float]) -> list[Share]:
    """Return the share of each class in all images together, cut at 0 and 1.

    Args:
        sums: intervals of sums, of which those of ``sites`` count.
        totals: of the images.
        weights: area of a pixel in each image, in one unit.
    """
    if "sites" not in sums:
        return [Share()] * totals.mean.shape[1]
    weighted = totals.weighted(np.asarray(weights, dtype=float)[:, None])
    found, area = sums["sites"].interval(weighted, LEVEL), (totals.sites * np.asarray(weights)[:, None]).sum(axis=0)
    rows = zip(found.estimate / area, found.deviation / area, found.low / area, found.high / area)
    return [_as_share(*map(float, row)) for row in rows]


def state_count(
    sums: Mapping[str, SumCalibration], counts: Sequence[int], place: int = 0
) -> tuple[float | None, float | None]:
    """Return the ends of the interval of all objects together, cut at 0; None where there is none.

    Args:
        sums: intervals of sums, of which those of ``objects`` count.
        counts: objects found in each image, or those of a class.
        place: 0 of all objects, else of the class of this place, the first being 1.
    """
    known = sums.get("objects")
    if known is None or not counts:
        return None, None
    # a calibration states as many intervals as kinds of objects were counted: those of others it does not know
    found = known.interval(count_totals(np.array(counts)), LEVEL)
    if place >= len(found.low):
        return None, None
    ends = np.array([found.low[place], found.high[place]])
    low, high = np.maximum(ends, 0.0).tolist()
    return (low, high) if np.isfinite(ends).all() else (None, None)


def _as_share(estimate: float, deviation: float, low: float, high: float) -> Share:
    if not np.isfinite([estimate, deviation, low, high]).all():
        return Share()
    cut = [min(max(value, 0.0), 1.0) for value in (estimate, low, high)]
    return Share(cut[0], deviation, cut[1], cut[2])
