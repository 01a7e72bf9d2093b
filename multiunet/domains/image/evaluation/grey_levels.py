"""Grey levels of images: each cut at its own thresholds, block by block."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_multiotsu, threshold_otsu

from multiunet.domains.image.data.inputs import Input
from multiunet.domains.image.files.lazy import Region, iter_blocks

SMOOTHING = 2.0
"""Deviation of the Gaussian before thresholding, in pixels: noise is not structure."""

REACH = 4.0
"""Deviations at which the Gaussian ends."""

BINS = 256
"""Of the histograms that thresholds are chosen from."""


def cut_levels(loaded: Input, levels: int) -> Iterator[tuple[Region, NDArray[np.intp]]]:
    """Yield the grey level of each pixel, from dark to bright, block by block.

    It is 0 everywhere where too few values are there to cut.

    The thresholds are those of the whole image, whose histogram is counted block by block.
    """
    extremes = [(grey.min(), grey.max()) for _, grey in _smooth(loaded)]
    low, high = min(low for low, _ in extremes), max(high for _, high in extremes)
    counts, edges = np.zeros(BINS, dtype=np.int64), np.histogram_bin_edges(extremes[0], BINS, (low, high))
    for _, grey in _smooth(loaded):
        counts += np.histogram(grey, BINS, (low, high))[0]
    cuts = _choose_cuts(counts, (edges[:-1] + edges[1:]) / 2, levels)
    for region, grey in _smooth(loaded):
        yield region, np.digitize(grey, cuts)


def _choose_cuts(counts: NDArray[np.int64], centres: NDArray[np.floating], levels: int) -> NDArray[np.floating]:
    """The thresholds between so many levels; none where fewer values are there."""
    if np.count_nonzero(counts) < levels:
        return np.empty(0)
    if levels == 2:
        return np.array([threshold_otsu(hist=(counts, centres))])
    cuts: NDArray[np.floating] = threshold_multiotsu(hist=(counts / counts.sum(), centres), classes=levels)
    return cuts


def _smooth(loaded: Input) -> Iterator[tuple[Region, NDArray[np.float32]]]:
    """Blocks of the image, grey and smoothed: each is read with what the Gaussian reaches, as if it were the whole."""
    reach = int(REACH * SMOOTHING + 0.5)
    for region in list_regions(loaded):
        wide = tuple(
            slice(max(0, part.start - reach), min(n, part.stop + reach))
            for part, n in zip(region, loaded.picture.space)
        )
        inner = tuple(slice(part.start - w.start, part.stop - w.start) for part, w in zip(region, wide))
        yield region, gaussian_filter(read_grey(loaded, wide), SMOOTHING, truncate=REACH)[inner]


def read_grey(loaded: Input, region: Region) -> NDArray[np.float32]:
    """Return the mean of the standardised channels, ``region``."""
    mean: NDArray[np.float32] = loaded.standardise(loaded.picture.pixels[(slice(None), *region)]).mean(axis=0)
    return mean


def list_regions(loaded: Input) -> Iterator[Region]:
    """Yield the blocks of an image."""
    return (region[1:] for region in iter_blocks(loaded.picture.pixels, whole=1))


def whole_of(loaded: Input) -> Region:
    """Return all of an image as one block."""
    return tuple(slice(0, n) for n in loaded.picture.space)
