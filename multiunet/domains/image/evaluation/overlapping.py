"""Trivial methods for classes that may overlap: frequency, everywhere, a threshold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.inputs import Input, load_input
from multiunet.domains.image.data.targets import load_labels
from multiunet.domains.image.evaluation.grey_levels import cut_levels, list_regions
from multiunet.domains.image.files.lazy import Region
from multiunet.domains.image.files.overlapping import unpack
from multiunet.domains.image.files.pairing import Item
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.labelled import Baseline, Labelled, Piece

Levels = NDArray[np.float32]
Guess = Callable[[Input], Iterator[tuple[Region, Levels]]]
"""Trivial method: regions that partition an image, and probabilities guessed there, ``(K, *region)``."""


def fit_overlapping(items: Sequence[Item], info: ImageInfo, cache: FileCache) -> dict[str, Baseline]:
    """Fit trivial methods to the training images, by name.

    - ``frequency``: the share of the training pixels that have a class, as its probability, everywhere;
    - ``everywhere``: each class at each pixel, the constant answer of the largest Dice score;
    - ``otsu``: each image cut at its threshold (Otsu 1979); the probability is the share of the training pixels on this
      side that have the class, and it is there where that makes the training's Dice score largest.

    Args:
        items: the training images; empty where their files are gone, and ``otsu`` is left out.
    """
    shares = np.array(info.labels.shares, dtype=np.float32)
    found: dict[str, Guess] = {"frequency": fit_constant(shares), "everywhere": fit_constant(np.ones_like(shares))}
    if items:
        found["otsu"] = fit_otsu_labels(items, info, cache)
    return {name: _score(guess) for name, guess in found.items()}


def _score(guess: Guess) -> Baseline:
    def predict(data: Labelled) -> Iterator[Piece]:
        for name, image in data.items.items():
            labels, count = image.target(), len(image.info.values)
            for region, p in guess(image.load()):
                target = unpack(np.ascontiguousarray(labels[region]), count)
                yield Piece(torch.from_numpy(p)[None], torch.from_numpy(target)[None], item=name)

    return predict


def fit_constant(p: NDArray[np.float32]) -> Guess:
    """Return the method that guesses these probabilities, one a class, at each pixel."""

    def guess(loaded: Input) -> Iterator[tuple[Region, Levels]]:
        for region in list_regions(loaded):
            sides = [part.stop - part.start for part in region]
            yield region, np.broadcast_to(p.reshape(-1, *(1,) * len(sides)), (len(p), *sides)).copy()

    return guess


def fit_otsu_labels(items: Sequence[Item], info: ImageInfo, cache: FileCache) -> Guess:
    """Return the method that guesses each class on the dark side, the bright one, or both.

    What is chosen fits the training masks best.
    """
    count = len(info.values)
    has, known = np.zeros((2, count)), np.zeros((2, count))
    for item in items:
        labels = load_labels(item.target, info, cache)
        for region, level in cut_levels(load_input(item.image, info, cache), 2):
            truth = unpack(np.ascontiguousarray(labels[region]), count)
            for side in range(2):
                own = truth[:, level == side]
                has[side] += np.nansum(own, axis=1)
                known[side] += (~np.isnan(own)).sum(axis=1)
    table = _choose_sides(has, known)

    def guess(loaded: Input) -> Iterator[tuple[Region, Levels]]:
        for region, level in cut_levels(loaded, 2):
            yield region, np.moveaxis(table[level], -1, 0).copy()

    return guess


def _choose_sides(has: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the probability of each class on both sides, ``(2, classes)``: above 1/2 where its Dice score asks for it.

    Args:
        has, known: pixels that have the class, and of which it is known, ``(2, classes)``.
    """
    sides = np.array([[True, False], [False, True], [True, True]])
    with np.errstate(invalid="ignore"):
        dice = np.stack([2 * has[side].sum(axis=0) / (known[side].sum(axis=0) + has.sum(axis=0)) for side in sides])
        p = has / known
    chosen = sides[np.nan_to_num(dice).argmax(axis=0)].T
    # the order of the sides stays: what is chosen lies above 1/2, what is not below
    moved = np.where(chosen, 0.5 + np.nan_to_num(p) / 2, np.nan_to_num(p) / 2)
    fits = (np.nan_to_num(p) > 0.5) == chosen
    table: NDArray[np.float32] = np.where(fits, np.nan_to_num(p), moved).astype(np.float32)
    return table
