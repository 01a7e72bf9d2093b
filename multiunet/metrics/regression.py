"""Scores of real quantities, in float64."""

from __future__ import annotations

from typing import NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from multiunet.metrics.correlation import is_constant, pearson, spearman
from multiunet.metrics.values import ArrayLike, as_array, mean_of_defined, quotient, same_shape

Values = NDArray[np.float64]

ROUNDING = 1e-12
"""Shares of a sum of 64 bits that rounding makes."""


class TrackScores(TypedDict):
    """Scores of one track; None where one is not defined.

    Attributes:
        pearson_r, spearman_r: correlation of values, and of ranks with ties at their average; None where prediction or
            target is constant.
        r2: ``1 - sum (target - predicted)^2 / sum (target - mean target)^2``; None where the target is constant.
        mse: mean squared error, in the target's units squared; rmse: its root, in the target's units.
        mae: mean absolute error, in the target's units.
    """

    pearson_r: float | None
    spearman_r: float | None
    r2: float | None
    mse: float | None
    rmse: float | None
    mae: float | None


class RegressionScores(TypedDict):
    """Scores of one track, or means over the tracks where a score is defined, and those of each.

    Errors have the units of their track, which may differ, so that errors of several tracks are not averaged.

    Attributes:
        per_track: of several tracks the scores of each.
    """

    pearson_r: float | None
    spearman_r: float | None
    r2: float | None
    mse: NotRequired[float | None]
    rmse: NotRequired[float | None]
    mae: NotRequired[float | None]
    per_track: NotRequired[list[TrackScores]]


def regression_scores(predicted: ArrayLike, target: ArrayLike) -> RegressionScores:
    """Scores over all sites whose target is not NaN.

    Args:
        predicted, target: of equal shape: ``(sites,)`` is one track, ``(C, ...)`` is C tracks, so transpose
            ``(sites, C)``.

    Raises:
        ValueError: when the shapes differ or are empty of tracks, or a value is not finite where the target is not NaN.

    >>> regression_scores(np.array([1.0, 2.0, 9.0]), np.array([1.0, 4.0, np.nan]))["mse"]
    2.0
    """
    same_shape(predicted, target)
    p, t = as_array(predicted).astype(np.float64), as_array(target).astype(np.float64)
    if p.ndim == 0 or p.shape[0] == 0:
        raise ValueError(f"values {p.shape}: expected (sites,) or (C, ...) with at least one")
    tracks = p.shape[0] if p.ndim > 1 else 1
    per_track = [_track_scores(*pair) for pair in zip(p.reshape(tracks, -1), t.reshape(tracks, -1))]
    if tracks == 1:
        [scores] = per_track
        return RegressionScores(
            pearson_r=scores["pearson_r"],
            spearman_r=scores["spearman_r"],
            r2=scores["r2"],
            mse=scores["mse"],
            rmse=scores["rmse"],
            mae=scores["mae"],
        )
    return RegressionScores(
        pearson_r=mean_of_defined(track["pearson_r"] for track in per_track),
        spearman_r=mean_of_defined(track["spearman_r"] for track in per_track),
        r2=mean_of_defined(track["r2"] for track in per_track),
        per_track=per_track,
    )


def _track_scores(predicted: Values, target: Values) -> TrackScores:
    known = ~np.isnan(target)
    p, t = predicted[known], target[known]
    for name, values in (("predicted", p), ("target", t)):
        if not np.isfinite(values).all():
            raise ValueError(f"{np.count_nonzero(~np.isfinite(values))} of {values.size} {name} values are not finite")
    error = p - t
    squared = float(error @ error)
    mse = quotient(squared, t.size)
    unexplained = None if is_constant(t) else quotient(squared, np.sum((t - t.mean()) ** 2))
    return TrackScores(
        pearson_r=pearson(p, t),
        spearman_r=spearman(p, t),
        r2=None if unexplained is None else explained_share(unexplained),
        mse=mse,
        rmse=None if mse is None else mse**0.5,
        mae=quotient(np.abs(error).sum(), t.size),
    )


def explained_share(unexplained: float) -> float:
    """Return the share that is explained; what rounding alone tells from none, as of the mean, is 0."""
    return 0.0 if abs(1 - unexplained) < ROUNDING else 1 - unexplained
