"""Judgement of the uncertainty of a quantity: are variances true, and do uncertain sites err more?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.metrics import (
    Ranked,
    Ranking,
    aurc,
    calibration_curve,
    ence,
    excess_aurc,
    gaussian_nll,
    miscalibration_area,
    normal_half_width,
    risk_coverage_curve,
    sparsify,
    spearman,
)
from multiunet.tasks.class_uncertainty import as_list
from multiunet.tasks.curves import Curves
from multiunet.tasks.score import Scores
from multiunet.uncertainty import LEVELS, Calibration, QuantityCalibration

WITHOUT_UNIT = (
    *("coverage_50", "coverage_80", "coverage_90", "coverage_95"),
    *("ence", "miscalibration_area", "error_spearman", "ause"),
)
"""Scores of which several quantities have a mean."""

Values = NDArray[Any]


def judge_quantity(mean: Values, target: Values, total: Values) -> Scores:
    """Return the scores of one quantity's stated variances.

    Args:
        mean, target, total: ``(sites,)``; a target of NaN is not known.

    ``error_spearman``: rank correlation of ``total`` and the absolute error. ``aurc``, ``excess_aurc``: by ``total``,
    of the mean absolute error, in the target's units. ``ause``: by ``total``, of the RMSE (Ilg et al. 2018).
    ``mean_total``, ``mean_error``: over sites; the latter is ``mae``.
    """
    error, variance = _known(mean, target, total)
    squared = error**2
    by_total = _rank(variance, error, squared)
    return {
        "nll": gaussian_nll(variance, squared),
        "ence": ence(variance, squared),
        "miscalibration_area": miscalibration_area(variance, squared),
        "error_spearman": spearman(variance, error) if error.size else None,
        "aurc": aurc(by_total),
        "excess_aurc": excess_aurc(by_total, _rank(error, error)),
        "ause": sparsify(by_total, _rank(squared, squared), kind=1, root=True).ause,
        "mean_total": float(variance.mean()) if variance.size else None,
        "mean_error": float(error.mean()) if error.size else None,
    }


def draw_quantity(name: str, mean: Values, target: Values, total: Values) -> Curves:
    """Return the curves of one quantity's stated variances; see ``judge_quantity``."""
    error, variance = _known(mean, target, total)
    squared = error**2
    expected, observed = calibration_curve(variance, squared)
    by_total, by_error = _rank(variance, error, squared), _rank(error, error)
    sparse = sparsify(by_total, _rank(squared, squared), kind=1, root=True)
    coverage, risk = risk_coverage_curve(by_total)
    return Curves(
        name,
        {"stated": as_list(expected), "observed": as_list(observed)},
        {"coverage": as_list(coverage), "total": as_list(risk), "best": as_list(risk_coverage_curve(by_error)[1])},
        {"removed": as_list(sparse.removed), "total": as_list(sparse.error), "best": as_list(sparse.best)},
    )


def half_widths(calibration: Calibration | None, quantity: int) -> dict[float, float]:
    """Return half the width of a quantity's intervals in stated deviations, by level.

    That of the calibration; without one that of a normal distribution.
    """
    if not isinstance(calibration, QuantityCalibration) or not calibration.multipliers:
        return {level: normal_half_width(level) for level in LEVELS}
    return {level: of_level[quantity] for level, of_level in zip(LEVELS, calibration.multipliers)}


def _known(mean: Values, target: Values, total: Values) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return absolute errors and variances of known sites."""
    known = ~np.isnan(target)
    return np.abs(mean[known].astype(np.float64) - target[known]), total[known].astype(np.float64)


def _rank(values: NDArray[np.float64], *losses: NDArray[np.float64]) -> Ranked:
    """Rank losses by values, exactly: all of them are in memory."""
    ranking = Ranking(len(losses), exact=values.size)
    ranking.add(values, losses)
    return ranking.sorted()
