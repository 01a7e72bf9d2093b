"""Scores of objects: found or missed, one by one."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from multiunet.metrics.values import ArrayLike, as_classes, mean_of_defined, quotient, same_shape

THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)


class InstanceScores(TypedDict):
    """Scores over all items together; None where one is not defined.

    Attributes:
        ap_50, ap_70, ap_90: average precision ``TP / (TP + FP + FN)`` at these overlaps, the counts summed over all
            items (Caicedo et al. 2019, 2018 Data Science Bowl; Schmidt et al. 2018, StarDist). A predicted object is a
            TP when its IoU with a true one exceeds the threshold.
        ap_mean: mean over the thresholds 0.5, 0.55, ..., 0.9.
        foreground_iou: of all objects together, over the sites of all items.
        count_error: sum over items of ``|predicted - true|`` objects, as a share of the true ones.
        objects, true_objects: how many there are.
    """

    ap_50: float | None
    ap_70: float | None
    ap_90: float | None
    ap_mean: float | None
    foreground_iou: float | None
    count_error: float | None
    objects: int
    true_objects: int


class InstanceMatcher:
    """Counts how many objects are found at each overlap, item by item.

    At an IoU above one half no object overlaps two others (two would share more sites than it has), so pairs need no
    assignment: counting them is the best matcher.

    >>> truth = np.array([1, 1, 1, 1, 0, 2, 2, 2])
    >>> matcher = InstanceMatcher()
    >>> matcher.update(np.array([5, 5, 5, 0, 0, 0, 9, 9]), truth)  # IoU 3 / 4 and 2 / 3
    >>> scores = matcher.scores()
    >>> scores["ap_50"], scores["ap_70"], scores["count_error"]
    (1.0, 0.3333333333333333, 0.0)
    """

    def __init__(self) -> None:
        self.hits = np.zeros(len(THRESHOLDS), dtype=np.int64)
        self.objects = self.true_objects = self.miscounted = 0
        self.common = self.either = 0

    def update(self, predicted: ArrayLike, truth: ArrayLike) -> None:
        """Add one item.

        Args:
            predicted, truth: one positive integer for each object, 0 outside; of equal shape. Sites whose truth is
                negative do not count.

        Raises:
            ValueError: when the shapes differ, or the numbers are not integers.
        """
        same_shape(predicted, truth)
        found, true = as_classes(predicted, "predicted objects"), as_classes(truth, "true objects")
        found, true = found[true >= 0], true[true >= 0]
        ious = overlaps(found, true)
        self.hits += np.array([np.count_nonzero(ious > threshold) for threshold in THRESHOLDS])
        counts = [len(np.unique(numbers[numbers > 0])) for numbers in (found, true)]
        self.objects += counts[0]
        self.true_objects += counts[1]
        self.miscounted += abs(counts[0] - counts[1])
        self.common += int(np.count_nonzero((found > 0) & (true > 0)))
        self.either += int(np.count_nonzero((found > 0) | (true > 0)))

    def add(self, other: InstanceMatcher) -> None:
        """Add all items of another."""
        self.hits = self.hits + other.hits
        self.objects += other.objects
        self.true_objects += other.true_objects
        self.miscounted += other.miscounted
        self.common += other.common
        self.either += other.either

    def scores(self) -> InstanceScores:
        """Return the scores of all items added so far."""
        both = self.objects + self.true_objects  # TP + FP + TP + FN
        precisions = {t: quotient(hits, both - hits) for t, hits in zip(THRESHOLDS, self.hits.tolist())}
        return InstanceScores(
            ap_50=precisions[0.5],
            ap_70=precisions[0.7],
            ap_90=precisions[0.9],
            ap_mean=mean_of_defined(precisions.values()),
            foreground_iou=quotient(self.common, self.either),
            count_error=quotient(self.miscounted, self.true_objects),
            objects=self.objects,
            true_objects=self.true_objects,
        )


def overlaps(predicted: NDArray[np.integer], truth: NDArray[np.integer]) -> NDArray[np.float64]:
    """Compute the IoU of each predicted object with each true object that it meets.

    Args:
        predicted, truth: numbered objects of one shape ``space``, 0 or less outside.

    Returns:
        ``(pairs,)``, in no order.
    """
    found, found_index, found_sizes = np.unique(predicted, return_inverse=True, return_counts=True)
    true, true_index, true_sizes = np.unique(truth, return_inverse=True, return_counts=True)
    pair, common = np.unique(found_index.astype(np.int64) * len(true) + true_index, return_counts=True)
    a, b = np.divmod(pair, len(true)) if len(true) else (pair, pair)
    objects = (found[a] > 0) & (true[b] > 0)
    ious: NDArray[np.float64] = (common / (found_sizes[a] + true_sizes[b] - common))[objects]
    return ious
