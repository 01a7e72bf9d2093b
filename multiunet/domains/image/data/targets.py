"""Targets of images: classes, objects and quantities of pixels, from their masks and target files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.density import draw_density
from multiunet.domains.image.data.instances import Touching, encode_objects, renumber
from multiunet.domains.image.data.object_classes import join_classes
from multiunet.domains.image.files.dots import read_dots
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
from multiunet.domains.image.files.overlapping import choose_places, places_of, read_overlapping, used_places
from multiunet.domains.image.files.palettes import Palettes
from multiunet.domains.image.files.readers import read_target
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.target_info import Overlapping
from multiunet.errors import InputError
from multiunet.losses import border_weights
from multiunet.wording import counted

IGNORED = -1

UNKNOWN = -2
"""In place of a class: a value that training did not know."""

NUMBERING = 32
"""Bytes a pixel that it takes to read the objects of a mask."""


def read_annotation(path: str, info: ImageInfo, checked: bool = False) -> Pixels:
    """Read a mask, integers ``space``, or a target, float32 ``(K, *space)``, information bar included.

    Of classes that may overlap the integers are bits of their places: see ``read_overlapping``.

    Args:
        checked: it was read before; see ``read_mask``.

    Raises:
        InputError: when the file cannot be read, or its values cannot be labels.
    """
    if info.regression:
        # what images should look like, of pairs that are made of them, has their channels
        alike = info.restoration is not None and info.restoration.made
        return read_target(Path(path), info.ignore_value, info.read_channels if alike else ()).pixels
    if info.overlapping is not None:
        return _read_overlapping(path, info, checked)
    if info.instances:
        return _read_numbered(path, checked)
    return read_mask(Path(path), info.segmented.coloured, checked=checked)


def load_annotation(path: str, info: ImageInfo, cache: FileCache) -> Pixels:
    """Load a mask or target as a survey reads it: values, objects or quantities, without information bar.

    Of dots these are their places: what is drawn of them may differ in its last bit on another machine.
    """
    if info.instances is not None:
        return load_objects(path, info, cache)
    if info.dots is not None:
        return read_dots(Path(path), info.dots.spaces[path])
    return drop_rows(read_annotation(path, info, checked=True), _get_info_bar(path, info))


def load_labels(path: str, info: ImageInfo, cache: FileCache, checked: bool = True) -> Pixels:
    """Load the class of each pixel, int16 ``space``; -1 where it does not count.

    Of classes that may overlap, load the bits of each pixel, int64 ``space``: see ``unpack``.

    Args:
        checked: it is one of the training data, which ``survey`` checked.

    Raises:
        InputError: when the file cannot be read or holds a value that training did not know.
    """

    def read() -> Pixels:
        if info.instances:
            objects = load_objects(path, info, cache, checked)
            parts = encode_objects(objects, info.instances.encoding, info.spacing)
            return np.maximum(label_objects(parts, objects, path, info), IGNORED)
        labels = drop_rows(read_annotation(path, info, checked), _get_info_bar(path, info))
        if (own := info.overlapping) is not None:
            return map_values(labels, lambda block: _find_labels(block, own, info, path), np.int64)
        if not checked and info.segmented.palettes:
            used = {int(value) for region in iter_blocks(labels) for value in count_values(labels[region])[0]}
            Palettes.from_json(info.segmented.palettes).check(path, used)
        return map_values(labels, lambda block: find_classes(block, info, path), np.int16)

    how = _describe_reading(path, info, "values", "ignore_value", "spacing", "overlapping")
    if (objects := info.instances) is not None:
        how += repr([objects.encoding, None if objects.classes is None else objects.classes.of[path]])
    return cache.get("mask", path, read, bytes_in_memory, how)


def label_objects(
    parts: NDArray[np.int16], objects: NDArray[np.int32], path: str, info: ImageInfo
) -> NDArray[np.int16]:
    """Return the label of each pixel of numbered objects: its part, with the object's class, if any.

    Args:
        parts: class that encodes each pixel, ``space``; see ``encode_objects``.
        objects: of the mask ``path``, ``space``.
    """
    classes = info.numbered.classes
    return parts if classes is None else join_classes(parts, objects, classes.of[path], len(classes.names))


def load_objects(path: str, info: ImageInfo, cache: FileCache, checked: bool = True) -> NDArray[np.int32]:
    """Load the number of each pixel's object, ``space``: 1, 2, ...; 0 outside, -1 where it does not count.

    Args:
        checked: it is one of the training data, which ``survey`` checked.

    Raises:
        InputError: see ``read_objects``.
    """

    def read() -> NDArray[np.int32]:
        objects: NDArray[np.int32] = drop_rows(
            read_objects(path, info.ignore_value, checked), _get_info_bar(path, info)
        )[...]
        return objects

    return cache.get("objects", path, read, bytes_in_memory, _describe_reading(path, info, "ignore_value"))


def read_objects(path: str, ignore_value: int | None, checked: bool = False) -> NDArray[np.int32]:
    """Read the object numbers of a mask file whole, information bar included; as ``load_objects``.

    Raises:
        InputError: when the file cannot be read, or numbers objects by negative or fractional values, or by colours,
            or does not fit into memory.
    """
    pixels = _read_numbered(path, checked)
    check_fits(Path(path), "numbering its objects", NUMBERING * pixels.size, "cut it and its image into smaller ones")
    labels: np.ndarray = pixels[...]
    negative = (labels < 0) & (labels != (0 if ignore_value is None else ignore_value))
    if negative.any():
        value, count = labels[negative][0], int(np.count_nonzero(negative))
        raise InputError(
            f"{path}: value {value} in {counted(count, 'pixel')}; objects have positive numbers, and 0 is outside; "
            f"of pixels that do not count, pass `ignore_value={value}`"
        )
    return renumber(labels, ignore_value)


def list_numbers(path: str, ignore_value: int | None) -> NDArray[np.integer]:
    """List the numbers that a mask gives its objects, ascending.

    Raises:
        InputError: when the file cannot be read.
    """
    numbers = np.unique(_read_numbered(path, checked=True)[...])
    found: NDArray[np.integer] = numbers[(numbers != 0) & (numbers != (0 if ignore_value is None else ignore_value))]
    return found


def _read_numbered(path: str, checked: bool) -> Pixels:
    try:
        return read_mask(Path(path), numbered=True, checked=checked)
    except ColouredMask:
        raise InputError(
            f"{path}: is in colours; `instances` needs one integer a pixel, the number of its object"
        ) from None


@dataclass(frozen=True)
class Border:
    """Weights of pixels between objects, see ``border_weights``, and the encoding of objects."""

    encoding: Touching
    weight: float
    sigma: float


def load_border(path: str, info: ImageInfo, cache: FileCache, border: Border) -> NDArray[np.float32]:
    """Load the border weight of each pixel, ``space`` float32."""

    def compute() -> NDArray[np.float32]:
        return border_weights(load_objects(path, info, cache), border.weight, border.sigma, info.spacing)

    return cache.get(
        "border",
        path,
        compute,
        bytes_in_memory,
        f"{border} {_describe_reading(path, info, 'ignore_value', 'spacing')}",
    )


def find_classes(labels: np.ndarray, info: ImageInfo, path: str) -> NDArray[np.int16]:
    """Return mask values as indices of classes, ``IGNORED`` where they do not count.

    Raises:
        InputError: for a value that training did not know.
    """
    values, ignored = np.asarray(info.values, dtype=np.int64), info.ignore_value
    short = labels.dtype in (np.uint8, np.uint16)
    classes = (_look_up if short else _search)(labels, values, ignored)
    unknown = classes == UNKNOWN
    if unknown.any():
        value = labels[unknown][0]
        count = int(np.count_nonzero(labels == value))
        shown = colour_name if info.segmented.coloured else str
        raise InputError(
            f"{path}: value {shown(int(value))} in {counted(count, 'pixel')} is none of "
            f"the training masks' {', '.join(map(shown, info.values))}; relabel it, or train with such masks, too"
        )
    return classes


def _read_overlapping(path: str, info: ImageInfo, checked: bool) -> Pixels:
    known, found = info.overlaps, read_overlapping(path, info.ndim, info.ignore_value, checked)
    if (found.layout, found.places) != (known.layout, len(known.places) if known.layout != "bits" else 0):
        has = "one channel" if found.layout == "bits" else f"{found.places} {found.layout}"
        wanted = "bits of one channel" if known.layout == "bits" else f"{len(known.places)} {known.layout}"
        raise InputError(f"{path}: has {has}, but the classes of the training masks are {wanted}; save it so, too")
    return found.bits


def _find_labels(bits: NDArray[np.int64], known: Overlapping, info: ImageInfo, path: str) -> NDArray[np.int64]:
    """Return the bits of places as those of the classes.

    Raises:
        InputError: for a bit that training did not know.
    """
    beyond = used_places(bits) & ~sum(1 << place for place in known.places)
    if beyond:
        place = places_of(beyond)[0]
        count = int(np.count_nonzero(bits >> place & 1))
        raise InputError(
            f"{path}: bit {place} (value {1 << place}) in {counted(count, 'pixel')} is none of the classes' bits "
            f"({', '.join(map(str, known.places))}: {', '.join(info.target.names)}); clear it, or train with such masks"
        )
    return choose_places(bits, known.places)


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


def load_target(path: str, info: ImageInfo, cache: FileCache) -> Pixels:
    """Load an image of quantities, or the density of dots, float32 ``(K, *space)``; NaN where unknown."""
    if (dots := info.dots) is not None:
        space = dots.spaces[path]
        how = repr([space, dots.sigma])
        draw = lambda: draw_density(read_dots(Path(path), space), space, dots.sigma, path)  # noqa: E731
        return cache.get("density", path, draw, bytes_in_memory, how)

    def read() -> Pixels:
        return drop_rows(read_annotation(path, info), _get_info_bar(path, info))

    return cache.get("target", path, read, bytes_in_memory, _describe_reading(path, info, "ignore_value"))


def _describe_reading(path: str, info: ImageInfo, *names: str) -> str:
    """Everything but the file that a reading depends on; folds of a cross-validation may differ in these fields."""
    return repr([_get_info_bar(path, info), *(getattr(info, name) for name in names)])


def _get_info_bar(path: str, info: ImageInfo) -> int:
    return info.target_bars.get(path, 0)
