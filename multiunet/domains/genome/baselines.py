"""Trivial methods, which predict a signal from composition and place, without finding motifs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.genome.ridge import fit_ridge
from multiunet.domains.genome.sequence import Codes, gc_content

Feature = Callable[[Codes, int], NDArray[np.float64]]
"""Feature of a chromosome's bins, ``(bins,)``, from its bases and the bin size."""

Predictor = Callable[[Codes, int], NDArray[np.float64]]
"""Prediction ``(tracks, bins)`` from a chromosome's bases and the bin size."""


def fill_gc(codes: Codes, bin_size: int) -> NDArray[np.float64]:
    """Return the GC content of each bin; of bins without a known base the chromosome's mean."""
    content = gc_content(codes, bin_size)
    usual = float(np.nanmean(content)) if np.isfinite(content).any() else 0.0
    filled: NDArray[np.float64] = np.where(np.isnan(content), usual, content)
    return filled


def log_distance_to_end(codes: Codes, bin_size: int) -> NDArray[np.float64]:
    """Return the natural logarithm of the bases from a bin's middle to the nearer end of the chromosome."""
    middle = (np.arange(-(-len(codes) // bin_size)) + 0.5) * bin_size
    distance: NDArray[np.float64] = np.maximum(np.minimum(middle, len(codes) - middle), 0.5)
    return np.log(distance)


FEATURES: Mapping[str, Feature] = {"gc_content": fill_gc, "distance_to_end": log_distance_to_end}


def fit(
    codes: Mapping[str, Codes], val: Mapping[str, Codes], targets: Mapping[str, NDArray[np.float32]], bin_size: int
) -> dict[str, Predictor]:
    """Fit the mean of each track, a least-squares line on each feature, and a ridge on words.

    Args:
        codes: bases by chromosome.
        val: those that choose the ridge's penalty.
        targets: ``(tracks, bins)`` by chromosome; NaN is left out.
    """
    target = np.concatenate([targets[chrom] for chrom in codes], axis=1).astype(np.float64)
    baselines = {"mean": _line(lambda c, b: np.zeros(-(-len(c) // b)), np.zeros(target.shape[1]), target)}
    for name, feature in FEATURES.items():
        x = np.concatenate([feature(sequence, bin_size) for sequence in codes.values()])
        baselines[name] = _line(feature, x, target)
    ridge = fit_ridge(codes, val, targets, bin_size)
    return baselines if ridge is None else baselines | {"ridge_on_words": ridge.predict}


def _line(feature: Feature, x: NDArray[np.float64], target: NDArray[np.float64]) -> Predictor:
    lines = [_least_squares(x, track) for track in target]

    def predict(codes: Codes, bin_size: int) -> NDArray[np.float64]:
        x = feature(codes, bin_size)
        return np.stack([slope * x + intercept for slope, intercept in lines])

    return predict


def _least_squares(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    known = ~np.isnan(y)
    x, y = x[known], y[known]
    spread = x - x.mean()
    squares = float(spread @ spread)
    slope = float(spread @ y) / squares if squares > 0 else 0.0
    return slope, float(y.mean() - slope * x.mean())
