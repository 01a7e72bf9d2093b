"""Intervals and sets that are to hold the truth: how often they do, and how large they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from multiunet.metrics.values import ArrayLike, as_array, as_classes, quotient, same_shape


def normal_half_width(level: float) -> float:
    """Return the half width, in standard deviations, of the central interval of a normal distribution.

    >>> round(normal_half_width(0.95), 3)
    1.96
    """
    from scipy.special import ndtri

    return float(ndtri((1 + level) / 2))


def coverage(mean: ArrayLike, half_width: ArrayLike, target: ArrayLike) -> float | None:
    """Return the share of known targets within ``mean +- half_width``; None where none is known.

    Ends belong to the interval.

    Args:
        mean, half_width, target: of equal shape; a target of NaN is not known.

    Raises:
        ValueError: when the shapes differ.
    """
    same_shape(mean, target)
    same_shape(half_width, target)
    m, h, t = (as_array(values).astype(np.float64) for values in (mean, half_width, target))
    known: NDArray[np.bool_] = ~np.isnan(t)
    within = np.abs(t - m)[known] <= h[known]
    return quotient(float(within.sum()), within.size)


def name_of(level: float) -> str:
    """Return the name of the score: ``coverage_90`` of 0.9."""
    return f"coverage_{round(100 * level)}"


class SetCounts:
    """Counts how often sets of classes hold the true one, and how many classes they have, piece by piece.

    Args:
        levels: shares of the truth that sets are to hold, 0.9 for example.
    """

    def __init__(self, levels: Sequence[float]) -> None:
        self.levels = tuple(levels)
        self._held = np.zeros(len(self.levels), dtype=np.int64)
        self._sizes = np.zeros(len(self.levels), dtype=np.int64)
        self._sites = np.zeros(len(self.levels), dtype=np.int64)

    def update(self, members: Mapping[float, ArrayLike], target: ArrayLike) -> None:
        """Add sites.

        Args:
            members: by level, whether each class is in the set, ``(..., K)`` bool; a level without sets is left out.
            target: the true classes, ``(...)``, all known.

        Raises:
            ValueError: when the shapes differ.
        """
        truth = as_classes(target, "targets")
        for place, level in enumerate(self.levels):
            if level not in members:
                continue
            sets = as_array(members[level])
            if sets.shape[:-1] != tuple(target.shape):
                raise ValueError(f"sets {sets.shape} and target {tuple(target.shape)} do not fit")
            flat = sets.reshape(-1, sets.shape[-1])
            self._held[place] += np.count_nonzero(np.take_along_axis(flat, truth[:, None], axis=1))
            self._sizes[place] += np.count_nonzero(flat)
            self._sites[place] += len(flat)

    def add(self, other: SetCounts) -> None:
        """Add the sites of another.

        Raises:
            ValueError: when the other has other levels.
        """
        if other.levels != self.levels:
            raise ValueError(f"sets of levels {other.levels} cannot be added to those of {self.levels}")
        self._held, self._sizes = self._held + other._held, self._sizes + other._sizes
        self._sites = self._sites + other._sites

    def scores(self) -> dict[str, float | None]:
        """Return ``coverage_90`` and ``set_size_90``, and so on, of those levels that have sets."""
        found: dict[str, float | None] = {}
        for place in np.flatnonzero(self._sites).tolist():
            found[name_of(self.levels[place])] = quotient(self._held[place], self._sites[place])
        for place in np.flatnonzero(self._sites).tolist():
            size = quotient(self._sizes[place], self._sites[place])
            found[f"set_size_{round(100 * self.levels[place])}"] = size
        return found
