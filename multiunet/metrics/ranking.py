"""Ranking: scores of positives against those of negatives."""

from __future__ import annotations

import numpy as np

from multiunet.metrics.values import ArrayLike, as_array, quotient, same_shape


def roc_auc(score: ArrayLike, positive: ArrayLike) -> float | None:
    """Return the area under the ROC curve, in [0, 1]; None without positives or without negatives.

    The chance that a positive scores higher than a negative, ties counting half (Hanley & McNeil 1982).

    Args:
        score: higher for likelier positives, ``(N,)``.
        positive: true or false, ``(N,)``.

    Raises:
        ValueError: when the shapes differ or a score is not finite.

    >>> roc_auc(np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True]))
    0.875
    """
    from scipy.stats import rankdata  # costs most of a second

    same_shape(score, positive)
    values, truth = as_array(score).astype(np.float64).ravel(), as_array(positive).astype(bool).ravel()
    if not np.isfinite(values).all():
        raise ValueError(f"{np.count_nonzero(~np.isfinite(values))} of {values.size} scores are not finite")
    positives, negatives = int(truth.sum()), int((~truth).sum())
    above = float(rankdata(values)[truth].sum()) - positives * (positives + 1) / 2
    return quotient(above, positives * negatives)
