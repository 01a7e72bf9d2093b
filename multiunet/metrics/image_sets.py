"""Likeness of two sets of images that are not paired: grey levels, correlation, spectrum.

A set is ``(N, C, *space)``; all of its images have one size. Channels count alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Images = NDArray[np.float32]

QUANTILES = 1024
"""Quantiles by which grey levels are compared."""


def compare_grey_levels(images: Images, others: Images) -> float:
    """Return the distance of the grey levels of two sets, in grey levels.

    It is the Wasserstein distance: how far grey levels have to move on average to become those of the other set, the
    mean over channels. The distributions are compared at 1,024 quantiles.
    """
    at = (np.arange(QUANTILES) + 0.5) / QUANTILES
    distances = [
        np.abs(np.quantile(own, at) - np.quantile(other, at)).mean()
        for own, other in zip(_by_channel(images), _by_channel(others))
    ]
    return float(np.mean(distances))


def correlate(images: Images) -> Floats:
    """Return the two-point correlation of a set of images at distances of 0, 1, ... pixels.

    It is the mean product of the deviations from the set's mean at two sites so far apart, as a share of the variance,
    averaged over directions, to half of the shortest side. Pairs lie within an image, which is not repeated. Of flat
    images it is 0 at all distances but 0.
    """
    space = images.shape[2:]
    axes, shape = tuple(range(2, images.ndim)), [scipy.fft.next_fast_len(2 * n - 1, real=True) for n in space]
    centred = images.astype(np.float64) - images.mean(axis=(0, *axes), keepdims=True, dtype=np.float64)
    power = sum(
        (np.abs(scipy.fft.rfftn(image, shape, axes=range(1, image.ndim))) ** 2).sum(axis=0) for image in centred
    )
    products = scipy.fft.irfftn(np.asarray(power), shape)
    pairs = scipy.fft.irfftn(np.abs(scipy.fft.rfftn(np.ones(space), shape)) ** 2, shape)
    distances = _distances([np.asarray(np.fft.fftfreq(n, 1 / n), np.float64) for n in shape])
    steps = np.rint(distances).astype(np.int64)
    last = max(1, min(space) // 2)
    kept = (steps <= last) & (pairs > 0.5)
    sums, counts = (np.bincount(steps[kept], part[kept], minlength=last + 1) for part in (products, pairs))
    covariance: Floats = sums / np.maximum(counts, 1)
    if covariance[0] <= 0:
        return np.asarray(np.arange(last + 1) == 0, dtype=np.float64)
    result: Floats = covariance / covariance[0]
    return result


def compute_spectrum(images: Images) -> Floats:
    """Return the power spectrum of a set of images in decibels, averaged over directions.

    Element ``k - 1`` is the power of waves of which ``k`` fit into the shortest side, up to half of its pixels. The
    mean of each image is taken off, and its borders fade out (Hann's window).
    """
    space = images.shape[2:]
    axes = tuple(range(2, images.ndim))
    window = np.ones(())
    for n in space:
        window = np.multiply.outer(window, np.hanning(n + 2)[1:-1])
    centred = images.astype(np.float64) - images.mean(axis=axes, keepdims=True, dtype=np.float64)
    power = (np.abs(scipy.fft.fftn(centred * window, axes=axes)) ** 2).mean(axis=(0, 1)) / (window**2).sum()
    waves = np.rint(_distances([np.asarray(np.fft.fftfreq(n), np.float64) for n in space]) * min(space)).astype(
        np.int64
    )
    last = max(1, min(space) // 2)
    kept = (waves >= 1) & (waves <= last)
    sums, counts = (np.bincount(waves[kept], part, minlength=last + 1)[1:] for part in (power[kept], None))
    result: Floats = 10 * np.log10(np.maximum(sums / np.maximum(counts, 1), np.finfo(np.float64).tiny))
    return result


def compare_curves(one: Floats, other: Floats) -> float:
    """Return the root of the mean squared difference of two curves of equal length."""
    return math.sqrt(float(np.square(one - other).mean()))


def measure_neighbours(images: Images) -> Floats:
    """Return how far each image of a set is from the nearest other one, in grey levels.

    It is the root mean square of the difference over pixels.

    Raises:
        ValueError: for fewer than two images.
    """
    if len(images) < 2:
        raise ValueError("an image alone has no nearest other one; give two images or more")
    rows = images.reshape(len(images), -1).astype(np.float64)
    squares = np.square(rows).sum(axis=1)
    apart = squares[:, None] + squares[None] - 2 * rows @ rows.T
    np.fill_diagonal(apart, np.inf)
    result: Floats = np.sqrt(np.maximum(apart.min(axis=1), 0) / rows.shape[1])
    return result


def find_in(image: Images, windows: Images) -> tuple[Floats, NDArray[np.int64]]:
    """Return where in an image each of some smaller windows fits best, and how well.

    Args:
        image: ``(C, *space)``.
        windows: ``(N, C, *sides)``, along no axis larger than the image.

    Returns:
        The root mean square difference at the best place, ``(N,)``, and that place, the window's first pixel,
        ``(N, axes)``.

    Raises:
        ValueError: when a window is larger than the image.
    """
    space, sides = image.shape[1:], windows.shape[2:]
    if any(side > n for side, n in zip(sides, space)):
        raise ValueError(f"windows of {sides} are larger than the image, {space}")
    rows = windows.astype(np.float64)
    image = image.astype(np.float64)
    middle = image.mean()  # differences of large numbers lose digits
    rows, image = rows - middle, image - middle
    own = np.square(rows).reshape(len(rows), -1).sum(axis=1)
    if space == sides:
        apart = np.square(rows - image).reshape(len(rows), -1).mean(axis=1)
        return np.sqrt(apart), np.zeros((len(rows), len(space)), np.int64)
    axes = range(1, image.ndim)
    shape = [scipy.fft.next_fast_len(n, real=True) for n in space]  # wrapped places are cut off below
    places = tuple(slice(0, n - side + 1) for n, side in zip(space, sides))
    waves = scipy.fft.rfftn(image, shape, axes=axes)
    there = scipy.fft.irfftn(
        scipy.fft.rfftn(np.square(image).sum(axis=0), shape) * np.conj(scipy.fft.rfftn(np.ones(sides), shape)), shape
    )[places]
    distances, best = np.empty(len(rows)), np.empty((len(rows), len(space)), np.int64)
    for number, row in enumerate(rows):
        common = (waves * np.conj(scipy.fft.rfftn(row, shape, axes=axes))).sum(axis=0)
        apart = there - 2 * scipy.fft.irfftn(common, shape)[places]
        best[number] = np.unravel_index(int(apart.argmin()), apart.shape)
        distances[number] = math.sqrt(max(0.0, float(apart.min()) + own[number]) / row.size)
    return distances, best


def _by_channel(images: Images) -> Images:
    return np.moveaxis(images, 1, 0).reshape(images.shape[1], -1)


def _distances(coordinates: Sequence[Floats]) -> Floats:
    """Return the distance from the origin of each site of a grid, of its coordinates by axis."""
    grids = np.meshgrid(*coordinates, indexing="ij")
    result: Floats = np.sqrt(sum(np.square(grid) for grid in grids))
    return result
