"""Intervals of sums over sites, learnt from the errors of the sums of held-out items."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

Floats = NDArray[np.float64]

FLOOR = 0.01
"""No item counts as surer, by site, than this share of the mean variance of the items that were fitted to."""

ONE_SIGMA = 0.6826894921370859
"""Share of normal values within one standard deviation."""


@dataclass(frozen=True)
class Totals:
    """Sums over the sites of items (images, graphs, regions), each ``(items, names)``, float64.

    Attributes:
        sites: how many sites were summed over.
        mean: sum of their predictive means: of a class the expected number of its sites.
        variance: sum of their predictive variances (epistemic + aleatoric).
    """

    sites: Floats
    mean: Floats
    variance: Floats

    def __getitem__(self, rows: Any) -> Totals:
        """Return the totals of some rows, chosen as of an array."""
        return Totals(self.sites[rows], self.mean[rows], self.variance[rows])

    def weighted(self, weights: Floats) -> Totals:
        """Return the totals of sites that count so much: in an item of large pixels, say, by their area."""
        return Totals(self.sites, self.mean * weights, self.variance * weights**2)

    @staticmethod
    def join(parts: Sequence[Totals]) -> Totals:
        """Return the rows of all parts."""
        return Totals(
            *(np.concatenate([getattr(part, key) for part in parts]) for key in ("sites", "mean", "variance"))
        )


@dataclass(frozen=True)
class SumInterval:
    """Interval of a sum in the units of the means, each ``(names,)``; NaN where none can be stated.

    Attributes:
        estimate: the sum of the means, less what held-out items showed to be the error common to all.
        deviation: half the width of the interval that holds the truth in 68 of 100 cases.
        low, high: the ends of the interval; they are not cut at 0, nor at the number of sites.
    """

    estimate: Floats
    deviation: Floats
    low: Floats
    high: Floats

    def cut(self, least: Floats | float, most: Floats | float = np.inf) -> SumInterval:
        """Return it with the estimate and both ends between the values that the sum can have."""
        estimate, low, high = (np.clip(part, least, most) for part in (self.estimate, self.low, self.high))
        return SumInterval(estimate, self.deviation, low, high)


class SumCalibration(ABC):
    """Error of sums over sites, learnt from items that training has not seen."""

    @abstractmethod
    def interval(self, totals: Totals, level: float = 0.9) -> SumInterval:
        """Return the interval of the sum over all rows together, to hold the truth with this probability."""

    @abstractmethod
    def each(self, totals: Totals, level: float = 0.9) -> SumInterval:
        """Return the interval of each row by itself, in arrays ``(items, names)``."""

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON, from which ``read_sums`` makes it again."""


@dataclass(frozen=True)
class ItemSums(SumCalibration):
    """Prediction interval of the sums of new items like the K held-out ones; see ``fit_items``.

    The error of a sum over n sites, whose stated variances add up to V, has two parts. One is the same in all items
    (the network is too high everywhere): ``bias`` times ``b = sqrt(n V)``. It is subtracted, and known to within
    ``bias_error``. The other is an item's own, with the deviation s times ``u = sqrt(V (1 + (n - 1) r))``, where r is
    the ``correlation`` of the errors of two of its sites. So a new sum lies in
    ``sum(mean) - bias b +- t sqrt(s^2 u^2 + bias_error^2 b^2)``, where t is the quantile of Student's distribution with
    K - 1 degrees of freedom. Of items of one size this is the prediction interval of a normal sample, with its
    ``s sqrt(1 + 1 / K)`` (Geisser 1993, "Predictive Inference", 2.1). Of several items, b is the sum of theirs, and
    ``u^2`` the sum of the squares.

    Attributes:
        items: K of each name; of items in groups, the number of these.
        correlation: r of each name, in [0, 1].
        bias, bias_error: of each name, in units of b.
        deviation: s of each name, in units of u; NaN where fewer than two items were known.
        variance: mean stated variance of a site, of each name; ``FLOOR`` of it is the least that counts.
    """

    items: tuple[int, ...]
    correlation: tuple[float, ...]
    bias: tuple[float, ...]
    bias_error: tuple[float, ...]
    deviation: tuple[float, ...]
    variance: tuple[float, ...]

    def interval(self, totals: Totals, level: float = 0.9) -> SumInterval:
        shared, own = self._scales(totals)
        return self._state(totals.mean.sum(axis=0), shared.sum(axis=0), own.sum(axis=0), level)

    def each(self, totals: Totals, level: float = 0.9) -> SumInterval:
        return self._state(totals.mean, *self._scales(totals), level)

    def _scales(self, totals: Totals) -> tuple[Floats, Floats]:
        """Return b and ``s^2 u^2`` of each row."""
        stated = _at_least(totals, np.array(self.variance))
        own = np.array(self.deviation) ** 2 * stated * design_effect(totals.sites, self.correlation)
        return np.sqrt(stated * totals.sites), own

    def _state(self, mean: Floats, shared: Floats, own: Floats, level: float) -> SumInterval:
        spread = np.sqrt(own + (np.array(self.bias_error) * shared) ** 2)
        freedom = np.array(self.items, dtype=float) - 1
        return student_interval(mean - np.array(self.bias) * shared, spread, freedom, level)

    def as_dict(self) -> dict[str, Any]:
        return {"of": "items", **{name: as_json(values) for name, values in asdict(self).items()}}


def fit_items(totals: Totals, true: Floats, groups: Sequence[str] | None = None) -> ItemSums:
    """Fit intervals of sums to held-out items.

    The bias is the mean of the errors in units of b. The correlation r is the one at which what is left has the stated
    size, or the end of [0, 1] that comes nearest; whatever factor remains is the deviation s.

    Args:
        totals: of the K items; an item of no known sites does not count.
        true: their true sums, ``(items, names)``.
        groups: group of each item (its specimen, say); items of one count as one, as though they all erred alike. None:
            each is a group of its own.
    """
    groups = [str(place) for place in range(len(true))] if groups is None else groups
    found = [_fit_name(totals[:, [k]], true[:, [k]], np.array(groups)) for k in range(true.shape[1])]
    return ItemSums(*zip(*found))


def _fit_name(totals: Totals, true: Floats, groups: NDArray[np.str_]) -> tuple[int, float, float, float, float, float]:
    known = (totals.sites > 0).all(axis=1)
    totals, errors = totals[known], (totals.mean - true)[known][:, 0]
    count, unknown = len(np.unique(groups[known])), float("nan")
    if count < 2:
        return count, 0.0, unknown, unknown, unknown, unknown
    variance = (totals.variance / totals.sites).mean(axis=0)
    stated, sites = _at_least(totals, variance)[:, 0], totals.sites[:, 0]
    if not stated.any():  # an error of what is said to be certain has no scale
        exact = unknown if errors.any() else 0.0
        return count, 0.0, exact, exact, exact, 0.0
    shared = np.sqrt(stated * sites)
    bias = float(np.mean(errors / shared))
    squares = (errors - bias * shared) ** 2 / stated * count / (count - 1)
    correlation = _correlation(squares, sites)
    effect = design_effect(sites, correlation)
    deviation = float(np.sqrt(np.mean(squares / effect)))
    bias_error = deviation * float(np.sqrt(np.mean(effect / sites) / count))
    return count, correlation, bias, bias_error, deviation, float(variance[0])


def count_totals(counts: Floats) -> Totals:
    """Return counts of objects as sums over them with the variance 1 each; at least of one.

    Args:
        counts: ``(items,)``, or of several kinds ``(items, kinds)``.
    """
    found = np.asarray(counts, dtype=float)
    found = found[:, None] if found.ndim == 1 else found
    least = np.maximum(found, 1)
    return Totals(least, found, least)


def design_effect(sites: Floats, correlation: ArrayLike) -> Floats:
    """Return by how much correlated errors raise the variance of a sum over sites.

    ``1 + (n - 1) r``: Kish 1965, "Survey Sampling", 5.4, of clusters with the intraclass correlation r.
    """
    effect: Floats = 1 + np.maximum(sites - 1, 0) * np.asarray(correlation)
    return effect


def _at_least(totals: Totals, variance: Floats) -> Floats:
    """Return the summed variances, or those of the surest items that are believed."""
    stated: Floats = np.maximum(totals.variance, FLOOR * variance * totals.sites)
    return stated


def _correlation(squares: Floats, sites: Floats) -> float:
    """Return the r in [0, 1] whose design effects explain squared errors over stated variances best, in the mean."""
    if (sites <= 1).all() or np.mean(squares) <= 1:  # of single sites there are no two
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(60):  # the mean falls with r
        middle = (low + high) / 2
        low, high = (middle, high) if np.mean(squares / design_effect(sites, middle)) > 1 else (low, middle)
    return high


def student_interval(centre: Floats, spread: Floats, freedom: Floats, level: float) -> SumInterval:
    """Return ``centre +- t spread`` of Student's t; NaN where no degrees of freedom are left.

    Raises:
        ValueError: for a level that is no share.
    """
    if not 0 < level < 1:
        raise ValueError(f"level {level}: a share between 0 and 1 is needed")

    def half(share: float) -> Floats:
        quantile: Floats = stdtrit(np.where(freedom > 0, freedom, np.nan), (1 + share) / 2)
        return quantile * spread

    width = half(level)
    return SumInterval(centre, half(ONE_SIGMA), centre - width, centre + width)


def as_json(values: Any) -> list[float | int | None]:
    """Return numbers as JSON has them: None for NaN."""
    return [None if value != value else value for value in values]
