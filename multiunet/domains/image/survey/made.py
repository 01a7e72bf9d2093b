"""Survey of images of which training pairs are made: what degrading does to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.data.degradation import make_degrading
from multiunet.domains.image.files.info_bar import read_cropped
from multiunet.domains.image.files.lazy import take_first
from multiunet.domains.image.files.pairing import Item
from multiunet.domains.image.info import Restoration
from multiunet.domains.image.survey.common import Annotations
from multiunet.domains.image.survey.images import Images
from multiunet.domains.image.survey.relation import EIGHT_BITS
from multiunet.domains.image.survey.targets import ROUNDING
from multiunet.domains.info import Quantities
from multiunet.errors import InputError
from multiunet.seeds import generator

DEGRADED = 20
"""Training images, evenly spread, that are degraded to see how much it changes them."""

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
    degrade = tuple(config.degrade or ())
    if degrade:
        difference = _measure_difference(items, images, config)
        reason = f"pairs are made by `degrade={','.join(degrade)}`"
    else:
        difference, reason = known.deviation, "hidden pixels are told from their neighbours: noise cannot be"
    restoration = Restoration(
        difference=difference,
        data_range=EIGHT_BITS if images.fingerprint.kinds == {"uint8"} else images.highest - images.lowest,
        reason=reason,
        degrade=degrade,
        blind=not degrade,
        noise=config.noise_level,
    )
    return Annotations(quantities, None, restoration=restoration)


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
        picture, _ = read_cropped(Path(item.image), config.crop_bar, config.read_channels)
        pixels = take_first(picture.pixels, images.channels)[...].astype(np.float32)
        changed = degrading(pixels, generator("pair", item.name)) - pixels
        total += np.square(changed, dtype=np.float64).reshape(images.channels, -1).sum(axis=1)
        count += changed[0].size
    found = np.sqrt(total / count)
    if (found <= ROUNDING * np.asarray(images.intensities("train").deviation)).any():
        raise InputError(
            f"`degrade={','.join(config.degrade or ())}` does not change the training images; degrade more"
        )
    return tuple(found.tolist())
