"""Ranking: how well a stated number puts sites in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiunet.metrics.values import ArrayLike, as_array, quotient, same_shape

Values = NDArray[np.float64]

EXACT = 1 << 20
"""Sites up to which a ranking is exact; of more, close values are ties, so that memory stays bounded."""

DROPPED = 12
"""Binary digits of 24 that values of more sites lose, so that ties differ by less than 1 part in 2,048."""

KEYS = 1 << (31 - DROPPED)
"""How many rounded values there are: those of all float32 numbers of 0 or more."""


def roc_auc(score: ArrayLike, positive: ArrayLike) -> float | None:
    """Return the area under the ROC curve, in [0, 1]; None without positives or without negatives.

    The chance that a positive scores higher than a negative, ties counting half (Hanley & McNeil 1982).

    Args:
        score: higher for likelier positives, ``(N,)``.
        positive: true or false, ``(N,)``.

    Raises:
        ValueError: when the shapes differ or a score is not finite.

    >>> roc_auc(np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True]))
    0.875
    """
    from scipy.stats import rankdata  # costs most of a second

    same_shape(score, positive)
    values, truth = as_array(score).astype(np.float64).ravel(), as_array(positive).astype(bool).ravel()
    _check_finite(values)
    positives, negatives = int(truth.sum()), int((~truth).sum())
    above = float(rankdata(values)[truth].sum()) - positives * (positives + 1) / 2
    return quotient(above, positives * negatives)


@dataclass(frozen=True)
class Ranked:
    """Sites in the order of their values, those of equal value together.

    Attributes:
        values: each value once, ascending, ``(n,)``.
        sites: how many sites have it, ``(n,)``.
        losses: the sum of their losses, one row a kind of loss, ``(kinds, n)``.
    """

    values: Values
    sites: NDArray[np.int64]
    losses: Values

    def roc_auc(self, kind: int = 0) -> float | None:
        """Return the area under the ROC curve of a loss of 0 or 1 by the values; see ``roc_auc``.

        Of rounded values it is off by at most ``tied_pairs() / 2``.
        """
        ones = self.losses[kind]
        zeros = self.sites - ones
        below = np.cumsum(zeros) - zeros / 2
        return quotient(float(ones @ below), float(ones.sum() * zeros.sum()))

    def average_precision(self, kind: int = 0) -> float | None:
        """Return the average precision of a loss of 0 or 1 by the values.

        It is the area under the curve of precision over recall, in steps: the mean over the ones of the precision among
        all sites of their value or a higher one; None without ones.
        """
        ones, sites = (np.cumsum(part[::-1]) for part in (self.losses[kind], self.sites))
        if not len(ones):
            return None
        return quotient(float((self.losses[kind][::-1] * ones / sites).sum()), float(ones[-1]))

    def tied_pairs(self, kind: int = 0) -> float | None:
        """Return the share of the pairs of a site of loss 1 and one of loss 0 that have the same value."""
        ones = self.losses[kind]
        zeros = self.sites - ones
        return quotient(float(ones @ zeros), float(ones.sum() * zeros.sum()))


class Ranking:
    """Losses of sites by a value that each states, piece by piece, as one would sort them by it.

    Exact up to ``exact`` sites. Of more, values are rounded down to ``24 - DROPPED`` binary digits, in which those of
    equal digits are ties: about 10 MB, however many sites there are.

    Args:
        kinds: how many losses each site has.

    >>> ranking = Ranking()
    >>> ranking.add(np.array([0.1, 0.4, 0.4, 0.9]), [np.array([0, 0, 1, 1])])
    >>> ranking.sorted().roc_auc()
    0.875
    """

    def __init__(self, kinds: int = 1, exact: int = EXACT) -> None:
        self.kinds, self.exact = kinds, exact
        self._values: list[NDArray[np.float32]] = []
        self._losses: list[NDArray[np.float32]] = []
        self._held = 0
        self._table: NDArray[np.float64] | None = None  # (1 + kinds, KEYS): sites, and their losses

    def add(self, values: ArrayLike, losses: Sequence[ArrayLike]) -> None:
        """Add sites.

        Args:
            values: 0 or more, ``(sites,)``, kept as float32.
            losses: of each kind, ``(sites,)``.

        Raises:
            ValueError: when the shapes differ, or a value is negative or not finite.
        """
        if len(losses) != self.kinds:
            raise ValueError(f"{len(losses)} losses of each site, expected {self.kinds}")
        for loss in losses:
            same_shape(values, loss)
        flat = as_array(values).astype(np.float32, copy=False).ravel()
        _check_finite(flat)
        if flat.size and flat.min() < 0:
            raise ValueError(f"a value is {flat.min():g}: values are to be 0 or more")
        kept = [as_array(loss).astype(np.float32, copy=False).ravel() for loss in losses]
        self._take(flat + np.float32(0), np.stack(kept))  # -0 is 0

    def merge(self, other: Ranking) -> None:
        """Add the sites of another.

        Raises:
            ValueError: when the other has another number of losses.
        """
        if other.kinds != self.kinds:
            raise ValueError(f"a ranking of {other.kinds} losses cannot be added to one of {self.kinds}")
        for values, losses in zip(other._values, other._losses):
            self._take(values, losses)
        if other._table is not None:
            self._tabulate()
            assert self._table is not None
            self._table += other._table

    def sorted(self) -> Ranked:
        """Return all sites so far in the order of their values."""
        if self._table is not None:
            there = np.flatnonzero(self._table[0])
            rounded = (there << DROPPED).astype(np.uint32).view(np.float32).astype(np.float64)
            return Ranked(rounded, self._table[0, there].astype(np.int64), self._table[1:, there])
        if len(self._values) != 1:
            self._values = [np.concatenate([np.empty(0, np.float32), *self._values])]
            self._losses = [np.concatenate([np.empty((self.kinds, 0), np.float32), *self._losses], axis=1)]
        [values], [losses] = self._values, self._losses
        order = np.argsort(values)
        ascending = values[order]
        first = np.flatnonzero(np.diff(ascending, prepend=np.float32(-1)))
        sums = [np.add.reduceat(loss[order], first, dtype=np.float64) if len(first) else np.empty(0) for loss in losses]
        sites = np.diff(first, append=len(values)).astype(np.int64)
        return Ranked(ascending[first].astype(np.float64), sites, np.stack(sums))

    def _take(self, values: NDArray[np.float32], losses: NDArray[np.float32]) -> None:
        """Keep sites, or count them where there are too many to keep."""
        if self._table is None and self._held + values.size <= self.exact:
            self._values.append(values)
            self._losses.append(losses)
            self._held += values.size
            return
        self._tabulate()
        self._count(values, losses)

    def _tabulate(self) -> None:
        """Count the sites that were kept, and keep none any more."""
        if self._table is None:
            self._table = np.zeros((1 + self.kinds, KEYS))
            for values, losses in zip(self._values, self._losses):
                self._count(values, losses)
            self._values, self._losses, self._held = [], [], 0

    def _count(self, values: NDArray[np.float32], losses: NDArray[np.float32]) -> None:
        assert self._table is not None
        keys = (values.view(np.uint32) >> DROPPED).astype(
            np.int64
        )  # floats of 0 or more are in the order of their bits
        np.add.at(self._table[0], keys, 1.0)
        for row, loss in zip(self._table[1:], losses):
            np.add.at(row, keys, loss.astype(np.float64))


def _check_finite(values: NDArray[np.floating]) -> None:
    if not np.isfinite(values).all():
        raise ValueError(f"{np.count_nonzero(~np.isfinite(values))} of {values.size} scores are not finite")
