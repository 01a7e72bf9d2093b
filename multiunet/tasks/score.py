"""Accumulating scores of predictions: the part of a task that says how good they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.metrics import (
    Confusion,
    Reliability,
    classification_scores,
    coverage,
    mean_of_defined,
    normal_half_width,
    regression_scores,
    roc_auc,
)
from multiunet.uncertainty import Moments

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

    @abstractmethod
    def merge(self, other: Self) -> None:
        """Add the items of another score of the same task."""

    @abstractmethod
    def result(self) -> Scores:
        """Return the scores over all pieces and items added so far."""


class SegmentationScore(Score):
    """Overlap, calibration and confusion of class maps.

    Args:
        names: of the classes.
        ignore_index: target of sites that do not count.
    """

    monitor = "mean_iou"

    def __init__(self, names: Sequence[str], ignore_index: int) -> None:
        self.names, self.ignore_index = list(names), ignore_index
        self._one = Confusion(len(self.names), ignore_index)  # the pieces of this item
        self._items: list[Confusion] = []  # items of merged scores: some scores are means over items
        self._reliability: Reliability | None = None

    def add(self, predicted: Tensor, target: Tensor, moments: Moments[Tensor] | None = None) -> None:
        self._one.update(first_largest(predicted), target)
        if moments is not None:
            self._reliability = self._reliability or Reliability(ignore_index=self.ignore_index)
            self._reliability.update(predicted.movedim(1, -1), target)

    def merge(self, other: Self) -> None:
        self._items += other._counted()
        if other._reliability is not None:
            self._reliability = self._reliability or Reliability(ignore_index=self.ignore_index)
            self._reliability.add(other._reliability)

    def _counted(self) -> list[Confusion]:
        return [*self._items, *([self._one] if self._one.items else [])]

    def result(self) -> Scores:
        """Return the scores, the confusion matrix (rows are true classes), and the classes' names."""
        whole = Confusion(len(self.names), self.ignore_index)
        for item in self._counted():
            whole.add(item)
        reliability = {} if self._reliability is None else dict(self._reliability.scores())
        return {**whole.scores(), **reliability, "confusion": whole.matrix.tolist(), "classes": self.names}


class ClassificationScore(Score):
    """Accuracy, F1, ranking and calibration of classes of nodes or graphs, ``(rows, names)``."""

    monitor = "accuracy"

    def __init__(self, names: Sequence[str], ignore_index: int) -> None:
        self.classes, self.ignore_index = len(names), ignore_index
        self._means: list[Tensor] = []
        self._targets: list[Tensor] = []
        self._stated = True

    def add(self, predicted: Tensor, target: Tensor, moments: Moments[Tensor] | None = None) -> None:
        self._means.append(predicted)
        self._targets.append(target)
        self._stated &= moments is not None

    def merge(self, other: Self) -> None:
        self._means += other._means
        self._targets += other._targets
        self._stated &= other._stated

    def result(self) -> Scores:
        mean, target = torch.cat(self._means), torch.cat(self._targets)
        scores: Scores = dict(classification_scores(first_largest(mean), target, self.classes, self.ignore_index))
        if self.classes == 2:
            known = target != self.ignore_index
            scores["roc_auc"] = roc_auc(mean[known, 1], target[known] == 1)
        if self._stated:
            reliability = Reliability(ignore_index=self.ignore_index)
            reliability.update(mean, target)
            scores |= reliability.scores()
        return scores


class RegressionScore(Score):
    """Correlation, errors and coverage of quantities, over all known sites of all items together.

    Args:
        names: of the quantities.
    """

    monitor = "r2"

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._parts: list[tuple[NDArray[np.float32], ...]] = []

    def add(self, predicted: Tensor, target: Tensor, moments: Moments[Tensor] | None = None) -> None:
        given = (predicted, target) if moments is None else (predicted, target, moments.total)
        flat = [values.movedim(1, 0).reshape(len(self.names), -1).cpu().numpy() for values in given]
        known = ~np.isnan(flat[1]).all(axis=0)
        self._parts.append(tuple(values[:, known] for values in flat))

    def merge(self, other: Self) -> None:
        self._parts += other._parts

    def result(self) -> Scores:
        """Return the scores of one quantity, or of several.

        Of several, ``per_track`` has the scores of each with its name as ``track``; beside it stand means over the
        quantities of those scores alone that have no unit.
        """
        joined = [np.concatenate(values, axis=1) for values in zip(*self._parts)]
        scores: Scores = dict(regression_scores(joined[0], joined[1]))
        covered = _coverage(*joined) if len(joined) > 2 else None
        if covered is not None:
            scores["coverage_95"] = mean_of_defined(covered)
        if (tracks := scores.pop("per_track", None)) is not None:
            extra = [{}] * len(tracks) if covered is None else [{"coverage_95": share} for share in covered]
            scores["per_track"] = [{"track": n, **t, **e} for n, t, e in zip(self.names, tracks, extra)]
        return scores

    def relative_error(self, scale: Sequence[float]) -> float:
        """Return the mean over quantities of ``mse / scale^2``; NaN where none is known."""
        scores = self.result()
        errors = [track["mse"] for track in scores.get("per_track", [scores])]
        known = [error / deviation**2 for error, deviation in zip(errors, scale) if error is not None]
        return float(np.mean(known)) if known else float("nan")


def _coverage(mean: NDArray[Any], target: NDArray[Any], variance: NDArray[Any]) -> list[float | None]:
    half = normal_half_width(0.95) * np.sqrt(variance)
    return [coverage(*track) for track in zip(mean, half, target)]


def first_largest(mean: Tensor) -> Tensor:
    """Return the first channel of the largest value, ``(N, *space)``; faster than ``argmax`` on a CPU."""
    chosen, most = torch.zeros_like(mean[:, 0], dtype=torch.int64), mean[:, 0]
    for channel in range(1, mean.shape[1]):
        more = mean[:, channel] > most
        chosen, most = chosen.masked_fill(more, channel), torch.maximum(most, mean[:, channel])
    return chosen
