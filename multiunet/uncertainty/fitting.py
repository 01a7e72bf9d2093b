"""Fits of calibrations to held-out sites."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from multiunet.uncertainty.calibration import (
    LEVELS,
    Calibration,
    ClassCalibration,
    Labels,
    QuantityCalibration,
    tempered,
)
from multiunet.uncertainty.conformal import SetMethod, pick_true, quantiles, score_classes, score_lac, score_quantities
from multiunet.uncertainty.held_out import HeldOut

TEMPERATURES = (0.05, 20.0)
"""Range in which a temperature is sought."""

METHODS: tuple[SetMethod, ...] = ("lac", "aps")
"""Methods of sets that need nothing but the probabilities of a site."""


@dataclass(frozen=True)
class Limits:
    """Conformal limits of scores.

    Attributes:
        values: for each of ``LEVELS`` the limit of each column of scores.
        guaranteed: for each of ``LEVELS``, whether there were groups enough for a guarantee.
    """

    values: tuple[tuple[float, ...], ...]
    guaranteed: tuple[bool, ...]


def fit_classes(held_out: HeldOut, labels: Labels) -> ClassCalibration:
    """Fit the temperature that makes the truth likeliest, and the limits of sets.

    Limits are of calibrated probabilities; of independent labels, of each label over the sites that have it.

    Raises:
        ValueError: without sites.
    """
    temperature = fit_temperature(held_out.mean, held_out.target, labels)
    p = tempered(held_out.mean, temperature, labels)
    if labels == "multilabel":
        scores = {"lac": score_lac(p).where(held_out.target > 0, float("nan"))}
    else:
        scores = {name: pick_true(score_classes(name, p), held_out.target)[:, None] for name in METHODS}
    found = {name: limits for name, each in scores.items() if (limits := fit_limits(held_out, each)) is not None}
    guaranteed = next((limits.guaranteed for limits in found.values()), ())
    return ClassCalibration(temperature, labels, {name: limits.values for name, limits in found.items()}, guaranteed)


def fit_quantities(held_out: HeldOut) -> QuantityCalibration:
    """Fit the factor of each quantity's variances, and half widths in calibrated deviations.

    Raises:
        ValueError: without sites.
    """
    factors = fit_factors(held_out.mean, held_out.variance, held_out.target)
    variance = held_out.variance * torch.tensor(factors)
    limits = fit_limits(held_out, score_quantities(held_out.mean, variance, held_out.target))
    if limits is None:
        return QuantityCalibration(factors)
    return QuantityCalibration(factors, limits.values, limits.guaranteed)


def fit_limits(held_out: HeldOut, scores: Tensor) -> Limits | None:
    """Return conformal limits of scores over the groups, of each column by itself.

    Args:
        scores: ``(sites, columns)``; NaN does not count.

    Returns:
        None where there are too few groups, or a limit is infinite.
    """
    try:
        found = [quantiles(held_out.by_group(column), LEVELS) for column in scores.unbind(dim=1)]
    except ValueError:  # fewer than two groups
        return None
    values = tuple(tuple(column[level].value for column in found) for level in LEVELS)
    if not all(math.isfinite(value) for level in values for value in level):
        return None
    return Limits(values, tuple(all(column[level].guaranteed for column in found) for level in LEVELS))


def add_sets(calibration: Calibration, method: SetMethod, scores_by_group: Sequence[Tensor]) -> Calibration:
    """Return a calibration of classes with the limits of one more method of sets.

    Scores of fewer than two groups add none.

    Args:
        scores_by_group: of each group the scores of its sites' true classes, ``(sites,)``; NaN does not count.
    """
    assert isinstance(calibration, ClassCalibration), "quantities have no sets"
    try:
        found = quantiles(scores_by_group, LEVELS)
    except ValueError:  # fewer than two groups
        return calibration
    limits = [[found[level].value] for level in LEVELS]
    guaranteed = [found[level].guaranteed for level in LEVELS]
    return replace(calibration, limits={**calibration.limits, method: limits}, guaranteed=guaranteed)


def fit_temperature(probabilities: Tensor, target: Tensor, labels: Labels = "multiclass") -> float:
    """Return the temperature of least negative log likelihood (Guo et al. 2017, section 4.2).

    A share of ``1 / (sites + 2)`` of each target is spread evenly over the classes, as Platt (1999, section 2.2) does
    it: without it, predictions that are all right would ask for a temperature of 0.

    Args:
        probabilities: ``(sites, names)``.
        target: classes ``(sites,)``, or of independent labels yes or no ``(sites, names)``, NaN where not known.

    Raises:
        ValueError: without sites.
    """
    from scipy.optimize import minimize_scalar  # costs most of a second

    if not len(target):
        raise ValueError("no site to fit a temperature to")
    p = probabilities.double()
    if labels == "multilabel":  # of each label the chances of no and of yes
        known = ~target.isnan()
        p, target = torch.stack([1 - p[known], p[known]], dim=-1), (target[known] > 0).long()
    smoothing = 1 / (len(target) + 2)

    def loss(log_temperature: float) -> float:
        logs = tempered(p, math.exp(log_temperature)).clamp_min(torch.finfo(torch.float64).tiny).log()
        truth = logs.gather(1, target[:, None].long()).mean()
        return float(-(1 - smoothing) * truth - smoothing * logs.mean())

    bounds = tuple(math.log(value) for value in TEMPERATURES)
    return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-5}).x)


def fit_factors(mean: Tensor, variance: Tensor, target: Tensor) -> tuple[float, ...]:
    """Return the factor of each quantity's variance: the mean of ``(target - mean)^2 / variance``.

    It is the factor of greatest likelihood of normal errors (Laves et al. 2020, eq. 9). A quantity without a known
    target, or without errors, keeps the factor 1.

    Args:
        mean, variance, target: ``(sites, names)``; a target of NaN is not known.
    """
    ratios = (target.double() - mean.double()).square() / variance.double().clamp_min(1e-30)
    factors = ratios.nanmean(dim=0).tolist()
    return tuple(factor if math.isfinite(factor) and factor > 0 else 1.0 for factor in factors)
