"""Two-point correlation of images: how alike are pixels some distance apart?

Images are ``(C, *space)``; NaN is not known.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from multiunet.metrics.correlation import is_constant
from multiunet.metrics.values import ArrayLike, as_array, mean_of_defined, same_shape

LAGS = (1, 2, 4, 8, 16, 32)
"""Distances at which pixels are compared, along the axes."""

LARGEST_SHARE = 0.25
"""Distance as a share of an axis, at most: of longer ones there are few pairs that are independent."""


def autocorrelation(image: ArrayLike, lags: Sequence[int] = LAGS) -> list[float | None]:
    """Return the correlation of pixels that lie a lag apart, in [-1, 1], for each lag.

    It is the mean over axes and channels of the covariance of pixels a lag apart along the axis, over the variance of
    the channel (Torquato 2002, "Random Heterogeneous Materials", sec. 2.2). None where no axis is four times as long,
    or all is constant.

    >>> stripes = np.tile([0.0, 1.0], (1, 8, 4))
    >>> autocorrelation(stripes, [1, 2])
    [0.0, 1.0]
    """
    values = as_array(image).astype(np.float64)
    channels = [_standardise(channel) for channel in values]
    ways = [(channel, axis) for channel in channels for axis in range(channel.ndim)]
    return [mean_of_defined(_alike(channel, axis, lag) for channel, axis in ways) for lag in lags]


def compare_texture(predicted: ArrayLike, target: ArrayLike) -> float | None:
    """Return how alike the two-point correlations of an image and the true one are; 1: the same.

    It is 1 less their mean absolute difference.

    Unknown pixels of the truth count in neither. None where no correlation is defined.

    Raises:
        ValueError: when the shapes differ.
    """
    same_shape(predicted, target)
    true = as_array(target)
    own = np.where(np.isnan(true), np.nan, as_array(predicted))
    pairs = zip(autocorrelation(own), autocorrelation(true))
    return mean_of_defined(None if a is None or b is None else 1 - abs(a - b) for a, b in pairs)


def _standardise(channel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a channel in units of its deviation from its mean; NaN everywhere where it is constant."""
    known = channel[~np.isnan(channel)]
    if is_constant(known):
        return np.full_like(channel, np.nan)
    standard: NDArray[np.float64] = (channel - known.mean()) / known.std()
    return standard


def _alike(standard: NDArray[np.float64], axis: int, lag: int) -> float | None:
    """Return the mean product of standardised values a lag apart along an axis; None where there are none."""
    length = standard.shape[axis]
    if lag > LARGEST_SHARE * length:
        return None
    front, back = (np.take(standard, np.arange(*ends), axis) for ends in ((0, length - lag), (lag, length)))
    products = front * back
    return None if np.isnan(products).all() else float(np.nanmean(products))
