"""Trivial methods of restoration: the image as it is, and a Gaussian filter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from multiunet.domains.image.evaluation.labelled import LabelledImage
from multiunet.domains.labelled import Baseline, Labelled, Piece

FITTED = 20
"""Images that choose the Gaussian filter."""

DEVIATIONS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0, 4.0)
"""Of the Gaussian filters that are tried, pixels."""

Floats = NDArray[np.float32]
Restore = Callable[[Floats], Floats]
"""Function that restores an image ``(C, *space)``."""


def fit_restorers(images: Sequence[LabelledImage], resized: bool = False) -> dict[str, Baseline]:
    """Fit trivial methods by their names: the input, and the Gaussian filter of the least squared error.

    Args:
        images: the validation images, or the training images where nothing is validated; without any, the input is the
            only method.
        resized: inputs are small images that bicubic interpolation enlarged; the input is called that.
    """
    found = {"bicubic" if resized else "input": _score(lambda pixels: pixels)}
    if images:
        deviation = fit_deviation(images)
        found["gaussian"] = _score(lambda pixels: smooth(pixels, deviation))
    return found


def choose_from_scored() -> dict[str, Baseline]:
    """Return the same methods where training had no clean image: the scored ones choose the filter.

    That favours it.
    """

    def predict(data: Labelled) -> Iterator[Piece]:
        deviation = fit_deviation(list(data.items.values()))
        yield from _score(lambda pixels: smooth(pixels, deviation))(data) or ()

    return {"input": _score(lambda pixels: pixels), "gaussian": predict}


def fit_deviation(images: Sequence[LabelledImage]) -> float:
    """Return the deviation, pixels, of the Gaussian filter with the least squared error on these images.

    Of many, ``FITTED`` are looked at, evenly spread.
    """
    errors = np.zeros(len(DEVIATIONS))
    for image in images[:: max(1, -(-len(images) // FITTED))]:
        pixels, target = _read(image)
        known = ~np.isnan(target)
        for place, deviation in enumerate(DEVIATIONS):
            errors[place] += float(np.square(smooth(pixels, deviation) - target, dtype=np.float64)[known].mean())
    return DEVIATIONS[int(errors.argmin())]


def smooth(pixels: Floats, deviation: float) -> Floats:
    """Return the image ``(C, *space)`` behind a Gaussian filter."""
    blurred: Floats = gaussian_filter(pixels, (0, *(deviation,) * (pixels.ndim - 1)), mode="mirror")
    return blurred


def _score(restore: Restore) -> Baseline:
    """Return the baseline that restores images so, and states no variance."""

    def predict(data: Labelled) -> Iterator[Piece]:
        for name, image in data.items.items():
            pixels, target = _read(image)
            yield Piece(torch.from_numpy(restore(pixels))[None], torch.from_numpy(target)[None], item=name)

    return predict


def _read(image: LabelledImage) -> tuple[Floats, Floats]:
    """An image and its target, ``(C, *space)`` each, in the units of the target."""
    pixels: Floats = image.load().picture.pixels[...].astype(np.float32)
    target: Floats = image.target()[...]
    return pixels, target
