"""Scores of predicted tracks against what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.metrics import coverage, regression_scores

Tracks = Mapping[str, NDArray[Any]]
"""``(tracks, bins)`` by chromosome."""


def score(means: Tracks, truth: Tracks, names: list[str], totals: Tracks | None = None) -> dict[str, Any]:
    """Scores over all measured bins of the chromosomes of ``means`` together; by track where there are several.

    Args:
        totals: predicted variances; adds ``coverage_95``, the share of measured bins within mean +- 1.96 sqrt(total).
    """
    predicted = np.concatenate([means[chrom] for chrom in means], axis=1)
    target = np.concatenate([truth[chrom] for chrom in means], axis=1)
    scores: dict[str, Any] = dict(regression_scores(predicted, target))
    coverages = None
    if totals is not None:
        total = np.concatenate([totals[chrom] for chrom in means], axis=1)
        coverages = [coverage(*track) for track in zip(predicted, total, target)]
        defined = [share for share in coverages if share is not None]
        scores["coverage_95"] = float(np.mean(defined)) if defined else None
    by_track = scores.pop("per_track", None)
    if by_track is not None:
        extra = [{}] * len(names) if coverages is None else [{"coverage_95": share} for share in coverages]
        scores["per_track"] = [{"track": n, **t, **e} for n, t, e in zip(names, by_track, extra)]
    return scores


def relative_error(scores: Mapping[str, Any], scale: Sequence[float]) -> float:
    """The mean over tracks of the squared error, in units of each track's variance over the training split."""
    tracks = scores.get("per_track") or [scores]
    return float(np.mean([track["mse"] / s**2 for track, s in zip(tracks, scale)]))
