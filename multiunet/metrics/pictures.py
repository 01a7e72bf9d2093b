"""Scores of restored images: how close they are to the true ones, in noise, structure and sharpness.

Images are ``(C, *space)``; NaN in the truth is not known. They are passed over in slabs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from multiunet.metrics.values import ArrayLike, as_array, same_shape

SLAB = 1 << 20
"""Values of an image that are looked at together."""

WINDOW_DEVIATION = 1.5
WINDOW_REACH = 5
"""Deviation of the Gaussian window of structural similarity, and sites on either side of its centre: 11 in all."""

K1, K2 = 0.01, 0.03
"""Constants of structural similarity, as shares of the data range."""

Floats = NDArray[np.float64]


def compute_psnr(mse: float, data_range: float) -> float | None:
    """Return the peak signal-to-noise ratio in decibels; None for an exact image.

    ``10 log10(data_range^2 / mse)``.

    >>> round(compute_psnr(25.0**2, 255.0), 2)
    20.17
    """
    return 10 * math.log10(data_range**2 / mse) if mse > 0 else None


def compute_ssim(predicted: ArrayLike, target: ArrayLike, data_range: float) -> float | None:
    """Return the mean structural similarity of two images; 1: the same.

    Wang et al. 2004, "Image Quality Assessment: From Error Visibility to Structural Similarity", eq. 13, with its
    Gaussian window of 11 sites an axis; windows that reach beyond the border or meet an unknown value do not count, and
    channels count alike. None where no window counts.

    Raises:
        ValueError: when the shapes differ.
    """
    same_shape(predicted, target)
    total, count = 0.0, 0
    for p, t, inner in _slabs(as_array(predicted), as_array(target), WINDOW_REACH):
        similar = _similarity(p, t, data_range)[inner]
        known = similar[~np.isnan(similar)]
        total, count = total + float(known.sum()), count + known.size
    return total / count if count else None


def compare_sharpness(predicted: ArrayLike, target: ArrayLike) -> float | None:
    """Return the mean gradient magnitude of an image over that of the true one.

    Below 1 it is blurred, above 1 noisy. None where the truth is flat, or nowhere known.

    Raises:
        ValueError: when the shapes differ.
    """
    same_shape(predicted, target)
    own = true = 0.0
    for p, t, inner in _slabs(as_array(predicted), as_array(target), 1):
        steep_p, steep_t = (_gradient(part)[inner] for part in (p, t))
        known = ~np.isnan(steep_t)
        own, true = own + float(steep_p[known].sum()), true + float(steep_t[known].sum())
    return own / true if true > 0 else None


def _slabs(
    predicted: NDArray[np.generic], target: NDArray[np.generic], reach: int
) -> Iterator[tuple[Floats, Floats, tuple[slice, ...]]]:
    """Slabs of each channel, ``space`` each, and the sites of them whose neighbours are all there, each site once."""
    space = target.shape[1:]
    inside = tuple(slice(reach, n - reach) for n in space)
    if min(space) <= 2 * reach:
        return
    rows = max(1, SLAB // max(1, math.prod(space[1:])))
    for p, t in zip(predicted, target):
        for start in range(reach, space[0] - reach, rows):
            stop = min(start + rows, space[0] - reach)
            cut = slice(start - reach, stop + reach)
            inner = (slice(reach, reach + stop - start), *inside[1:])
            yield p[cut].astype(np.float64), t[cut].astype(np.float64), inner


def _similarity(p: Floats, t: Floats, data_range: float) -> Floats:
    def smooth(values: Floats) -> Floats:
        blurred: Floats = gaussian_filter(values, WINDOW_DEVIATION, radius=WINDOW_REACH)
        return blurred

    mean_p, mean_t = smooth(p), smooth(t)
    var_p, var_t, common = smooth(p * p) - mean_p**2, smooth(t * t) - mean_t**2, smooth(p * t) - mean_p * mean_t
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    similar: Floats = ((2 * mean_p * mean_t + c1) * (2 * common + c2)) / (
        (mean_p**2 + mean_t**2 + c1) * (var_p + var_t + c2)
    )
    return similar


def _gradient(values: Floats) -> Floats:
    """Magnitude of the central differences."""
    slopes = np.gradient(values)
    steep: Floats = np.sqrt(sum(slope**2 for slope in (slopes if isinstance(slopes, (list, tuple)) else [slopes])))
    return steep
