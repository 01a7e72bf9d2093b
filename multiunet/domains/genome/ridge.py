"""Ridge regression on frequencies of words: what a linear method makes of a sequence's composition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.genome.bases import Bases
from multiunet.domains.genome.kmers import Floats, iter_features

Targets = Mapping[str, NDArray[np.float32]]

PENALTIES = tuple(10.0 ** (power / 2) for power in range(-4, 15))
"""Weight of squared coefficients, of standardised features, against the squared error of a bin: 0.01 to 10 million."""

MOST_BINS = 1 << 18
"""Bins that are fitted to; of longer genomes every second block of bins, or every third, and so on."""


@dataclass(frozen=True)
class Ridge:
    """Linear prediction of tracks from features of bins.

    Attributes:
        centre, spread: of each feature over the training bins, ``(features,)``.
        weights: ``(features, tracks)``, of standardised features.
        level: mean of each track, ``(tracks,)``.
        penalties: that validation chose for each track.
    """

    centre: Floats
    spread: Floats
    weights: Floats
    level: Floats
    penalties: tuple[float, ...]

    def predict(self, codes: Bases, bin_size: int) -> Floats:
        """Predict a chromosome, ``(tracks, bins)``."""
        parts = [(x - self.centre) / self.spread @ self.weights for _, x in iter_features(codes, bin_size)]
        return (np.concatenate(parts) + self.level).T


def fit_ridge(train: Mapping[str, Bases], val: Mapping[str, Bases], targets: Targets, bin_size: int) -> Ridge | None:
    """Fit a ridge regression to the training chromosomes, its penalties to those of validation.

    It is fitted to bins where every track is known; None where either part has no such. Each track has the penalty of
    the highest correlation on the validation chromosomes.

    Args:
        train, val: bases by chromosome.
        targets: ``(tracks, bins)`` by chromosome; NaN is not known.
    """
    count = 0
    features = products = target = with_target = np.zeros(())
    for x, y in _iter_known(train, targets, bin_size):
        count += len(y)
        features, products = features + x.sum(axis=0), products + x.T @ x
        target, with_target = target + y.sum(axis=0), with_target + x.T @ y
    if not count:
        return None
    centre, level = features / count, target / count
    covariance = products - count * np.outer(centre, centre)
    deviation = np.sqrt(np.maximum(np.diag(covariance) / count, 0))
    spread = np.where(deviation > 1e-9, deviation, np.inf)  # a feature that never changes says nothing
    weights = _solve(covariance / np.outer(spread, spread), (with_target - np.outer(centre, target)) / spread[:, None])
    correlations = _correlate(weights, centre, spread, val, targets, bin_size)
    if correlations is None:
        return None
    best = correlations.argmax(axis=0)
    chosen = np.stack([weights[place, :, track] for track, place in enumerate(best)], axis=1)
    return Ridge(centre, spread, chosen, level, tuple(PENALTIES[place] for place in best))


def _solve(products: Floats, with_target: Floats) -> Floats:
    """Return the weights for each penalty, ``(penalties, features, tracks)``."""
    values, vectors = np.linalg.eigh(products)
    turned, values = vectors.T @ with_target, np.maximum(values, 0)
    return np.stack([vectors @ (turned / (values + penalty)[:, None]) for penalty in PENALTIES])


def _correlate(
    weights: Floats, centre: Floats, spread: Floats, val: Mapping[str, Bases], targets: Targets, bin_size: int
) -> Floats | None:
    """Return the correlation with each track, ``(penalties, tracks)``, over all of validation; None without a bin."""
    count, sums = 0, np.zeros((5, *weights.shape[::2]))
    for x, y in _iter_known(val, targets, bin_size):
        predicted = np.einsum("bf,pft->bpt", (x - centre) / spread, weights, optimize=True)
        truth = np.broadcast_to(y[:, None], predicted.shape)
        count += len(y)
        sums += np.stack([part.sum(axis=0) for part in (predicted, truth, predicted**2, truth**2, predicted * truth)])
    if not count:
        return None
    p, t, pp, tt, pt = sums / count
    deviations = np.sqrt(np.maximum(pp - p**2, 0) * np.maximum(tt - t**2, 0))
    found: Floats = np.divide(pt - p * t, deviations, out=np.full(p.shape, -1.0), where=deviations > 0)
    return found


def _iter_known(chroms: Mapping[str, Bases], targets: Targets, bin_size: int) -> Iterator[tuple[Floats, Floats]]:
    """Yield features and values, ``(bins, tracks)``, of bins whose values are all known."""
    every = -(-sum(targets[chrom].shape[1] for chrom in chroms) // MOST_BINS)
    for chrom, codes in chroms.items():
        for bins, x in iter_features(codes, bin_size, every):
            y = targets[chrom][:, bins].T.astype(np.float64)
            known = ~np.isnan(y).any(axis=1)
            if known.any():
                yield x[known], y[known]
