"""Survey of images of which training pairs are made: what degrading does to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.data.degradation import make_degrading
from multiunet.domains.image.files.info_bar import read_cropped
from multiunet.domains.image.files.lazy import take_first
from multiunet.domains.image.files.pairing import Item
from multiunet.domains.image.survey.common import Annotations
from multiunet.domains.image.survey.images import Images
from multiunet.domains.image.survey.relation import EIGHT_BITS
from multiunet.domains.image.survey.targets import ROUNDING
from multiunet.domains.image.target_info import Restoration
from multiunet.domains.info import Quantities
from multiunet.errors import InputError
from multiunet.models.neighbours import average_neighbours
from multiunet.seeds import generator

DEGRADED = 20
"""Training images, evenly spread, that are degraded to see how much it changes them."""

SMOOTHINGS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
"""Deviations of Gaussian filters, pixels, of which one is chosen."""

MIDDLE = 2**20
"""Pixels of an image that are looked at, from its middle."""

FEWEST_LEFT = 4
"""Pixels of the shortest axis that ``down`` must leave."""


def survey_made(items: Sequence[Item], images: Images, config: ImageTrain) -> Annotations:
    """Return the channels of the images as quantities, and how pairs are made of them.

    Raises:
        InputError: for images that are the same everywhere, too small for ``down``, or not changed by ``degrade``.
    """
    known = images.intensities("train")
    if images.lowest == images.highest:
        raise InputError(f"{config.images}: the images are {images.lowest:g} everywhere; nothing to learn")
    names = ["target"] if images.channels == 1 else [f"target{i}" for i in range(images.channels)]
    quantities = Quantities(names=tuple(names), centre=known.mean, scale=known.deviation)
    degrade, smoothing = tuple(config.degrade or ()), None
    if degrade:
        difference = _measure_difference(items, images, config)
        reason = f"pairs are made by `degrade={','.join(degrade)}`"
    else:
        smoothing, difference = _choose_smoothing(items, images, config)
        reason = (
            "hidden pixels are told from their neighbours: noise cannot be; the network begins as a Gaussian filter of "
            f"{smoothing:g} pixels without the pixel itself"
        )
    restoration = Restoration(
        difference=difference,
        data_range=EIGHT_BITS if images.fingerprint.kinds == {"uint8"} else images.highest - images.lowest,
        reason=reason,
        degrade=degrade,
        blind=not degrade,
        noise=config.noise_level,
        smoothing=smoothing,
    )
    return Annotations(quantities, None, restoration=restoration)


def _choose_smoothing(items: Sequence[Item], images: Images, config: ImageTrain) -> tuple[float, tuple[float, ...]]:
    """Choose the Gaussian filter of neighbours that tells hidden pixels best; return its deviation and its error.

    A pixel's own noise is not in its neighbours, so what tells noisy pixels best tells clean ones best (Batson & Royer
    2019, "Noise2Self", prop. 1). The error is the root of the mean squared one, by channel.
    """
    totals, count = np.zeros((len(SMOOTHINGS), images.channels)), 0
    for item in items[:: max(1, -(-len(items) // DEGRADED))]:
        pixels = torch.from_numpy(_read_middle(item, images, config))[None]
        for place, deviation in enumerate(SMOOTHINGS):
            off = average_neighbours(pixels, deviation) - pixels
            totals[place] += off.double().square().flatten(2).sum(dim=2)[0].numpy()
        count += pixels[0, 0].numel()
    errors = np.sqrt(totals / count)
    best = int(np.argmin((errors / np.asarray(images.intensities("train").deviation)).sum(axis=1)))
    return SMOOTHINGS[best], tuple(np.maximum(errors[best], np.finfo(np.float32).eps).tolist())


def _read_middle(item: Item, images: Images, config: ImageTrain) -> NDArray[np.float32]:
    """Return the middle of an image, ``(C, *space)``, a million pixels at most."""
    picture, _ = read_cropped(Path(item.image), config.crop_bar, config.read_channels)
    pixels = take_first(picture.pixels, images.channels)
    space = pixels.shape[1:]
    side = round(MIDDLE ** (1 / len(space)))
    middle = [slice(max(0, n // 2 - side // 2), n // 2 - side // 2 + side) for n in space]
    found: NDArray[np.float32] = pixels[(slice(None), *middle)].astype(np.float32)
    return found


def _measure_difference(items: Sequence[Item], images: Images, config: ImageTrain) -> tuple[float, ...]:
    """Root of the mean squared difference of images and their degraded forms, by channel."""
    degrading, total, count = make_degrading(config.degrade or ()), np.zeros(images.channels), 0
    for item in items:
        shortest = min(images.shapes[item.image])
        if shortest < FEWEST_LEFT * degrading.factor:
            raise InputError(
                f"{item.image}: `degrade` leaves fewer than {FEWEST_LEFT} of its {shortest} pixels along an axis; give "
                "larger images, or go down less"
            )
    for item in items[:: max(1, -(-len(items) // DEGRADED))]:
        pixels = _read_middle(item, images, config)
        changed = degrading(pixels, generator("pair", item.name)) - pixels
        total += np.square(changed, dtype=np.float64).reshape(images.channels, -1).sum(axis=1)
        count += changed[0].size
    found = np.sqrt(total / count)
    if (found <= ROUNDING * np.asarray(images.intensities("train").deviation)).any():
        raise InputError(
            f"`degrade={','.join(config.degrade or ())}` does not change the training images; degrade more"
        )
    return tuple(found.tolist())
