"""What is to be predicted of images: classes, objects and quantities of pixels, from their masks and targets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.domain import Facts
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.instances import encode_objects, renumber
from multiunet.domains.image.files.info_bar import drop_rows
from multiunet.domains.image.files.lazy import (
    Pixels,
    bytes_in_memory,
    check_fits,
    count_values,
    iter_blocks,
    map_values,
)
from multiunet.domains.image.files.masks import ColouredMask, colour_name, read_mask
from multiunet.domains.image.files.palettes import Palettes
from multiunet.domains.image.files.readers import read_target
from multiunet.errors import InputError
from multiunet.losses import border_weights

IGNORED = -1

UNKNOWN = -2
"""In place of a class: a value that training did not know."""

NUMBERING = 32
"""Bytes a pixel that it takes to read the objects of a mask."""


def read_annotation(path: str, facts: Facts, checked: bool = False) -> Pixels:
    """The values of a mask, integers ``space``, or a target, float32 ``(K, *space)``, as they are in the file: with the
    rows that lie on an information bar.

    Args:
        checked: it was read before; see ``read_mask``.

    Raises:
        InputError: when the file cannot be read, or its values cannot be labels.
    """
    if facts["task"] == "regression":
        return read_target(Path(path), facts.get("ignore_value")).pixels
    if facts.get("instances"):
        return _read_numbered(path, checked)
    return read_mask(Path(path), facts["coloured"], checked=checked)


def load_labels(path: str, facts: Facts, cache: FileCache, checked: bool = True) -> Pixels:
    """The class of each pixel, int16 ``space``; -1 where it does not count.

    Args:
        checked: it is one of the training data, which ``survey`` checked.

    Raises:
        InputError: when the file cannot be read or holds a value that training did not know.
    """

    def read() -> Pixels:
        if facts.get("instances"):
            objects = load_objects(path, facts, cache, checked)
            return encode_objects(objects, facts["instances"]["touching"], facts["spacing"])
        labels = drop_rows(read_annotation(path, facts, checked), _get_info_bar(path, facts))
        if facts.get("palettes") and not checked:
            used = {int(value) for region in iter_blocks(labels) for value in count_values(labels[region])[0]}
            Palettes.from_json(facts["palettes"]).check(path, used)
        return map_values(labels, lambda block: find_classes(block, facts, path), np.int16)

    how = _describe_reading(path, facts, "values", "ignore_value", "instances", "spacing")
    return cache.get("mask", path, read, bytes_in_memory, how)


def load_objects(path: str, facts: Facts, cache: FileCache, checked: bool = True) -> NDArray[np.int32]:
    """The number of each pixel's object, ``space``: 1, 2, ...; 0 outside, -1 where it does not count.

    Args:
        checked: it is one of the training data, which ``survey`` checked.

    Raises:
        InputError: see ``read_objects``.
    """

    def read() -> NDArray[np.int32]:
        objects: NDArray[np.int32] = drop_rows(
            read_objects(path, facts["ignore_value"], checked), _get_info_bar(path, facts)
        )[...]
        return objects

    return cache.get("objects", path, read, bytes_in_memory, _describe_reading(path, facts, "ignore_value"))


def read_objects(path: str, ignore_value: int | None, checked: bool = False) -> NDArray[np.int32]:
    """As ``load_objects``, from the file, which is read whole, with the rows that lie on an information bar.

    Raises:
        InputError: when the file cannot be read, or numbers objects by negative or fractional values, or by colours,
            or does not fit into memory.
    """
    pixels = _read_numbered(path, checked)
    check_fits(Path(path), "numbering its objects", NUMBERING * pixels.size, "cut it and its image into smaller ones")
    labels: np.ndarray = pixels[...]
    negative = (labels < 0) & (labels != (0 if ignore_value is None else ignore_value))
    if negative.any():
        raise InputError(
            f"{path}: value {labels[negative][0]} in {np.count_nonzero(negative)} pixels; objects have positive "
            f"numbers, and 0 is outside; of pixels that do not count, pass --ignore-value {labels[negative][0]}"
        )
    return renumber(labels, ignore_value)


def _read_numbered(path: str, checked: bool) -> Pixels:
    try:
        return read_mask(Path(path), numbered=True, checked=checked)
    except ColouredMask:
        raise InputError(
            f"{path}: is in colours; --instances needs one integer a pixel, the number of its object"
        ) from None


@dataclass(frozen=True)
class Border:
    """How much pixels between objects count; see ``border_weights``."""

    weight: float
    sigma: float


def load_border(path: str, facts: Facts, cache: FileCache, border: Border) -> NDArray[np.float32]:
    """The weight of each pixel, ``space``."""

    def compute() -> NDArray[np.float32]:
        return border_weights(load_objects(path, facts, cache), border.weight, border.sigma, facts["spacing"])

    return cache.get(
        "border",
        path,
        compute,
        bytes_in_memory,
        f"{border} {_describe_reading(path, facts, 'ignore_value', 'spacing')}",
    )


def find_classes(labels: np.ndarray, facts: Facts, path: str) -> NDArray[np.int16]:
    """Mask values as indices of classes, ``IGNORED`` where they do not count.

    Raises:
        InputError: for a value that training did not know.
    """
    values, ignored = np.asarray(facts["values"], dtype=np.int64), facts["ignore_value"]
    short = labels.dtype in (np.uint8, np.uint16)
    classes = (_look_up if short else _search)(labels, values, ignored)
    unknown = classes == UNKNOWN
    if unknown.any():
        value = labels[unknown][0]
        shown = colour_name if facts["coloured"] else str
        raise InputError(
            f"{path}: value {shown(int(value))} in {np.count_nonzero(labels == value)} pixels is none of the training "
            f"masks' {', '.join(map(shown, facts['values']))}"
        )
    return classes


def _look_up(labels: np.ndarray, values: NDArray[np.int64], ignored: int | None) -> NDArray[np.int16]:
    """``_search`` for unsigned integers of few bits: all of their values fit into a table."""
    classes: NDArray[np.int16] = _search(np.arange(np.iinfo(labels.dtype).max + 1), values, ignored)[labels]
    return classes


def _search(labels: np.ndarray, values: NDArray[np.int64], ignored: int | None) -> NDArray[np.int16]:
    """The place of each label among the values, which ascend; ``UNKNOWN`` where it is none of them."""
    labels = labels.astype(np.int64)
    place = np.minimum(np.searchsorted(values, labels), len(values) - 1)
    classes = np.where(values[place] == labels, place, UNKNOWN).astype(np.int16)
    if ignored is not None:
        classes[labels == ignored] = IGNORED
    return classes


def load_target(path: str, facts: Facts, cache: FileCache) -> Pixels:
    """An image of quantities, float32 ``(K, *space)``; NaN where unknown."""

    def read() -> Pixels:
        return drop_rows(read_annotation(path, facts), _get_info_bar(path, facts))

    return cache.get("target", path, read, bytes_in_memory, _describe_reading(path, facts, "ignore_value"))


def _describe_reading(path: str, facts: Facts, *names: str) -> str:
    """What a reading depends on beside its file: the rows that are cut off, and these facts, in which folds of a
    cross-validation may differ."""
    return repr([_get_info_bar(path, facts), *(facts.get(name) for name in names)])


def _get_info_bar(path: str, facts: Facts) -> int:
    rows: int = facts.get("target_bars", {}).get(path, 0)
    return rows
