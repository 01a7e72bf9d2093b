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
from skimage.filters import threshold_otsu
from skimage.measure import label

from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.inputs import Input, load_input
from multiunet.domains.image.data.targets import load_labels, load_objects
from multiunet.domains.image.evaluation.classified import pair_objects
from multiunet.domains.image.evaluation.grey_levels import cut_levels, list_regions, read_grey, whole_of
from multiunet.domains.image.evaluation.labelled import LabelledImage
from multiunet.domains.image.evaluation.overlapping import fit_overlapping
from multiunet.domains.image.evaluation.restored import choose_from_scored, fit_restorers
from multiunet.domains.image.files.lazy import Region
from multiunet.domains.image.files.overlapping import split_files
from multiunet.domains.image.files.pairing import Item
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.labelled import Baseline, Labelled, Piece
from multiunet.domains.remarks import remark
from multiunet.metrics import InstanceMatcher

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
    files = (path for item in items for path in (item.image, *split_files(item.target)))
    moved = next((path for path in files if not Path(path).exists()), None)
    if moved is not None:
        remark(
            f"{moved}: this training file is no longer there, so the trivial methods that are fitted to training "
            "images are left out; put the training data back to see them"
        )
    if info.restoration is not None:
        resized = all(step.startswith("down") for step in info.restoration.degrade or ("",))
        return fit_restorers([] if moved else [LabelledImage(item, info, cache) for item in items], resized)
    if info.instances:
        return {} if moved else {"otsu": _score_objects(fit_otsu_objects(items, info, cache), info)}
    if info.overlapping is not None:
        return fit_overlapping([] if moved else items, info, cache)
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


def _score_objects(guess: Guess, info: ImageInfo) -> Baseline:
    """Return the baseline that gives guessed objects; of classes all are of the training's most frequent one."""
    classes = info.numbered.classes
    commonest = None if classes is None else int(np.argmax(classes.counts["train"]))

    def predict(data: Labelled) -> Iterator[Piece]:
        for image in data.items.values():
            [(_, objects)] = guess(image.load())
            of = None if commonest is None else np.full(int(objects.max(initial=0)), commonest)
            yield pair_objects(image, objects, of)

    return predict


def fit_majority(info: ImageInfo) -> Guess:
    """Return the method that guesses the class with the most training pixels everywhere."""
    commonest = int(np.argmax(info.segmented.pixels["train"]))

    def guess(loaded: Input) -> Iterator[tuple[Region, NDArray[Any]]]:
        for region in list_regions(loaded):
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
        for region, level in cut_levels(load_input(item.image, info, cache), levels):
            known = labels[region]
            counts = known >= 0
            np.add.at(votes, (level[counts], known[counts]), 1)
    classes = votes.argmax(axis=1)

    def guess(loaded: Input) -> Iterator[tuple[Region, NDArray[Any]]]:
        for region, level in cut_levels(loaded, levels):
            yield region, classes[level]

    return guess


def fit_otsu_objects(items: Sequence[Item], info: ImageInfo, cache: FileCache) -> Guess:
    """Return the method whose objects are the parts above (or below) each image's threshold (Otsu 1979).

    Parts that meet only at a corner are two: fewer objects that touch run together, so it is harder to beat.
    Smoothing and side are those that find most objects in the training images, ``FITTED`` of them at most.
    """
    sample = items[:: max(1, -(-len(items) // FITTED))]

    def find(loaded: Input, smoothing: float, bright: bool) -> NDArray[np.int32]:
        grey = gaussian_filter(read_grey(loaded, whole_of(loaded)), smoothing)
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
        yield whole_of(loaded), find(loaded, *best)

    return guess
