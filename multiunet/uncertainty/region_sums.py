"""Intervals of sums over regions of any size, learnt from regions of held-out chromosomes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from multiunet.uncertainty.sums import Floats, SumCalibration, SumInterval, Totals, as_json, student_interval

FEWEST = 8
"""Regions of one size that are needed to fit it."""


@dataclass(frozen=True)
class RegionSums(SumCalibration):
    """Interval of sums over regions of any size along an axis; see ``fit_regions``.

    The sum over n sites with the stated variances ``v`` has the variance ``f(n) sum(v)``, where f is the design effect
    of held-out regions of n sites: 1 if their errors were independent and as stated, n if they were one and the same.
    Between the sizes that were fitted, f is interpolated (log f over log n); beyond the largest it stays.

    Attributes:
        sizes: sites of the regions that were fitted, ascending.
        effects: f by size and name.
        freedom: degrees of freedom of f, by size and name; NaN where there were no two groups.
        groups: chromosomes, K.
    """

    sizes: tuple[int, ...]
    effects: tuple[tuple[float, ...], ...]
    freedom: tuple[tuple[float, ...], ...]
    groups: int

    def interval(self, totals: Totals, level: float = 0.9) -> SumInterval:
        squares, freedom = self._scales(totals)
        spread = np.sqrt(squares.sum(axis=0))
        return student_interval(totals.mean.sum(axis=0), spread, freedom.min(axis=0), level)

    def each(self, totals: Totals, level: float = 0.9) -> SumInterval:
        squares, freedom = self._scales(totals)
        return student_interval(totals.mean, np.sqrt(squares), freedom, level)

    def _scales(self, totals: Totals) -> tuple[Floats, Floats]:
        """Return the variance of each row's sum, and its degrees of freedom."""
        names = range(totals.mean.shape[1])
        effect = np.exp(np.stack([self._at(totals.sites[:, k], np.log(self.effects)[:, k]) for k in names], axis=1))
        freedom = np.stack([self._at(totals.sites[:, k], np.array(self.freedom)[:, k]) for k in names], axis=1)
        return effect * totals.variance * (1 + 1 / self.groups), freedom

    def _at(self, sites: Floats, values: Floats) -> Floats:
        found: Floats = np.interp(np.log(np.maximum(sites, 1)), np.log(self.sizes), values)
        return found

    def as_dict(self) -> dict[str, Any]:
        rows = {name: [as_json(row) for row in getattr(self, name)] for name in ("effects", "freedom")}
        return {"of": "regions", "sizes": list(self.sizes), **rows, "groups": self.groups}


@dataclass(frozen=True)
class SiteErrors:
    """Errors (prediction - truth) and variances along a chromosome, ``(names, sites)``; NaN: unknown."""

    error: Floats
    variance: Floats


def fit_regions(groups: Sequence[SiteErrors]) -> RegionSums | None:
    """Fit intervals of sums over regions to held-out chromosomes; None where there are too few.

    Each chromosome is cut into regions of 1, 2, 4, ... sites. A region's ``(sum e)^2 / sum v`` has the design effect as
    its mean: first over the regions of a chromosome, then over the K chromosomes, which count alike. As the mean of K
    squares that scatter by ``c`` (relative deviation, ddof 1) the effect has ``2 K / c^2`` degrees of freedom
    (Satterthwaite 1946), but no fewer than K - 1 and fewer than there are regions.
    """
    sizes, effects, freedom = [], [], []
    for size in _sizes(groups):
        by_group = [_squares(group, size) for group in groups]
        if len(by_group) < 2 or sum(len(squares) for squares in by_group) < FEWEST:
            break
        found = [_fit_name([squares[:, k] for squares in by_group]) for k in range(len(groups[0].error))]
        if not all(np.isfinite(effect) and effect > 0 for effect, _ in found):
            break
        sizes.append(size)
        effects.append(tuple(effect for effect, _ in found))
        freedom.append(tuple(free for _, free in found))
    return RegionSums(tuple(sizes), tuple(effects), tuple(freedom), len(groups)) if sizes else None


def _sizes(groups: Sequence[SiteErrors]) -> Iterator[int]:
    size = 1
    while size <= max((group.error.shape[1] for group in groups), default=0):
        yield size
        size *= 2


def _squares(group: SiteErrors, size: int) -> Floats:
    """Return ``(sum e)^2 / sum v`` of each region of this size, ``(regions, names)``; NaN where half is unknown."""
    count = group.error.shape[1] // size
    error, variance = (
        values[:, : count * size].reshape(len(values), count, size) for values in (group.error, group.variance)
    )
    known = np.isfinite(error) & np.isfinite(variance)
    sums, stated = (np.where(known, values, 0.0).sum(axis=-1) for values in (error, variance))
    enough = (2 * known.sum(axis=-1) > size) & (stated > 0)
    squares: Floats = np.divide(sums**2, stated, out=np.full_like(sums, np.nan), where=enough)
    return squares.T


def _fit_name(by_group: Sequence[Floats]) -> tuple[float, float]:
    """Return the design effect of one name and its degrees of freedom."""
    kept = [own[np.isfinite(own)] for own in by_group]
    means = np.array([own.mean() for own in kept if len(own)])
    if len(means) < 2:
        return float("nan"), float("nan")
    effect, regions = float(means.mean()), sum(map(len, kept))
    scatter = float(means.var(ddof=1)) / effect**2 if effect else 0.0
    most = max(regions - 1, len(means) - 1)
    return effect, most if scatter == 0 else float(np.clip(2 * len(means) / scatter, len(means) - 1, most))
