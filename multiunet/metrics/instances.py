"""Scores of objects: found or missed, one by one."""

from __future__ import annotations

from dataclasses import dataclass
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
        ranked_ap_50: area under the precision-recall curve at an IoU above 0.5, objects in the order of their
            confidence (see ``average_precision``); None where they have none.
        foreground_iou: of all objects together, over the sites of all items.
        count_error: sum over items of ``|predicted - true|`` objects, as a share of the true ones.
        objects, true_objects: how many there are.
    """

    ap_50: float | None
    ap_70: float | None
    ap_90: float | None
    ap_mean: float | None
    ranked_ap_50: float | None
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
        self.ranked: list[tuple[NDArray[np.float64], NDArray[np.bool_]]] | None = []

    def update(self, predicted: ArrayLike, truth: ArrayLike, confidence: ArrayLike | None = None) -> None:
        """Add one item.

        Args:
            predicted, truth: one positive integer for each object, 0 outside; of equal shape. Sites whose truth is
                negative do not count.
            confidence: that of each site's predicted object, of the same shape; None where objects have none.

        Raises:
            ValueError: when the shapes differ, or the numbers are not integers.
        """
        found, true, counted = counted_sites(predicted, truth)
        pairs = overlaps(found, true)
        self.hits += np.array([np.count_nonzero(pairs.iou > threshold) for threshold in THRESHOLDS])
        self._rank(found, pairs, None if confidence is None else np.asarray(confidence, np.float64).ravel()[counted])
        counts = [len(np.unique(numbers[numbers > 0])) for numbers in (found, true)]
        self.objects += counts[0]
        self.true_objects += counts[1]
        self.miscounted += abs(counts[0] - counts[1])
        self.common += int(np.count_nonzero((found > 0) & (true > 0)))
        self.either += int(np.count_nonzero((found > 0) | (true > 0)))

    def _rank(self, found: NDArray[np.integer], pairs: Overlaps, confidence: NDArray[np.float64] | None) -> None:
        if confidence is None or self.ranked is None:
            self.ranked = None
            return
        numbers, places = np.unique(found, return_index=True)
        hit = np.isin(numbers, pairs.predicted[pairs.iou > THRESHOLDS[0]])
        objects = numbers > 0
        self.ranked.append((confidence[places][objects], hit[objects]))

    def add(self, other: InstanceMatcher) -> None:
        """Add all items of another."""
        self.hits = self.hits + other.hits
        self.objects += other.objects
        self.true_objects += other.true_objects
        self.miscounted += other.miscounted
        self.common += other.common
        self.either += other.either
        self.ranked = None if self.ranked is None or other.ranked is None else [*self.ranked, *other.ranked]

    def scores(self) -> InstanceScores:
        """Return the scores of all items added so far."""
        both = self.objects + self.true_objects  # TP + FP + TP + FN
        precisions = {t: quotient(hits, both - hits) for t, hits in zip(THRESHOLDS, self.hits.tolist())}
        return InstanceScores(
            ap_50=precisions[0.5],
            ap_70=precisions[0.7],
            ap_90=precisions[0.9],
            ap_mean=mean_of_defined(precisions.values()),
            ranked_ap_50=self._ranked_precision(),
            foreground_iou=quotient(self.common, self.either),
            count_error=quotient(self.miscounted, self.true_objects),
            objects=self.objects,
            true_objects=self.true_objects,
        )

    def _ranked_precision(self) -> float | None:
        if not self.ranked:
            return None
        confidence, hits = (np.concatenate(parts) for parts in zip(*self.ranked))
        return average_precision(confidence, hits, self.true_objects)


@dataclass(frozen=True)
class Overlaps:
    """Pairs of objects that have sites in common, in no order; each ``(pairs,)``.

    Attributes:
        predicted, true: numbers of the two objects.
        iou: sites in common, as a share of those of either.
    """

    predicted: NDArray[np.integer]
    true: NDArray[np.integer]
    iou: NDArray[np.float64]


def counted_sites(
    predicted: ArrayLike, truth: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return predicted and true objects at the sites that count, ``(sites,)``, and which sites these are.

    Args:
        predicted, truth: see ``InstanceMatcher.update``.

    Raises:
        ValueError: when the shapes differ, or the numbers are not integers.
    """
    same_shape(predicted, truth)
    found, true = as_classes(predicted, "predicted objects"), as_classes(truth, "true objects")
    counted = true >= 0
    return found[counted], true[counted], counted


def overlaps(predicted: NDArray[np.integer], truth: NDArray[np.integer]) -> Overlaps:
    """Compute the IoU of each predicted object with each true object that it meets.

    Args:
        predicted, truth: numbered objects of one shape ``space``, 0 or less outside.
    """
    first, second = predicted.ravel(), truth.ravel()
    # neighbours are alike mostly: sorting runs of equal pairs is faster than sorting sites
    starts = np.flatnonzero(np.diff(first, prepend=first[:1] - 1) | np.diff(second, prepend=second[:1]))
    lengths = np.diff(starts, append=len(first))
    found, a = np.unique(first[starts], return_inverse=True)
    true, b = np.unique(second[starts], return_inverse=True)
    sizes = [np.bincount(index, lengths) for index in (a, b)]
    pair, place = np.unique(a.astype(np.int64) * max(1, len(true)) + b, return_inverse=True)
    common = np.bincount(place, lengths)
    a, b = np.divmod(pair, max(1, len(true)))
    objects = (found[a] > 0) & (true[b] > 0)
    ious: NDArray[np.float64] = (common / (sizes[0][a] + sizes[1][b] - common))[objects]
    return Overlaps(found[a][objects], true[b][objects], ious)


def average_precision(confidence: ArrayLike, hits: ArrayLike, positives: int) -> float | None:
    """Compute the area under the precision-recall curve of detections (Lin et al. 2014, COCO).

    Precision is made to fall with recall, then averaged over the recalls 0, 0.01, ..., 1; 0 beyond the last.

    Args:
        confidence: of each detection, ``(detections,)``; of equal ones, the first comes first.
        hits: whether each is true, ``(detections,)``.
        positives: how many there are to detect.

    Returns:
        None where there is nothing to detect.
    """
    if not positives:
        return None
    order = np.argsort(-np.asarray(confidence, np.float64), kind="stable")
    found = np.cumsum(np.asarray(hits, bool)[order])
    precision = found / np.arange(1, len(found) + 1)
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    places = np.searchsorted(found / positives, np.linspace(0, 1, 101), side="left")
    return float(envelope[places].mean())
