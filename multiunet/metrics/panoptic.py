"""Scores of objects that have classes: found or missed, and of the right class."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike as NumbersLike
from numpy.typing import NDArray

from multiunet.metrics.instances import counted_sites, overlaps
from multiunet.metrics.values import ArrayLike, mean_of_defined, quotient

FOUND = 0.5
"""IoU above which an object counts as found: no object overlaps two others so far."""


class PanopticScores(TypedDict):
    """Scores over all items together; None where one is not defined, lists by class.

    An object is found where its IoU with a predicted one exceeds 0.5. Of the objects of a class, TP are found and
    predicted as this class.

    Attributes:
        pq: panoptic quality of all objects, whatever their class: the sum of the IoUs of found ones over ``TP + FP / 2
            + FN / 2`` (Kirillov et al. 2019, "Panoptic Segmentation", eq. 1).
        mean_pq: mean of ``pq_per_class``.
        pq_per_class: panoptic quality of the objects of each class, all items pooled (Graham et al. 2024, "CoNIC
            Challenge").
        detection_f1_per_class: ``2 TP / (2 TP + 2 FPc + 2 FNc + FPd + FNd)``, where FPc and FNc were found and given
            the wrong class, FPd and FNd are false or missed (Graham et al. 2019, "HoVer-Net", sec. IV-B, with pairs by
            overlap in place of distance).
        recall_per_class, precision_per_class: TP as a share of the true, and of the predicted objects of each class.
        class_accuracy: share of the found objects whose class is right.
        commonest_class: share of the found objects that are of the commonest class: the accuracy of one who always
            names it.
    """

    pq: float | None
    mean_pq: float | None
    pq_per_class: list[float | None]
    detection_f1_per_class: list[float | None]
    recall_per_class: list[float | None]
    precision_per_class: list[float | None]
    class_accuracy: float | None
    commonest_class: float | None


class PanopticMatcher:
    """Counts which objects are found, and as which class, item by item.

    >>> truth = np.array([1, 1, 1, 1, 0, 2, 2, 2])
    >>> matcher = PanopticMatcher(2)
    >>> matcher.update(np.array([5, 5, 5, 0, 0, 9, 9, 9]), truth, [-1, -1, -1, -1, -1, 0, -1, -1, -1, 0], [-1, 0, 1])
    >>> matcher.scores()["pq_per_class"], matcher.scores()["class_accuracy"]
    ([0.5, 0.0], 0.5)

    Attributes:
        confusion: found objects of true class (rows) by predicted class, ``(classes, classes)``.
        false, missed: predicted objects, and true ones, by class, that belong to no other.
    """

    def __init__(self, classes: int) -> None:
        self.confusion = np.zeros((classes, classes), dtype=np.int64)
        self.false, self.missed = np.zeros(classes, dtype=np.int64), np.zeros(classes, dtype=np.int64)
        self.iou = np.zeros(classes)
        self.all_iou, self.found, self.unmatched = 0.0, 0, 0

    def update(
        self, predicted: ArrayLike, truth: ArrayLike, predicted_classes: NumbersLike, true_classes: NumbersLike
    ) -> None:
        """Add one item.

        Args:
            predicted, truth: one positive integer for each object, 0 outside; of equal shape. Sites whose truth is
                negative do not count.
            predicted_classes, true_classes: class of each object, at the place of its number. A true object of class -1
                counts only in ``pq``, and what was predicted of it nowhere else.

        Raises:
            ValueError: when the shapes differ, or the numbers are not integers.
        """
        found, true, _ = counted_sites(predicted, truth)
        of_found, of_true = np.asarray(predicted_classes), np.asarray(true_classes)
        pairs = overlaps(found, true)
        hits = pairs.iou > FOUND
        a, b, iou = pairs.predicted[hits], pairs.true[hits], pairs.iou[hits]
        false, missed = np.setdiff1d(found[found > 0], a), np.setdiff1d(true[true > 0], b)
        self.found += len(a)
        self.all_iou += float(iou.sum())
        self.unmatched += len(false) + len(missed)
        told = of_true[b] >= 0
        rows, columns = of_true[b][told], of_found[a][told]
        np.add.at(self.confusion, (rows, columns), 1)
        right = rows == columns
        np.add.at(self.iou, rows[right], iou[told][right])
        self.false += np.bincount(of_found[false], minlength=len(self.false))
        self.missed += np.bincount(of_true[missed][of_true[missed] >= 0], minlength=len(self.missed))

    def add(self, other: PanopticMatcher) -> None:
        """Add all items of another."""
        for name in ("confusion", "false", "missed", "iou", "all_iou", "found", "unmatched"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def scores(self) -> PanopticScores:
        """Return the scores of all items added so far."""
        hits, total = np.diagonal(self.confusion), self.confusion.sum()
        as_other, for_other = self.confusion.sum(axis=1) - hits, self.confusion.sum(axis=0) - hits
        true, predicted = hits + as_other + self.missed, hits + for_other + self.false
        qualities = _quotients(self.iou, (true + predicted) / 2)
        return PanopticScores(
            pq=quotient(self.all_iou, self.found + self.unmatched / 2),
            mean_pq=mean_of_defined(qualities),
            pq_per_class=qualities,
            detection_f1_per_class=_quotients(2 * hits, 2 * (hits + as_other + for_other) + self.missed + self.false),
            recall_per_class=_quotients(hits, true),
            precision_per_class=_quotients(hits, predicted),
            class_accuracy=quotient(int(hits.sum()), int(total)),
            commonest_class=quotient(int(self.confusion.sum(axis=1).max()), int(total)),
        )


def _quotients(above: NDArray[np.generic], below: NDArray[np.generic]) -> list[float | None]:
    return [quotient(a, b) for a, b in zip(above.tolist(), below.tolist())]
