"""Files as the network sees them: channels, types and intensities as in training, checked against it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.domain import Facts
from multiunet.domains.image.bar import read_cropped, without_rows
from multiunet.domains.image.lazy import Lazy, Pixels, blocks, check_fits, first, held, mapped, values_in
from multiunet.domains.image.masks import ColouredMask, colour_name, read_mask
from multiunet.domains.image.objects import compact, learnt
from multiunet.domains.image.palettes import Palettes
from multiunet.domains.image.readers import Picture, read_target
from multiunet.domains.image.scale import as_told
from multiunet.errors import InputError
from multiunet.losses import border_weights
from multiunet.memory import free_memory
from multiunet.prediction.source import GridSource

T = TypeVar("T")

AXES = {2: ("y", "x"), 3: ("z", "y", "x")}
IGNORED = -1

NUMBERING = 32
"""Bytes a pixel that it takes to read the objects of a mask."""


class Shelf:
    """Keeps what was read, as long as it fits; a copy sent to another process starts empty.

    Args:
        budget: bytes; 2 GiB by default, or a quarter of what is free where that is less.
    """

    def __init__(self, budget: int | None = None) -> None:
        self.budget = min(2 << 30, free_memory() // 4) if budget is None else budget
        self._kept: dict[tuple[str, str, str], Any] = {}
        self._used = 0

    def get(self, kind: str, path: str, read: Callable[[], T], size: Callable[[T], int], how: str = "") -> T:
        """What ``read`` gives, or gave the first time for this kind and path, read this way."""
        key = kind, path, how
        if key in self._kept:
            kept: T = self._kept[key]
            return kept
        value = read()
        if self._used + size(value) <= self.budget:
            self._kept[key] = value
            self._used += size(value)
        return value

    def in_memory(self, kind: str, path: str, pixels: Pixels) -> Pixels:
        """The pixels, read whole if they fit: for what is read again and again."""
        known = (kind, path, "") in self._kept
        if not isinstance(pixels, Lazy) or not (known or self._used + pixels.nbytes <= self.budget):
            return pixels
        whole: np.ndarray = self.get(kind, path, lambda: pixels[...], lambda array: array.nbytes)
        return whole

    def __getstate__(self) -> dict[str, Any]:
        return {"budget": self.budget, "_kept": {}, "_used": 0}


@dataclass(frozen=True)
class Input:
    """An image and how its numbers become the network's: ``(pixels - shift) / scale``, by channel.

    Attributes:
        bar: rows that were cut off the bottom of the file's image.
    """

    picture: Picture
    shift: NDArray[np.float32]
    scale: NDArray[np.float32]
    bar: int = 0

    def standardised(self, pixels: np.ndarray) -> NDArray[np.float32]:
        """Some of its pixels ``(C, *any)``, as float32."""
        by_channel = (-1, *(1,) * (pixels.ndim - 1))
        shifted = pixels.astype(np.float32) - self.shift.reshape(by_channel)
        result: NDArray[np.float32] = shifted / self.scale.reshape(by_channel)
        return result

    def window(self, start: Sequence[int], stop: Sequence[int], /) -> NDArray[np.float32]:
        """A window as the network sees it, ``(C, *window)``; a ``Reader``."""
        inside = tuple(slice(a, b) for a, b in zip(start, stop))
        return self.standardised(self.picture.pixels[(slice(None), *inside)])


def load_input(path: str, facts: Facts, shelf: Shelf) -> Input:
    """An image file like those of training.

    Raises:
        InputError: when it cannot be read, or has other axes or channels than the training images.
    """

    def read() -> tuple[Picture, int]:
        cropped, bar = read_cropped(Path(path), facts.get("crop_bar", "none"))
        return as_told(as_trained(cropped, facts, path), facts.get("pixel_size")), bar

    how = _how(path, facts, "crop_bar", "pixel_size")
    picture, bar = shelf.get("image", path, read, lambda found: held(found[0].pixels), how)
    return Input(picture, *_scaling(picture, facts["intensities"]), bar)


def _scaling(picture: Picture, known: Facts) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Shift and scale of each channel; ``known``: the fact ``intensities``."""
    if known["kind"] == "image":
        return moments(picture)
    return np.asarray(known["mean"], np.float32), np.asarray(known["deviation"], np.float32)


def _how(path: str, facts: Facts, *names: str) -> str:
    """What a reading depends on beside its file: the rows that are cut off a truth, and these facts, in which folds of
    a cross-validation may differ."""
    return repr([_bar_of_truth(path, facts), *(facts.get(name) for name in names)])


def as_trained(picture: Picture, facts: Facts, path: str) -> Picture:
    """The picture with the channels of training: grey images that are saved in colours are read as grey.

    Raises:
        InputError: when it has other axes or channels.
    """
    if len(picture.space) != facts["ndim"]:
        raise InputError(f"{path}: {_described(picture.space)}, but the training images have {facts['ndim']} axes")
    pixels = picture.pixels
    if facts["channels"] == 1 and picture.colour == "rgb" and picture.summary.grey:
        pixels = first(pixels, 1)
    if pixels.shape[0] != facts["channels"]:
        raise InputError(
            f"{path}: {pixels.shape[0]} channels, but the training images have {facts['channels']}; convert it"
        )
    return replace(picture, pixels=pixels, colour=facts["colour"])


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

    how = _how(path, facts, "values", "ignore_value", "instances", "spacing")
    return shelf.get("mask", path, read, held, how)


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

    return shelf.get("objects", path, read, held, _how(path, facts, "ignore_value"))


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

    return shelf.get("border", path, compute, held, f"{border} {_how(path, facts, 'ignore_value', 'spacing')}")


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

    return shelf.get("target", path, read, held, _how(path, facts, "ignore_value"))


def _bar_of_truth(path: str, facts: Facts) -> int:
    rows: int = facts.get("truth_bars", {}).get(path, 0)
    return rows


def source_of(name: str, path: str, loaded: Input) -> GridSource:
    """What a prediction reads, with the coordinates of pixels: in the file's unit, or plain indices."""
    picture = loaded.picture
    dims = AXES[len(picture.space)]
    spacing = picture.spacing or (1.0,) * len(dims)
    coords = {dim: np.arange(n) * step for dim, n, step in zip(dims, picture.space, spacing)}
    attrs = {"file": path, "unit": picture.unit or "pixel", "spacing": list(spacing), "crop_bar": loaded.bar}
    return GridSource(name, picture.space, loaded.window, dims, coords, attrs)


def moments(picture: Picture) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and deviation of each channel; 1 for the deviation of a constant, which becomes 0."""
    mean, deviation = picture.summary.mean, np.sqrt(picture.summary.variance)
    return mean.astype(np.float32), np.where(deviation > 0, deviation, 1.0).astype(np.float32)


def _described(space: Sequence[int]) -> str:
    return ("an image of " if len(space) == 2 else "a volume of ") + " x ".join(map(str, space))
