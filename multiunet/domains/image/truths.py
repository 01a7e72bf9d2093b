"""What is to be predicted of images: classes, objects and quantities of pixels, from their masks and targets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.domain import Facts
from multiunet.domains.image.bar import without_rows
from multiunet.domains.image.lazy import Pixels, blocks, check_fits, held, mapped, values_in
from multiunet.domains.image.masks import ColouredMask, colour_name, read_mask
from multiunet.domains.image.objects import compact, learnt
from multiunet.domains.image.palettes import Palettes
from multiunet.domains.image.readers import read_target
from multiunet.domains.image.shelf import Shelf
from multiunet.errors import InputError
from multiunet.losses import border_weights

IGNORED = -1

NUMBERING = 32
"""Bytes a pixel that it takes to read the objects of a mask."""


def load_labels(path: str, facts: Facts, shelf: Shelf) -> Pixels:
    """The class of each pixel, int16 ``space``; -1 where it does not count.

    Raises:
        InputError: when the file cannot be read or holds a value that training did not know.
    """

    def read() -> Pixels:
        if facts.get("instances"):
            return learnt(load_objects(path, facts, shelf), facts["instances"]["touching"], facts["spacing"])
        labels = without_rows(read_mask(Path(path), facts["coloured"]), _bar_of_truth(path, facts))
        if facts.get("palettes"):
            used = {int(value) for region in blocks(labels) for value in values_in(labels[region])[0]}
            Palettes.from_json(facts["palettes"]).check(path, used)
        return mapped(labels, lambda block: as_classes(block, facts, path), np.int16)

    return shelf.get("mask", path, read, held)


def load_objects(path: str, facts: Facts, shelf: Shelf) -> NDArray[np.int32]:
    """The number of each pixel's object, ``space``: 1, 2, ...; 0 outside, -1 where it does not count.

    Raises:
        InputError: see ``read_objects``.
    """

    def read() -> NDArray[np.int32]:
        objects: NDArray[np.int32] = without_rows(
            read_objects(path, facts["ignore_value"]), _bar_of_truth(path, facts)
        )[...]
        return objects

    return shelf.get("objects", path, read, held)


def read_objects(path: str, ignore_value: int | None) -> NDArray[np.int32]:
    """As ``load_objects``, from the file, which is read whole, with the rows that lie on an information bar.

    Raises:
        InputError: when the file cannot be read, or numbers objects by negative or fractional values, or by colours,
            or does not fit into memory.
    """
    try:
        pixels = read_mask(Path(path), numbered=True)
    except ColouredMask:
        raise InputError(
            f"{path}: is in colours; --instances needs one integer a pixel, the number of its object"
        ) from None
    check_fits(Path(path), "numbering its objects", NUMBERING * pixels.size, "cut it and its image into smaller ones")
    labels: np.ndarray = pixels[...]
    negative = (labels < 0) & (labels != (0 if ignore_value is None else ignore_value))
    if negative.any():
        raise InputError(
            f"{path}: value {labels[negative][0]} in {np.count_nonzero(negative)} pixels; objects have positive "
            f"numbers, and 0 is outside; of pixels that do not count, pass --ignore-value {labels[negative][0]}"
        )
    return compact(labels, ignore_value)


@dataclass(frozen=True)
class Border:
    """How much pixels between objects count; see ``border_weights``."""

    weight: float
    sigma: float


def load_border(path: str, facts: Facts, shelf: Shelf, border: Border) -> NDArray[np.float32]:
    """The weight of each pixel, ``space``."""

    def compute() -> NDArray[np.float32]:
        return border_weights(load_objects(path, facts, shelf), border.weight, border.sigma, facts["spacing"])

    return shelf.get("border", path, compute, held)


def as_classes(labels: np.ndarray, facts: Facts, path: str) -> NDArray[np.int16]:
    """Mask values as indices of classes."""
    values = np.asarray(facts["values"], dtype=np.int64)
    labels = labels.astype(np.int64)
    index = np.minimum(np.searchsorted(values, labels), len(values) - 1)
    unknown = values[index] != labels
    ignored = np.zeros_like(unknown) if facts["ignore_value"] is None else labels == facts["ignore_value"]
    if (unknown & ~ignored).any():
        value = labels[unknown & ~ignored][0]
        shown = colour_name if facts["coloured"] else str
        raise InputError(
            f"{path}: value {shown(int(value))} in {np.count_nonzero(labels == value)} pixels is none of the training "
            f"masks' {', '.join(map(shown, facts['values']))}"
        )
    return np.where(ignored, IGNORED, index).astype(np.int16)


def load_target(path: str, facts: Facts, shelf: Shelf) -> Pixels:
    """An image of quantities, float32 ``(K, *space)``; NaN where unknown."""

    def read() -> Pixels:
        target = read_target(Path(path), facts.get("ignore_value"))
        return without_rows(target.pixels, _bar_of_truth(path, facts))

    return shelf.get("target", path, read, held)


def _bar_of_truth(path: str, facts: Facts) -> int:
    rows: int = facts.get("truth_bars", {}).get(path, 0)
    return rows
