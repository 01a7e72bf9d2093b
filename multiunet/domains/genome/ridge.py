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
    the least squared error on the validation chromosomes.

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
    errors, held_out = np.zeros(weights.shape[::2]), 0
    for x, y in _iter_known(val, targets, bin_size):
        held_out += len(y)
        predicted = np.einsum("bf,pft->pbt", (x - centre) / spread, weights, optimize=True) + level
        errors += ((predicted - y) ** 2).sum(axis=1)
    if not held_out:
        return None
    best = errors.argmin(axis=0)
    chosen = np.stack([weights[place, :, track] for track, place in enumerate(best)], axis=1)
    return Ridge(centre, spread, chosen, level, tuple(PENALTIES[place] for place in best))


def _solve(products: Floats, with_target: Floats) -> Floats:
    """Return the weights for each penalty, ``(penalties, features, tracks)``."""
    values, vectors = np.linalg.eigh(products)
    turned, values = vectors.T @ with_target, np.maximum(values, 0)
    return np.stack([vectors @ (turned / (values + penalty)[:, None]) for penalty in PENALTIES])


def _iter_known(chroms: Mapping[str, Bases], targets: Targets, bin_size: int) -> Iterator[tuple[Floats, Floats]]:
    """Yield features and values, ``(bins, tracks)``, of bins whose values are all known."""
    every = -(-sum(targets[chrom].shape[1] for chrom in chroms) // MOST_BINS)
    for chrom, codes in chroms.items():
        for bins, x in iter_features(codes, bin_size, every):
            y = targets[chrom][:, bins].T.astype(np.float64)
            known = ~np.isnan(y).any(axis=1)
            if known.any():
                yield x[known], y[known]
