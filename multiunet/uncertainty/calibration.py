"""Corrections of predictive moments, learnt on held-out data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from multiunet.uncertainty.moments import Moments

LEVELS = (0.5, 0.8, 0.9, 0.95)
"""Levels at which intervals and sets are calibrated."""

Labels = Literal["multiclass", "binary", "multilabel"]


class Calibration(ABC):
    """Correction of predictive moments, site by site, so that tiles of a prediction agree with the whole."""

    @abstractmethod
    def apply(self, moments: Moments[Tensor]) -> Moments[Tensor]:
        """Return the corrected moments, names on axis 1: ``(N, names, *space)`` or ``(rows, names)``.

        Epistemic and aleatoric variance are scaled by one factor, so that each keeps its share of the total.
        """


@dataclass(frozen=True)
class ClassCalibration(Calibration):
    """Temperature of class probabilities, and thresholds of sets of classes.

    Guo et al. 2017, "On Calibration of Modern Neural Networks", eq. 9. The temperature acts on the logarithm of the
    mean of all samples: ``softmax(log p / T)``; of independent labels, on the logit of each.

    Args:
        temperature: above 1 makes probabilities more cautious, below 1 surer.
        labels: kind of the task's labels.
        limits: by method of sets (``lac``, say) the largest score that a class of the set may have: for each of
            ``LEVELS`` one number, of independent labels one a label. Empty where the data do not tell.
        guaranteed: for each of ``LEVELS``, whether the limits hold however scores are distributed; False where there
            were too few groups, and they are estimates.
        thresholds: by name of a class, the share of the likeliest other class's probability from which on a site is
            decided for it; 1 of those that are not named. See ``fit_thresholds``, and of independent labels
            ``fit_label_thresholds``.
    """

    temperature: float
    labels: Labels = "multiclass"
    limits: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)
    guaranteed: Sequence[bool] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def apply(self, moments: Moments[Tensor]) -> Moments[Tensor]:
        if self.temperature == 1.0:
            return moments
        return with_probabilities(moments, tempered(moments.mean, self.temperature, self.labels))


@dataclass(frozen=True)
class QuantityCalibration(Calibration):
    """Factor of the variances of each quantity, and half widths of intervals.

    Laves et al. 2020, "Well-Calibrated Regression Uncertainty in Medical Imaging with Deep Learning", eq. 9.

    Args:
        factors: one a quantity.
        multipliers: for each of ``LEVELS`` half the width of an interval in calibrated standard deviations, one a
            quantity. Empty where the data do not tell.
        guaranteed: for each of ``LEVELS``, whether the multipliers hold however errors are distributed.
    """

    factors: Sequence[float]
    multipliers: Sequence[Sequence[float]] = ()
    guaranteed: Sequence[bool] = ()

    def apply(self, moments: Moments[Tensor]) -> Moments[Tensor]:
        like = moments.mean
        factors = torch.tensor(list(self.factors), dtype=like.dtype, device=like.device)
        factors = factors.reshape(1, -1, *[1] * (like.ndim - 2))
        return Moments(like, moments.epistemic * factors, moments.aleatoric * factors)


def tempered(probabilities: Tensor, temperature: float, labels: Labels = "multiclass") -> Tensor:
    """Return probabilities at a temperature, ``softmax(log p / temperature)`` over axis 1.

    Of independent labels ``sigmoid(logit p / temperature)``.

    Args:
        probabilities: ``(N, names, *space)`` or ``(rows, names)``.
    """
    least = torch.finfo(torch.float32).tiny
    logs = probabilities.clamp_min(least).log()
    if labels == "multilabel":
        return ((logs - (1 - probabilities).clamp_min(least).log()) / temperature).sigmoid()
    return (logs / temperature).softmax(dim=1)


def with_probabilities(moments: Moments[Tensor], probabilities: Tensor) -> Moments[Tensor]:
    """Return moments of these probabilities: total ``p (1 - p)``, of which epistemic keeps its share.

    Args:
        probabilities: of the shape of the moments.
    """
    total = probabilities * (1 - probabilities)
    before = moments.total
    share = torch.where(before > 0, moments.epistemic / before, torch.zeros_like(before)).clamp(0, 1)
    epistemic = total * share
    return Moments(probabilities, epistemic, total - epistemic)
