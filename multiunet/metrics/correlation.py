"""Correlation of two lists of numbers."""

from __future__ import annotations

import numpy as np

from multiunet.metrics.values import ArrayLike, as_array, quotient, same_shape


def pearson(x: ArrayLike, y: ArrayLike) -> float | None:
    """Return the correlation of values, in [-1, 1]; None where either is constant.

    Raises:
        ValueError: when the shapes differ.
    """
    same_shape(x, y)
    a, b = (as_array(values).astype(np.float64, copy=False).ravel() for values in (x, y))
    # "constant" is asked of the values: rounding leaves a constant's deviations from its mean small, not zero
    if is_constant(a) or is_constant(b):
        return None
    a, b = a - a.mean(), b - b.mean()
    r = quotient(float(a @ b), float(np.linalg.norm(a) * np.linalg.norm(b)))
    return None if r is None else min(1.0, max(-1.0, r))


def spearman(x: ArrayLike, y: ArrayLike) -> float | None:
    """Return the correlation of ranks, ties at their average; None where either is constant.

    Raises:
        ValueError: when the shapes differ.

    >>> round(spearman(np.array([1.0, 2.0, 30.0]), np.array([0.1, 0.2, 0.3])), 9)
    1.0
    """
    from scipy.stats import rankdata  # costs most of a second

    same_shape(x, y)
    return pearson(rankdata(as_array(x).ravel()), rankdata(as_array(y).ravel()))


def is_constant(values: ArrayLike) -> bool:
    """Return True for no values or equal ones."""
    array = as_array(values)
    return not array.size or bool(array.min() == array.max())
