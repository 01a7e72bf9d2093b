"""Features of nodes and attributes of edges as the network sees them."""

from __future__ import annotations

import logging
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.info import NOT_NORMALIZED, Normalization

logger = logging.getLogger("multiunet.graph")

FEWEST_WORDS, MOST_FILLED = 16, 0.2
"""Counts are a bag of words from this many columns on, if at most this share of them is not 0."""


def normalize(x: NDArray[np.float32], how: Normalization) -> NDArray[np.float32]:
    """Return features as the network sees them."""
    if how.kind == "row":
        sums = np.abs(x).sum(axis=1, keepdims=True)
        x = (x / np.where(sums > 0, sums, 1.0)).astype(np.float32)
    if how.kind == "column":
        x = ((x - np.array(how.mean)) / np.array(how.deviation)).astype(np.float32)
    return x


def fit_normalization(x: NDArray[np.float32], wanted: Literal["auto", "row", "column", "none"]) -> Normalization:
    """Fit the wanted normalisation to features ``x``, ``(nodes, features)``."""
    if wanted == "auto":
        wanted = "row" if _is_bag_of_words(x) else "column"
        meaning = "as of a bag of words" if wanted == "row" else "over all nodes"
        logger.info("features are normalised by %s, %s (`normalize_features`)", wanted, meaning)
    if wanted != "column":
        return Normalization(kind=wanted)
    deviation = x.std(axis=0, dtype=np.float64)
    return Normalization(
        kind="column",
        mean=tuple(x.mean(axis=0, dtype=np.float64).tolist()),
        deviation=tuple(np.where(deviation > 0, deviation, 1.0).tolist()),
    )


def _is_bag_of_words(x: NDArray[np.float32]) -> bool:
    """Return True for features that are many counts, few of them above 0: their sum is the length of a text.

    Among a few whole numbers, an age and an income, say, the larger would drown the others.
    """
    counts = bool((x >= 0).all() and (x == np.floor(x)).all())
    return counts and x.shape[1] >= FEWEST_WORDS and bool(np.count_nonzero(x) <= MOST_FILLED * x.size)


def fit_standardisation(values: NDArray[np.float32] | None, wanted: str) -> Normalization:
    """Return the normalisation of columns; ``auto`` leaves 0 and 1 as they are, and standardises all else."""
    if values is None or not len(values) or wanted == "none":
        return NOT_NORMALIZED
    if wanted != "column" and np.isin(values, (0, 1)).all():
        return NOT_NORMALIZED
    return fit_normalization(values, "column")
