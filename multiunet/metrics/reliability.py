"""Reliability of stated probabilities: what is said with p comes true in a share p of the cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from multiunet.metrics.values import ArrayLike, as_array, as_classes, mean_of_defined, quotient

LEAST = 1e-12
"""A probability below it counts as this: one site that was ruled out must not make a mean infinite."""


ROUNDING = 1e-5
"""How far means of probabilities in float32 may lie outside [0, 1]."""


class ReliabilityScores(TypedDict):
    """None where no site counts.

    Attributes:
        calibration_error: mean over sites of ``|accuracy - confidence|`` of the site's bin, in [0, 1]. Guo et al. 2017,
            "On Calibration of Modern Neural Networks", eq. 3: the confidence is the largest probability, and bin m of M
            holds the confidences in ((m - 1) / M, m / M]. So the last one holds 1.0, which torchmetrics 1.9 puts in a
            bin of its own.
        calibration_error_per_class: the same of each class, its probability and whether it is true in place of
            confidence and accuracy; bin 1 holds 0, too.
        classwise_calibration_error: their mean (Kull et al. 2019, "Beyond temperature scaling", section 2).
        worst_calibration_error: the largest of them.
        nll: mean of ``-log p`` of the true class, nats.
        brier: mean of ``sum_k (p_k - [k is true])^2``, in [0, 2] (Brier 1950).
    """

    calibration_error: float | None
    classwise_calibration_error: float | None
    worst_calibration_error: float | None
    calibration_error_per_class: list[float | None]
    nll: float | None
    brier: float | None


@dataclass(frozen=True)
class Bins:
    """Stated probabilities by bin, ``(bins,)`` each.

    Attributes:
        sites: how many are in the bin.
        stated: the sum of their probabilities.
        true: how many of them came true.
    """

    sites: NDArray[np.float64]
    stated: NDArray[np.float64]
    true: NDArray[np.float64]

    def __add__(self, other: Bins) -> Bins:
        return Bins(self.sites + other.sites, self.stated + other.stated, self.true + other.true)

    def error(self) -> float | None:
        """Return the mean over sites of the difference of both means of its bin."""
        return quotient(np.abs(self.true - self.stated).sum(), self.sites.sum())


class Reliability:
    """Counts how often probabilities come true, piece by piece.

    Args:
        bins: M, of equal width.
        ignore_index: target of sites that do not count; None where all count.

    >>> reliability = Reliability()
    >>> reliability.update(np.array([[1.0, 0.0], [0.1, 0.9]]), np.array([0, 0]))
    >>> reliability.scores()["calibration_error"], round(reliability.scores()["brier"], 9)
    (0.45, 0.81)
    """

    def __init__(self, bins: int = 15, ignore_index: int | None = -1) -> None:
        if bins < 1:
            raise ValueError(f"bins {bins}: at least 1 is needed")
        self.bins, self.ignore_index = bins, ignore_index
        self._largest = self._no_site()
        self._classes: list[Bins] = []
        self._nll = self._brier = 0.0

    def update(self, probabilities: ArrayLike, target: ArrayLike) -> None:
        """Adds sites.

        Args:
            probabilities: ``(..., K)``, each in [0, 1].
            target: integers 0..K-1, ``(...)``.

        Raises:
            ValueError: when the shapes do not fit, a probability is outside [0, 1], or a target outside the classes.
        """
        if probabilities.ndim == 0 or tuple(probabilities.shape[:-1]) != tuple(target.shape):
            shapes = f"probabilities {tuple(probabilities.shape)} and target {tuple(target.shape)}"
            raise ValueError(f"{shapes} do not fit: expected (..., K) and (...)")
        given, truth = as_array(probabilities), as_classes(target, "targets")
        given, classes = given.astype(np.result_type(given.dtype, np.float32), copy=False), given.shape[-1]
        columns: list[NDArray[Any]] = [
            given[..., k].ravel() for k in range(classes)
        ]  # class by class: several times as fast
        if self.ignore_index is not None and (truth == self.ignore_index).any():
            known = truth != self.ignore_index
            columns, truth = [column[known] for column in columns], truth[known]
        if not truth.size:
            return
        _check_probabilities(columns)
        outside = truth[(truth < 0) | (truth >= classes)]
        if outside.size:
            raise ValueError(f"target class {outside[0]} is outside the {classes} classes 0..{classes - 1}")
        self._count([column.clip(0, 1) for column in columns], truth)

    def _count(self, columns: list[NDArray[Any]], truth: NDArray[np.int64]) -> None:
        confidence, of_truth = columns[0].copy(), np.zeros(len(truth))
        chosen, squares, by_class = np.zeros(len(truth), dtype=np.int64), 0.0, []
        for k, p in enumerate(columns):
            true = truth == k
            by_class.append(self._bin(p, true))
            chosen[p > confidence] = k
            np.maximum(confidence, p, out=confidence)
            of_truth[true] = p[true]
            squares += float(np.sum(p * p, dtype=np.float64))
        self._largest += self._bin(confidence, chosen == truth)
        self._classes = by_class if not self._classes else [a + b for a, b in zip(self._classes, by_class)]
        self._nll -= float(np.log(of_truth.clip(LEAST)).sum())
        self._brier += squares + float(np.sum(1 - 2 * of_truth))

    def _bin(self, p: NDArray[Any], true: NDArray[np.bool_]) -> Bins:
        places = np.maximum(np.ceil(p * self.bins).astype(np.int64) - 1, 0)
        return Bins(
            np.bincount(places, minlength=self.bins).astype(np.float64),
            np.bincount(places, weights=p, minlength=self.bins).astype(np.float64),
            np.bincount(places[true], minlength=self.bins).astype(np.float64),
        )

    def _no_site(self) -> Bins:
        return Bins(np.zeros(self.bins), np.zeros(self.bins), np.zeros(self.bins))

    def add(self, other: Reliability) -> None:
        """Adds the sites of another.

        Raises:
            ValueError: when the other has another number of bins.
        """
        if other.bins != self.bins:
            raise ValueError(f"counts in {other.bins} bins cannot be added to those in {self.bins}")
        if other._classes:
            own = self._classes or [self._no_site() for _ in other._classes]
            self._classes = [a + b for a, b in zip(own, other._classes)]
        self._largest += other._largest
        self._nll, self._brier = self._nll + other._nll, self._brier + other._brier

    def scores(self) -> ReliabilityScores:
        """Return the scores of all sites so far."""
        sites = self._largest.sites.sum()
        of_classes = [bins.error() for bins in self._classes]
        return ReliabilityScores(
            calibration_error=self._largest.error(),
            classwise_calibration_error=mean_of_defined(of_classes),
            worst_calibration_error=max((error for error in of_classes if error is not None), default=None),
            calibration_error_per_class=of_classes,
            nll=quotient(self._nll, sites),
            brier=quotient(self._brier, sites),
        )

    def diagram(self) -> Bins:
        """Return the confidences of all sites so far by bin, and how many of them were right."""
        return self._largest


def _check_probabilities(columns: list[NDArray[Any]]) -> None:
    low, high = min(float(p.min()) for p in columns), max(float(p.max()) for p in columns)
    if not (low >= -ROUNDING and high <= 1 + ROUNDING):
        raise ValueError(f"probabilities from {low:g} to {high:g} are not within [0, 1]: apply softmax first")
