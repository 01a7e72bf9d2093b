"""Scores of classes of nodes, images or windows."""

from __future__ import annotations

from typing import TypedDict

from multiunet.metrics.segmentation import Confusion
from multiunet.metrics.values import ArrayLike


class ClassificationScores(TypedDict):
    """Scores in [0, 1]; None without a labelled item.

    Attributes:
        accuracy: share of items whose class is right.
        macro_f1: mean of the classes' F1, over the classes that truth or prediction has.
    """

    accuracy: float | None
    macro_f1: float | None


def classification_scores(
    predicted: ArrayLike, target: ArrayLike, classes: int, ignore_index: int | None = -1
) -> ClassificationScores:
    """Scores of predicted classes.

    Args:
        predicted, target: integers 0..classes-1 of equal shape.
        classes: how many, at least 2.
        ignore_index: target of items that are not labelled.

    Raises:
        ValueError: when the shapes differ, or a class of a labelled item is not among the classes.

    >>> import numpy as np
    >>> classification_scores(np.array([0, 1, 1, 1]), np.array([0, 1, 1, 0]), classes=3)
    {'accuracy': 0.75, 'macro_f1': 0.733...}
    """
    confusion = Confusion(classes, ignore_index)
    confusion.update(predicted, target)
    scores = confusion.scores()
    return ClassificationScores(accuracy=scores["pixel_accuracy"], macro_f1=scores["dice"])
