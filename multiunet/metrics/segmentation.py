"""Scores of class maps, all from one confusion matrix for each item."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from multiunet.metrics.values import ArrayLike, as_classes, mean_of_defined, quotient, same_shape


class SegmentationScores(TypedDict):
    """Scores in [0, 1]; None where one is not defined. "There" is a class that truth or prediction has.

    Attributes:
        mean_iou: mean over the classes that are there of ``iou``.
        micro_iou: mean over items of ``sum TP / sum (TP + FP + FN)`` with the sums over classes.
        iou: ``TP / (TP + FP + FN)`` of each class over all items (Jaccard index).
        dice: mean over the classes that are there of ``dice_per_class``.
        dice_per_class: ``2 TP / (2 TP + FP + FN)`` of each class over all items (F1).
        precision: of the sites predicted as each class, those that are: ``TP / (TP + FP)``.
        recall: of the sites of each class, those predicted as it: ``TP / (TP + FN)``.
        pixel_accuracy: share of sites whose class is right.
    """

    mean_iou: float | None
    micro_iou: float | None
    iou: list[float | None]
    dice: float | None
    dice_per_class: list[float | None]
    precision: list[float | None]
    recall: list[float | None]
    pixel_accuracy: float | None


class Confusion:
    """Counts how often each true class was predicted as each class, item by item.

    Args:
        classes: how many, K >= 2.
        ignore_index: true class of sites that do not count; None where all count.

    Attributes:
        items: one ``(K, K)`` int64 matrix for each item; rows are the truth, columns the prediction.

    >>> confusion = Confusion(classes=2)
    >>> confusion.update(np.array([[0, 1], [1, 1]]), np.array([[0, 1], [0, -1]]))
    >>> confusion.matrix.tolist()
    [[1, 1], [0, 1]]
    >>> confusion.scores()["iou"]
    [0.5, 0.5]
    """

    def __init__(self, classes: int, ignore_index: int | None = -1) -> None:
        if classes < 2:
            raise ValueError(f"classes {classes}: at least 2 are needed; outside and inside are two")
        self.classes = classes
        self.ignore_index = ignore_index
        self.items: list[NDArray[np.int64]] = []

    def update(self, predicted_class: ArrayLike, target_class: ArrayLike) -> None:
        """Add one item: an image, a volume or a graph.

        Args:
            predicted_class, target_class: integers 0..K-1 of equal shape, whatever it is; not a batch, whose images
                would be scored as one.

        Raises:
            ValueError: when the shapes differ, or a class of a site that counts is not among the K.
        """
        same_shape(predicted_class, target_class)
        predicted = as_classes(predicted_class, "predicted classes")
        target = as_classes(target_class, "target classes")
        if self.ignore_index is not None:
            counts = target != self.ignore_index
            predicted, target = predicted[counts], target[counts]
        self._check("predicted", predicted)
        self._check("target", target)
        k = self.classes
        self.items.append(np.bincount(target * k + predicted, minlength=k * k).reshape(k, k))

    def add(self, other: Confusion) -> None:
        """Add all sites of another as one item: one that was counted piece by piece.

        Raises:
            ValueError: when the other has another number of classes.
        """
        if other.classes != self.classes:
            raise ValueError(f"counts of {other.classes} classes cannot be added to those of {self.classes}")
        self.items.append(other.matrix)

    def _check(self, name: str, values: NDArray[np.int64]) -> None:
        outside = values[(values < 0) | (values >= self.classes)]
        if outside.size:
            fix = "" if self.ignore_index is None else f"; sites to leave out have target {self.ignore_index}"
            raise ValueError(
                f"{name} class {outside[0]} is outside the {self.classes} classes 0..{self.classes - 1} "
                f"({outside.size} such sites){fix}"
            )

    @property
    def matrix(self) -> NDArray[np.int64]:
        """The sum over all items, ``(K, K)``."""
        return sum(self.items, np.zeros((self.classes, self.classes), dtype=np.int64))

    def scores(self) -> SegmentationScores:
        """Return the scores of all items added so far."""
        matrix = self.matrix
        hits = matrix.diagonal()
        there = matrix.sum(axis=0) + matrix.sum(axis=1)  # TP + FP + TP + FN
        iou = [quotient(hit, both - hit) for hit, both in zip(hits, there)]
        dice = [quotient(2 * hit, both) for hit, both in zip(hits, there)]
        return SegmentationScores(
            mean_iou=mean_of_defined(iou),
            micro_iou=mean_of_defined(quotient(m.trace(), 2 * m.sum() - m.trace()) for m in self.items),
            iou=iou,
            dice=mean_of_defined(dice),
            dice_per_class=dice,
            precision=[quotient(hit, found) for hit, found in zip(hits, matrix.sum(axis=0))],
            recall=[quotient(hit, true) for hit, true in zip(hits, matrix.sum(axis=1))],
            pixel_accuracy=quotient(hits.sum(), matrix.sum()),
        )
