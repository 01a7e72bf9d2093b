"""Accumulating scores of predictions: the part of a task that says how good they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from multiunet.tasks.curves import Curves
from multiunet.uncertainty import Calibration, ClassCalibration, Moments
from multiunet.uncertainty.conformal import SetMethod

Scores = dict[str, Any]
"""Scores by name, plain JSON: numbers, None where undefined, lists by class, one dictionary for each quantity."""


class Score(ABC):
    """Score of one item that grows piece by piece, and of several items once their scores are merged.

    Attributes:
        monitor: name of the score that chooses the best epoch; higher is better.
    """

    monitor: ClassVar[str]

    @abstractmethod
    def add(self, predicted: Tensor, target: Tensor, moments: Moments[Tensor] | None = None) -> None:
        """Add one piece of this item.

        Args:
            predicted: predictive mean, ``(N, names, *space)`` or ``(rows, names)``.
            target: as the task's loss takes it.
            moments: of the same shape, of a method that states its uncertainty; of others uncertainty is not scored.
        """

    def add_sets(self, moments: Moments[Tensor], target: Tensor, scores: Mapping[SetMethod, Tensor]) -> None:
        """Add sets of classes by methods that look beyond a site; by default they are not judged.

        Args:
            moments, target: see ``add``.
            scores: by method the score of each class, of the shape of the moments.
        """
        return

    @abstractmethod
    def merge(self, other: Self) -> None:
        """Add the items of another score of the same task."""

    @abstractmethod
    def result(self) -> Scores:
        """Return the scores over all pieces and items added so far."""

    def curves(self) -> Sequence[Curves]:
        """Return curves of the uncertainty of all pieces and items added so far; none where none is stated."""
        return ()


def decide_classes(mean: Tensor, names: Sequence[str], calibration: Calibration | None = None) -> Tensor:
    """Return the class of each site, ``(N, *space)``: the likeliest, or one that passes its threshold.

    Args:
        mean: probabilities, ``(N, names, *space)``.
        names: of the classes.
        calibration: may have thresholds of rare classes; None: it has none.
    """
    if not isinstance(calibration, ClassCalibration) or not calibration.thresholds:
        return first_largest(mean)
    thresholds = mean.new_tensor([calibration.thresholds.get(name, 1.0) for name in names])
    return first_largest(mean / thresholds.reshape(1, -1, *[1] * (mean.ndim - 2)))


def label_cuts(names: Sequence[str], calibration: Calibration | None = None) -> list[float]:
    """Return the probability above which each independent label is said to be there.

    It is 1/2, or as its threshold says.

    Args:
        names: of the labels.
        calibration: may have thresholds of their odds; None: it has none.
    """
    known = calibration.thresholds if isinstance(calibration, ClassCalibration) else {}
    return [odds / (1 + odds) for odds in (known.get(name, 1.0) for name in names)]


def decide_labels(mean: Tensor, names: Sequence[str], calibration: Calibration | None = None) -> Tensor:
    """Return 1 where a site has an independent label, else 0, of the shape of the probabilities.

    Args:
        mean: probabilities, ``(N, names, *space)`` or ``(rows, names)``.
        names, calibration: see ``label_cuts``.
    """
    cuts = mean.new_tensor(label_cuts(names, calibration))
    return (mean > cuts.reshape(1, -1, *[1] * (mean.ndim - 2))).to(torch.int64)


def first_largest(mean: Tensor) -> Tensor:
    """Return the first channel of the largest value, ``(N, *space)``; faster than ``argmax`` on a CPU."""
    chosen, most = torch.zeros_like(mean[:, 0], dtype=torch.int64), mean[:, 0]
    for channel in range(1, mean.shape[1]):
        more = mean[:, channel] > most
        chosen, most = chosen.masked_fill(more, channel), torch.maximum(most, mean[:, channel])
    return chosen
