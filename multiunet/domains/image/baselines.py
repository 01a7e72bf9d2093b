"""What a model has to beat: the commonest class, a threshold, the mean."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_multiotsu, threshold_otsu
from skimage.measure import label

from multiunet.domains.domain import Facts
from multiunet.domains.image.inputs import Shelf, load_input, load_labels, load_objects
from multiunet.domains.image.scoring import Baseline
from multiunet.domains.image.splits import Item
from multiunet.metrics import Matching

SMOOTHING = 2.0
"""Deviation of the Gaussian before thresholding, in pixels: noise is not structure."""

SMOOTHINGS = (0.0, 1.0, 2.0)
"""Among these, that of objects is chosen: where they are small or close, less is more."""

FITTED = 20
"""Images that choose it."""

MOST_LEVELS = 4
"""Grey levels that thresholds tell apart; more take minutes to choose."""


def majority(facts: Facts) -> Baseline:
    """The class with the most training pixels, everywhere."""
    commonest = int(np.argmax(facts["pixels"]["train"]))

    def guess(pixels: NDArray[np.float32]) -> NDArray[np.int64]:
        return np.full(pixels.shape[1:], commonest)

    return guess


def mean(facts: Facts) -> Baseline:
    """The mean of the training targets, everywhere."""
    centre = np.asarray(facts["centre"], dtype=np.float32)

    def guess(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        space = pixels.shape[1:]
        return np.broadcast_to(centre.reshape(-1, *(1,) * len(space)), (len(centre), *space))

    return guess


def otsu(items: Sequence[Item], facts: Facts, shelf: Shelf, levels: int = 2) -> Baseline:
    """Each image cut at its own thresholds (Otsu 1979; Liao et al. 2001 for several), its levels named by what they
    mostly are in the training images."""
    votes = np.zeros((levels, len(facts["values"])), dtype=np.int64)
    for item in items:
        loaded = load_input(item.image, facts, shelf)
        level = _levels(loaded.standardised(loaded.picture.pixels[...]), levels)
        labels = load_labels(item.truth, facts, shelf)[...]
        counts = labels >= 0
        np.add.at(votes, (level[counts], labels[counts]), 1)
    classes = votes.argmax(axis=1)

    def guess(pixels: NDArray[np.float32]) -> NDArray[np.int64]:
        named: NDArray[np.int64] = classes[_levels(pixels, levels)]
        return named

    return guess


def otsu_objects(items: Sequence[Item], facts: Facts, shelf: Shelf) -> Baseline:
    """The connected parts of what lies above (or below) each image's own threshold (Otsu 1979).

    Smoothing and side are those that find most objects in the training images, ``FITTED`` of them at most.
    """
    fitted = items[:: max(1, -(-len(items) // FITTED))]

    def found(pixels: NDArray[np.float32], smoothing: float, bright: bool) -> NDArray[np.int32]:
        grey = gaussian_filter(pixels.mean(axis=0), smoothing)
        if grey.min() == grey.max():
            return np.zeros(grey.shape, dtype=np.int32)
        inside = (grey > threshold_otsu(grey)) == bright
        objects: NDArray[np.int32] = label(inside, connectivity=1).astype(np.int32)
        return objects

    def precision(smoothing: float, bright: bool) -> float:
        matching = Matching()
        for item in fitted:
            loaded = load_input(item.image, facts, shelf)
            guess = found(loaded.standardised(loaded.picture.pixels[...]), smoothing, bright)
            matching.update(guess, load_objects(item.truth, facts, shelf))
        return matching.scores()["ap_50"] or 0.0

    best = max(itertools.product(SMOOTHINGS, (True, False)), key=lambda choice: precision(*choice))
    return lambda pixels: found(pixels, *best)


def _levels(pixels: NDArray[np.float32], levels: int) -> NDArray[np.intp]:
    """The grey level of each pixel, from dark to bright; all 0 where an image has too few values to cut."""
    grey = gaussian_filter(pixels.mean(axis=0), SMOOTHING)
    if len(np.unique(grey)) < 2 * levels:
        return np.zeros(grey.shape, dtype=np.intp)
    cuts = [threshold_otsu(grey)] if levels == 2 else threshold_multiotsu(grey, levels)
    levels_of: NDArray[np.intp] = np.digitize(grey, cuts)
    return levels_of
