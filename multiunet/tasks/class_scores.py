"""Scores of classes: of maps, and of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import torch
from torch import Tensor

from multiunet.metrics import Confusion, classification_scores, roc_auc
from multiunet.tasks.class_uncertainty import ClassUncertainty
from multiunet.tasks.curves import Curves
from multiunet.tasks.score import Score, Scores, decide_classes, first_largest
from multiunet.uncertainty import Calibration, Moments
from multiunet.uncertainty.conformal import SetMethod


class SegmentationScore(Score):
    """Overlap and confusion of class maps, and what their uncertainty is worth.

    Args:
        names: of the classes.
        ignore_index: target of sites that do not count.
        calibration: of the predictions, whose sets are scored.
    """

    monitor = "mean_iou"

    def __init__(self, names: Sequence[str], ignore_index: int, calibration: Calibration | None = None) -> None:
        self.names, self.ignore_index, self.calibration = list(names), ignore_index, calibration
        self._one = Confusion(len(self.names), ignore_index)  # the pieces of this item
        self._items: list[Confusion] = []  # items of merged scores: some scores are means over items
        self._uncertainty = ClassUncertainty(ignore_index, calibration)

    def add(self, predicted: Tensor, target: Tensor, moments: Moments[Tensor] | None = None) -> None:
        self._one.update(decide_classes(predicted, self.names, self.calibration), target)
        if moments is not None:
            self._uncertainty.add(moments, target)

    def merge(self, other: Self) -> None:
        self._items += other._counted()
        self._uncertainty.merge(other._uncertainty)

    def _counted(self) -> list[Confusion]:
        return [*self._items, *([self._one] if self._one.items else [])]

    def result(self) -> Scores:
        """Return the scores, the confusion matrix (rows are true classes), and the classes' names."""
        whole = Confusion(len(self.names), self.ignore_index)
        for item in self._counted():
            whole.add(item)
        stated = self._uncertainty.scores()
        return {**whole.scores(), **stated, "confusion": whole.matrix.tolist(), "classes": self.names}

    def curves(self) -> Sequence[Curves]:
        return self._uncertainty.curves()


class ClassificationScore(Score):
    """Accuracy and F1 of classes of rows, ``(rows, names)``, and what their uncertainty is worth.

    Args:
        names, ignore_index, calibration: see ``SegmentationScore``.
    """

    monitor = "accuracy"

    def __init__(self, names: Sequence[str], ignore_index: int, calibration: Calibration | None = None) -> None:
        self.classes, self.ignore_index = len(names), ignore_index
        self._means: list[Tensor] = []
        self._targets: list[Tensor] = []
        self._uncertainty = ClassUncertainty(ignore_index, calibration)

    def add(self, predicted: Tensor, target: Tensor, moments: Moments[Tensor] | None = None) -> None:
        self._means.append(predicted)
        self._targets.append(target)
        if moments is not None:
            self._uncertainty.add(moments, target)

    def add_sets(self, moments: Moments[Tensor], target: Tensor, scores: Mapping[SetMethod, Tensor]) -> None:
        self._uncertainty.add_sets(moments, target, scores)

    def merge(self, other: Self) -> None:
        self._means += other._means
        self._targets += other._targets
        self._uncertainty.merge(other._uncertainty)

    def result(self) -> Scores:
        mean, target = torch.cat(self._means), torch.cat(self._targets)
        scores: Scores = dict(classification_scores(first_largest(mean), target, self.classes, self.ignore_index))
        if self.classes == 2:
            known = target != self.ignore_index
            scores["roc_auc"] = roc_auc(mean[known, 1], target[known] == 1)
        return scores | self._uncertainty.scores()

    def curves(self) -> Sequence[Curves]:
        return self._uncertainty.curves()
