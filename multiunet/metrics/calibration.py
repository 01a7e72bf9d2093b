"""Calibration: stated probabilities and variances against what came true."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from multiunet.metrics.values import ArrayLike, as_array, as_classes, quotient, same_shape

BAND = 1.96
"""Standard deviations of a band that holds 95 of 100 normal values."""

LEAST = 1e-12
"""A probability below it counts as this: one site that was ruled out must not make a mean infinite."""


ROUNDING = 1e-5
"""How far means of probabilities in float32 may lie outside [0, 1]."""


class CalibrationScores(TypedDict):
    """None where no site counts.

    Attributes:
        calibration_error: mean over sites of ``|accuracy - confidence|`` of the site's bin, in [0, 1]. Guo et al. 2017,
            "On Calibration of Modern Neural Networks", eq. 3: the confidence is the largest probability, and bin m of M
            holds the confidences in ((m - 1) / M, m / M]. So the last one holds 1.0, which torchmetrics 1.9 puts in a
            bin of its own.
        nll: mean of ``-log p`` of the true class, nats.
        brier: mean of ``sum_k (p_k - [k is true])^2``, in [0, 2] (Brier 1950).
    """

    calibration_error: float | None
    nll: float | None
    brier: float | None


class Calibration:
    """Counts how often probabilities come true, piece by piece.

    Args:
        bins: M, of equal width.
        ignore_index: target of sites that do not count; None where all count.

    >>> calibration = Calibration()
    >>> calibration.update(np.array([[1.0, 0.0], [0.1, 0.9]]), np.array([0, 0]))
    >>> calibration.scores()["calibration_error"], round(calibration.scores()["brier"], 9)
    (0.45, 0.81)
    """

    def __init__(self, bins: int = 15, ignore_index: int | None = -1) -> None:
        if bins < 1:
            raise ValueError(f"bins {bins}: at least 1 is needed")
        self.bins, self.ignore_index = bins, ignore_index
        self._surplus, self._sites = np.zeros(bins), 0
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
        classes = probabilities.shape[-1]
        p = as_array(probabilities).astype(np.float64).reshape(-1, classes)
        truth = as_classes(target, "targets")
        if self.ignore_index is not None:
            p, truth = p[truth != self.ignore_index], truth[truth != self.ignore_index]
        if not truth.size:
            return
        if not ((p >= -ROUNDING) & (p <= 1 + ROUNDING)).all():
            span = f"from {p.min():g} to {p.max():g}"
            raise ValueError(f"probabilities {span} are not within [0, 1]: apply softmax first")
        p = p.clip(0, 1)
        outside = truth[(truth < 0) | (truth >= classes)]
        if outside.size:
            raise ValueError(f"target class {outside[0]} is outside the {classes} classes 0..{classes - 1}")
        confidence, of_truth = p.max(axis=1), np.take_along_axis(p, truth[:, None], axis=1)[:, 0]
        inner_edges = np.arange(1, self.bins) / self.bins
        bin_of_site = np.searchsorted(inner_edges, confidence, side="left")
        surplus = (p.argmax(axis=1) == truth) - confidence
        self._surplus += np.bincount(bin_of_site, weights=surplus, minlength=self.bins)
        self._sites += truth.size
        self._nll -= float(np.log(of_truth.clip(LEAST)).sum())
        self._brier += float(np.sum(p * p) + np.sum(1 - 2 * of_truth))

    def add(self, other: Calibration) -> None:
        """Adds the sites of another.

        Raises:
            ValueError: when the other has another number of bins.
        """
        if other.bins != self.bins:
            raise ValueError(f"counts in {other.bins} bins cannot be added to those in {self.bins}")
        self._surplus, self._sites = self._surplus + other._surplus, self._sites + other._sites
        self._nll, self._brier = self._nll + other._nll, self._brier + other._brier

    def scores(self) -> CalibrationScores:
        """Return the scores of all sites so far."""
        return CalibrationScores(
            calibration_error=quotient(np.abs(self._surplus).sum(), self._sites),
            nll=quotient(self._nll, self._sites),
            brier=quotient(self._brier, self._sites),
        )


def coverage(mean: ArrayLike, variance: ArrayLike, target: ArrayLike) -> float | None:
    """Return the share of known targets within ``mean +- 1.96 sqrt(variance)``; 0.95 of normal errors.

    Args:
        mean, variance, target: of equal shape; a target of NaN is not known.

    Raises:
        ValueError: when the shapes differ.
    """
    same_shape(mean, target)
    same_shape(variance, target)
    m, v, t = (as_array(values).astype(np.float64) for values in (mean, variance, target))
    known: NDArray[np.bool_] = ~np.isnan(t)
    within = np.abs(t - m)[known] <= BAND * np.sqrt(v[known])
    return quotient(float(within.sum()), within.size)
