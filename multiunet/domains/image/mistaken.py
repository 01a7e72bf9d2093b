"""Masks that are given as images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from multiunet.domains.image import containers
from multiunet.domains.image.notes import remark
from multiunet.domains.image.readers import packed
from multiunet.domains.image.splits import Item
from multiunet.errors import InputError

MOST_LABELS = 16
"""An image of integers with more different values is no mask."""


def may_be_mask(pixels: np.ndarray) -> bool:
    """Whether an image ``(C, *space)`` has so few colours that it could be a mask."""
    if pixels.dtype.kind not in "ui" or pixels.shape[0] not in (1, 3):
        return False
    few = len(np.unique(pixels[..., ::8])) <= MOST_LABELS  # most images are told by a part of them
    return few and len(np.unique(pixels)) <= MOST_LABELS


def check_is_no_mask(item: Item, pixels: np.ndarray, labels: np.ndarray) -> None:
    """Refuses an image that is its mask; warns of one that shows nothing but the areas of its mask.

    Args:
        pixels: of the image, ``(C, *space)``, of which ``may_be_mask`` holds.
        labels: of the mask, ``space``.

    Raises:
        InputError: naming both.
    """
    shown = packed(pixels) if pixels.dtype == np.uint8 and pixels.shape[0] == 3 else pixels[0]
    fix = "give what the microscope saw as --images, and what it shows as --masks"
    one_file = Path(item.image).resolve() == Path(item.truth).resolve()
    if (one_file and not item.image.lower().endswith(tuple(containers.READERS))) or np.array_equal(shown, labels):
        raise InputError(f"{item.image}: is the same as its mask {item.truth}; {fix}")
    colours, of_colour = np.unique(shown, return_inverse=True)
    classes, of_class = np.unique(labels, return_inverse=True)
    pairs = np.unique(of_colour.ravel() * len(classes) + of_class.ravel())
    if 1 < len(colours) == len(classes) == len(pairs):
        remark(f"{item.image}: shows the areas of its mask {item.truth} in {len(colours)} values, nothing else; {fix}")
