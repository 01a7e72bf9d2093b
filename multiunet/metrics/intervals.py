"""Intervals and sets that are to hold the truth: how often they do, and how large they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from multiunet.metrics.values import ArrayLike, as_array, as_classes, quotient, same_shape


def normal_half_width(level: float) -> float:
    """Return the half width, in standard deviations, of the central interval of a normal distribution.

    >>> round(normal_half_width(0.95), 3)
    1.96
    """
    from scipy.special import ndtri

    return float(ndtri((1 + level) / 2))


class IntervalCounts:
    """Counts how often intervals of a quantity hold the truth, and how wide they are, piece by piece.

    Args:
        levels: shares of the truth that intervals are to hold, 0.9 for example.

    >>> counts = IntervalCounts([0.9])
    >>> counts.update(np.array([0.5, 3.0]), np.array([1.0, 1.0]), {0.9: 2.0})
    >>> counts.scores()
    {'coverage_90': 0.5, 'interval_width_90': 4.0}
    """

    def __init__(self, levels: Sequence[float]) -> None:
        self.levels = tuple(levels)
        self._held, self._sites = np.zeros(len(self.levels), np.int64), np.zeros(len(self.levels), np.int64)
        self._widths = np.zeros(len(self.levels))

    def update(self, error: ArrayLike, deviation: ArrayLike, multipliers: Mapping[float, float]) -> None:
        """Add sites.

        Args:
            error: of the mean, ``(sites,)``, all known, in the quantity's unit.
            deviation: as stated, ``(sites,)``.
            multipliers: by level, half the interval's width in deviations; a level without one is left out. Ends belong
                to the interval.

        Raises:
            ValueError: when the shapes differ.
        """
        same_shape(error, deviation)
        off, stated = np.abs(as_array(error).astype(np.float64)), as_array(deviation).astype(np.float64)
        for place, level in enumerate(self.levels):
            if level in multipliers:
                self._held[place] += np.count_nonzero(off <= multipliers[level] * stated)
                self._widths[place] += 2 * multipliers[level] * float(stated.sum())
                self._sites[place] += off.size

    def add(self, other: IntervalCounts) -> None:
        """Add the sites of another.

        Raises:
            ValueError: when the other has other levels.
        """
        if other.levels != self.levels:
            raise ValueError(f"intervals of levels {other.levels} cannot be added to those of {self.levels}")
        self._held, self._sites = self._held + other._held, self._sites + other._sites
        self._widths = self._widths + other._widths

    def scores(self) -> dict[str, float | None]:
        """Return ``coverage_90`` and the mean ``interval_width_90``, and so on; None without sites."""
        shares: dict[str, float | None] = {}
        widths: dict[str, float | None] = {}
        for place, level in enumerate(self.levels):
            shares[name_of(level)] = quotient(self._held[place], self._sites[place])
            widths[f"interval_width_{round(100 * level)}"] = quotient(self._widths[place], self._sites[place])
        return shares | widths


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
