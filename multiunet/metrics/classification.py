"""Scores of classes of nodes, images or windows."""

from __future__ import annotations

from typing import TypedDict

import numpy as np

from multiunet.metrics.segmentation import Confusion
from multiunet.metrics.values import ArrayLike, as_array


class ClassificationScores(TypedDict):
    """Scores in [0, 1]; None where there is no labelled item.

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


def roc_auc(score: ArrayLike, positive: ArrayLike) -> float | None:
    """The area under the ROC curve: the probability that a positive item scores higher than a negative one.

    Ties count one half (Hanley & McNeil 1982). None where all items are positive, or none is.

    Args:
        score: of each item.
        positive: whether it is of the class that should score high; of the same shape.

    Raises:
        ValueError: when the shapes differ, or a score is NaN.

    >>> import numpy as np
    >>> roc_auc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, False, True, True]))
    0.875
    """
    from scipy.stats import rankdata  # costs most of a second

    scores, wanted = as_array(score).astype(np.float64), as_array(positive).astype(bool)
    if scores.shape != wanted.shape or np.isnan(scores).any():
        raise ValueError(f"scores {scores.shape} must be numbers, one for each of the items {wanted.shape}")
    positives, negatives = int(wanted.sum()), int((~wanted).sum())
    if not positives or not negatives:
        return None
    ranks = rankdata(scores.ravel())[wanted.ravel()].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))
