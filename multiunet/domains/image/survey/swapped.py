"""Swapped masks: masks that are given as images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from multiunet.domains.image.files.formats import CONTAINERS, ending_of
from multiunet.domains.image.files.lazy import Pixels, count_values, iter_blocks
from multiunet.domains.image.files.masks import pack_colours
from multiunet.domains.image.files.pairing import Item
from multiunet.domains.image.files.places import split_place
from multiunet.domains.remarks import remark
from multiunet.errors import InputError

MOST_LABELS = 16
"""An image of integers with more different values is taken for no mask."""


def looks_like_mask(pixels: Pixels) -> bool:
    """Return True for an image ``(C, *space)`` of so few colours that it could be a mask."""
    if pixels.dtype.kind not in "ui" or pixels.shape[0] not in (1, 3):
        return False
    values: set[int] = set()
    for region in iter_blocks(pixels):
        values.update(count_values(pixels[region])[0].tolist())
        if len(values) > MOST_LABELS:
            return False
    return True


def check_not_mask(item: Item, pixels: Pixels, labels: Pixels) -> None:
    """Check that an image is not its mask; warn of one that shows only the areas of its mask.

    Args:
        pixels: of the image, ``(C, *space)``, of which ``looks_like_mask`` holds.
        labels: of the mask, ``space``.

    Raises:
        InputError: naming both.
    """
    painted = pixels.dtype == np.uint8 and pixels.shape[0] == 3
    same, pairs = True, set[tuple[int, int]]()
    for region in iter_blocks(labels):
        block, own = pixels[(slice(None), *region)], labels[region]
        shown = pack_colours(block) if painted else block[0]
        same = same and np.array_equal(shown, own)
        colours, of_colour = np.unique(shown, return_inverse=True)
        classes, of_class = np.unique(own, return_inverse=True)
        met = np.unique(of_colour.ravel() * len(classes) + of_class.ravel())
        pairs.update(zip(colours[met // len(classes)].tolist(), classes[met % len(classes)].tolist()))
    fix = "give what the microscope saw as `images`, and what it shows as `masks`"
    one_file = Path(item.image).resolve() == Path(item.target).resolve()
    holds_both = ending_of(split_place(Path(item.image))[0].name) in CONTAINERS
    if (one_file and not holds_both) or same:
        raise InputError(f"{item.image}: is the same as its mask {item.target}; {fix}")
    of_image, of_mask = {colour for colour, _ in pairs}, {value for _, value in pairs}
    if 1 < len(of_image) == len(of_mask) == len(pairs):
        remark(f"{item.image}: shows only the areas of its mask {item.target} in {len(of_image)} values; {fix}")
