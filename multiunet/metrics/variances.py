"""Stated variances against squared errors."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from multiunet.metrics.values import ArrayLike, as_array, mean_of_defined, same_shape

Values = NDArray[np.float64]

BINS = 10
"""Of equally many sites, by stated variance."""

LEVELS = 100
"""Steps of the expected coverage, from 0 to 1."""


def gaussian_nll(variance: ArrayLike, squared_error: ArrayLike) -> float | None:
    """Return the mean of ``-log`` of the normal density at the truth, nats.

    None without sites, or where a variance is 0.

    Args:
        variance, squared_error: ``(sites,)``, in the target's units squared.

    Raises:
        ValueError: when the shapes differ.
    """
    v, e = _both(variance, squared_error)
    if not v.size or v.min() <= 0:
        return None
    return float(np.mean(np.log(2 * math.pi * v) + e / v)) / 2


def ence(variance: ArrayLike, squared_error: ArrayLike, bins: int = BINS) -> float | None:
    """Return the expected normalised calibration error.

    None without sites, or where a bin states variance 0.

    The mean over bins of ``|RMV - RMSE| / RMV``, the roots of the mean variance and of the mean squared error of
    the bin's sites (Levi et al. 2022, "Evaluating and calibrating uncertainty prediction in regression tasks", eq. 8).

    Args:
        variance, squared_error: ``(sites,)``, in the target's units squared.
        bins: of equally many sites, in the order of their variances; no more than there are sites.

    Raises:
        ValueError: when the shapes differ.
    """
    v, e = _both(variance, squared_error)
    order = np.argsort(v, kind="stable")
    errors = []
    for part in np.array_split(order, min(bins, v.size) or 1):
        stated, found = v[part].sum(), e[part].sum()
        if stated <= 0:
            return None
        errors.append(abs(1 - math.sqrt(found / stated)))
    return mean_of_defined(errors)


def calibration_curve(variance: ArrayLike, squared_error: ArrayLike) -> tuple[Values, Values]:
    """Return how often central normal intervals hold the truth: expected shares, and observed ones.

    Expected are 0, 0.01, ..., 1.

    Kuleshov et al. 2018, "Accurate uncertainties for deep learning using calibrated regression", section 3.5.

    Args:
        variance, squared_error: ``(sites,)``, in the target's units squared.

    Raises:
        ValueError: when the shapes differ.
    """
    from scipy.special import erf

    v, e = _both(variance, squared_error)
    expected = np.linspace(0, 1, LEVELS + 1)
    if not v.size:
        return np.empty(0), np.empty(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = np.where(e > 0, erf(np.sqrt(e / v / 2)), 0.0)  # the share whose interval ends at the truth
    observed = np.searchsorted(np.sort(needed), expected, side="right") / v.size
    return expected, observed


def miscalibration_area(variance: ArrayLike, squared_error: ArrayLike) -> float | None:
    """Return the area between expected and observed coverage, in [0, 0.5]; None without sites.

    Tran et al. 2020, "Methods for comparing uncertainty quantifications for material property predictions".

    Raises:
        ValueError: when the shapes differ.
    """
    expected, observed = calibration_curve(variance, squared_error)
    return float(np.trapezoid(np.abs(observed - expected), expected)) if len(expected) else None


def _both(variance: ArrayLike, squared_error: ArrayLike) -> tuple[Values, Values]:
    same_shape(variance, squared_error)
    v, e = (as_array(values).astype(np.float64, copy=False).ravel() for values in (variance, squared_error))
    return v, e
