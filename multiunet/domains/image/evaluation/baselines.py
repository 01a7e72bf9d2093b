"""Trivial methods that a model has to beat: the commonest class, a threshold, the mean."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_multiotsu, threshold_otsu
from skimage.measure import label

from multiunet.domains.domain import Baseline, Labelled, Piece
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.inputs import Input, load_input
from multiunet.domains.image.data.targets import load_labels, load_objects
from multiunet.domains.image.evaluation.labelled import LabelledImage
from multiunet.domains.image.evaluation.restored import choose_from_scored, fit_restorers
from multiunet.domains.image.files.lazy import Region, iter_blocks
from multiunet.domains.image.files.pairing import Item
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.remarks import remark
from multiunet.metrics import InstanceMatcher

SMOOTHING = 2.0
"""Deviation of the Gaussian before thresholding, in pixels: noise is not structure."""

REACH = 4.0
"""Deviations at which the Gaussian ends."""

BINS = 256
"""Of the histograms that thresholds are chosen from."""

SMOOTHINGS = (0.0, 1.0, 2.0)
"""Among these, that of objects is chosen: where they are small or close, less is more."""

FITTED = 20
"""Images that choose it."""

MOST_LEVELS = 4
"""Grey levels that thresholds tell apart; more take minutes to choose."""


Guess = Callable[[Input], Iterator[tuple[Region, NDArray[Any]]]]
"""Trivial method: regions that partition an image, and classes (or objects) guessed there, ``region``."""


def fit_baselines(items: Sequence[Item], info: ImageInfo, cache: FileCache) -> dict[str, Baseline]:
    """Fit trivial methods to the training images, by name.

    Those of restoration are fitted to the validation images, if there are any. Methods that need images are left out,
    and a remark says so, where the files are no longer there.
    """
    if info.regression and info.restoration is None:
        return {"mean": fit_mean(info)}
    if info.restoration is not None:
        if info.restoration.blind:
            return choose_from_scored()
        items = info.split.val or items
    moved = next((path for item in items for path in (item.image, item.target) if not Path(path).exists()), None)
    if moved is not None:
        remark(
            f"{moved}: this training file is no longer there, so the trivial methods that are fitted to training "
            "images are left out; put the training data back to see them"
        )
    if info.restoration is not None:
        resized = all(step.startswith("down") for step in info.restoration.degrade or ("",))
        return fit_restorers([] if moved else [LabelledImage(item, info, cache) for item in items], resized)
    if info.instances:
        return {} if moved else {"otsu": _score_objects(fit_otsu_objects(items, info, cache))}
    found = {"majority": fit_majority(info)}
    if not moved:
        found["otsu"] = fit_otsu(items, info, cache)
        levels = min(len(info.values), MOST_LEVELS)
        if levels > 2:
            found["multi_otsu"] = fit_otsu(items, info, cache, levels)
    return {name: _score_classes(guess) for name, guess in found.items()}


def _score_classes(guess: Guess) -> Baseline:
    """Return the baseline that gives guessed classes as probabilities of 0 and 1, and states no variance."""

    def predict(data: Labelled) -> Iterator[Piece]:
        for name, image in data.items.items():
            target, count = image.target(), len(image.info.values)
            for region, classes in guess(image.load()):
                certain = torch.from_numpy(np.arange(count).reshape(-1, *(1,) * classes.ndim) == classes)
                labels = torch.from_numpy(np.ascontiguousarray(target[region]))
                yield Piece(certain.to(torch.float32)[None], labels[None], item=name)

    return predict


def _score_objects(guess: Guess) -> Baseline:
    """Return the baseline that gives guessed objects; see ``InstanceScore``."""

    def predict(data: Labelled) -> Iterator[Piece]:
        for name, image in data.items.items():
            [(_, objects)] = guess(image.load())
            target = torch.from_numpy(image.target()[...])
            yield Piece(torch.from_numpy(objects)[None, None], target[None], item=name)

    return predict


def fit_majority(info: ImageInfo) -> Guess:
    """Return the method that guesses the class with the most training pixels everywhere."""
    commonest = int(np.argmax(info.segmented.pixels["train"]))

    def guess(loaded: Input) -> Iterator[tuple[Region, NDArray[Any]]]:
        for region in _regions(loaded):
            yield region, np.full([part.stop - part.start for part in region], commonest)

    return guess


def fit_mean(info: ImageInfo) -> Baseline:
    """Return the baseline that predicts the mean of the training targets everywhere."""
    centre = torch.tensor(info.quantities.centre, dtype=torch.float32)

    def predict(data: Labelled) -> Iterator[Piece]:
        for name, image in data.items.items():
            target = torch.from_numpy(image.target()[...])
            mean = centre.reshape(-1, *(1,) * (target.ndim - 1)).expand(target.shape)
            yield Piece(mean[None], target[None], item=name)

    return predict


def fit_otsu(items: Sequence[Item], info: ImageInfo, cache: FileCache, levels: int = 2) -> Guess:
    """Return the method that cuts each image at its own thresholds (Otsu 1979; Liao et al. 2001).

    Levels are named by what they mostly are in the training images. Neither these nor the image need fit into memory.
    """
    votes = np.zeros((levels, len(info.values)), dtype=np.int64)
    for item in items:
        labels = load_labels(item.target, info, cache)
        for region, level in _levels(load_input(item.image, info, cache), levels):
            known = labels[region]
            counts = known >= 0
            np.add.at(votes, (level[counts], known[counts]), 1)
    classes = votes.argmax(axis=1)

    def guess(loaded: Input) -> Iterator[tuple[Region, NDArray[Any]]]:
        for region, level in _levels(loaded, levels):
            yield region, classes[level]

    return guess


def fit_otsu_objects(items: Sequence[Item], info: ImageInfo, cache: FileCache) -> Guess:
    """Return the method whose objects are the parts above (or below) each image's threshold (Otsu 1979).

    Parts that meet only at a corner are two: fewer objects that touch run together, so it is harder to beat.
    Smoothing and side are those that find most objects in the training images, ``FITTED`` of them at most.
    """
    sample = items[:: max(1, -(-len(items) // FITTED))]

    def find(loaded: Input, smoothing: float, bright: bool) -> NDArray[np.int32]:
        grey = gaussian_filter(_grey(loaded, _all_of(loaded)), smoothing)
        if grey.min() == grey.max():
            return np.zeros(grey.shape, dtype=np.int32)
        inside = (grey > threshold_otsu(grey)) == bright
        objects: NDArray[np.int32] = label(inside, connectivity=1).astype(np.int32)
        return objects

    def precision(smoothing: float, bright: bool) -> float:
        matcher = InstanceMatcher()
        for item in sample:
            guess = find(load_input(item.image, info, cache), smoothing, bright)
            matcher.update(guess, load_objects(item.target, info, cache))
        return matcher.scores()["ap_50"] or 0.0

    best = max(itertools.product(SMOOTHINGS, (True, False)), key=lambda choice: precision(*choice))

    def guess(loaded: Input) -> Iterator[tuple[Region, NDArray[Any]]]:
        yield _all_of(loaded), find(loaded, *best)

    return guess


def _levels(loaded: Input, levels: int) -> Iterator[tuple[Region, NDArray[np.intp]]]:
    """The grey level of each pixel, from dark to bright, block by block; all 0 where too few values are there to cut.

    The thresholds are those of the whole image, whose histogram is counted block by block.
    """
    extremes = [(grey.min(), grey.max()) for _, grey in _smoothed(loaded)]
    low, high = min(low for low, _ in extremes), max(high for _, high in extremes)
    counts, edges = np.zeros(BINS, dtype=np.int64), np.histogram_bin_edges(extremes[0], BINS, (low, high))
    for _, grey in _smoothed(loaded):
        counts += np.histogram(grey, BINS, (low, high))[0]
    cuts = _cuts(counts, (edges[:-1] + edges[1:]) / 2, levels)
    for region, grey in _smoothed(loaded):
        yield region, np.digitize(grey, cuts)


def _cuts(counts: NDArray[np.int64], centres: NDArray[np.floating], levels: int) -> NDArray[np.floating]:
    """The thresholds between so many levels; none where fewer values are there."""
    if np.count_nonzero(counts) < levels:
        return np.empty(0)
    if levels == 2:
        return np.array([threshold_otsu(hist=(counts, centres))])
    cuts: NDArray[np.floating] = threshold_multiotsu(hist=(counts / counts.sum(), centres), classes=levels)
    return cuts


def _smoothed(loaded: Input) -> Iterator[tuple[Region, NDArray[np.float32]]]:
    """Blocks of the image, grey and smoothed: each is read with what the Gaussian reaches, as if it were the whole."""
    reach = int(REACH * SMOOTHING + 0.5)
    for region in _regions(loaded):
        wide = tuple(
            slice(max(0, part.start - reach), min(n, part.stop + reach))
            for part, n in zip(region, loaded.picture.space)
        )
        inner = tuple(slice(part.start - w.start, part.stop - w.start) for part, w in zip(region, wide))
        yield region, gaussian_filter(_grey(loaded, wide), SMOOTHING, truncate=REACH)[inner]


def _grey(loaded: Input, region: Region) -> NDArray[np.float32]:
    """The mean of the standardised channels, ``region``."""
    mean: NDArray[np.float32] = loaded.standardise(loaded.picture.pixels[(slice(None), *region)]).mean(axis=0)
    return mean


def _regions(loaded: Input) -> Iterator[Region]:
    return (region[1:] for region in iter_blocks(loaded.picture.pixels, whole=1))


def _all_of(loaded: Input) -> Region:
    return tuple(slice(0, n) for n in loaded.picture.space)
