"""Reading all data once, before training: what is wrong with them, and what later steps need to know of them."""

from __future__ import annotations

import hashlib
import logging
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.domain import Facts
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.inputs import AXES, read_objects
from multiunet.domains.image.objects import CLASSES, learnt, pieces
from multiunet.domains.image.pairs import is_table
from multiunet.domains.image.readers import (
    MOST_CLASSES,
    ColouredMask,
    Picture,
    colour_name,
    is_grey,
    read_image,
    read_mask,
    read_target,
)
from multiunet.domains.image.splits import SPLITS, Item, Splits, split_items, to_json
from multiunet.errors import InputError
from multiunet.models.image_unet import strides_for

logger = logging.getLogger("multiunet.image")

PATCH_SIDES = {2: 256, 3: 64}
"""Side of a square or cubic training patch, pixels; a flat volume's patch has as many voxels."""


def survey(config: ImageTrain) -> Facts:
    """Everything that training needs to know of its data.

    Raises:
        InputError: for anything that would make training fail or its result meaningless.
    """
    truths, option = (config.masks, "--masks") if config.task == "segmentation" else (config.targets, "--targets")
    if truths is None and not is_table(config.images):
        raise InputError(f"--task {config.task} needs {option}: a folder with one file for each image")
    splits = split_items(config, truths)
    images = _survey_images(splits)
    intensities = config.intensities or ("image" if config.task == "segmentation" else "train")
    facts: Facts = {
        "task": config.task,
        "ndim": images.ndim,
        "dims": list(AXES[images.ndim]),
        "channels": images.channels,
        "colour": images.colour,
        "spacing": images.spacing,
        "intensities": {"kind": intensities, **images.intensities(intensities)},
        "split": to_json(splits),
    }
    if config.instances:
        facts |= _survey_objects(splits, images, config)
    else:
        facts |= (
            _survey_masks(splits, images, config) if config.task == "segmentation" else _survey_targets(splits, images)
        )
    facts["patch_size"] = list(_patch_size(config, images))
    facts["strides"] = [list(s) for s in strides_for(facts["patch_size"], images.spacing, len(config.levels()) - 1)]
    return facts


@dataclass
class _Images:
    """What is known of the images."""

    ndim: int = 0
    channels: int = 0
    colour: str = "grey"
    spacing: list[float] = field(default_factory=list)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    training_shapes: list[tuple[int, ...]] = field(default_factory=list)
    sums: list[tuple[int, NDArray[np.float64], NDArray[np.float64]]] = field(default_factory=list)

    def intensities(self, kind: str) -> dict[str, list[float]]:
        """Mean and deviation of each channel over the training images."""
        if kind == "image":
            return {}
        if kind == "none":
            return {"mean": [0.0] * self.channels, "deviation": [1.0] * self.channels}
        counts = np.array([n for n, _, _ in self.sums], dtype=np.float64)[:, None]
        # of grey levels saved in colours, one of the equal channels counts
        means = np.stack([mean[: self.channels] for _, mean, _ in self.sums])
        variances = np.stack([variance[: self.channels] for _, _, variance in self.sums])
        mean = (counts * means).sum(axis=0) / counts.sum()
        variance = (counts * (variances + (means - mean) ** 2)).sum(axis=0) / counts.sum()
        deviation = np.where(variance > 0, np.sqrt(variance), 1.0)
        return {"mean": mean.tolist(), "deviation": deviation.tolist()}


def _survey_images(splits: Splits) -> _Images:
    images = _Images()
    first: tuple[str, Picture] | None = None
    colourful: str | None = None
    content: dict[str, tuple[str, str]] = {}
    samples: Counter[int] = Counter()
    spacings = []
    for name in SPLITS:
        for item in splits[name]:
            picture = read_image(Path(item.image))
            first = first or (item.image, picture)
            _check_alike(item.image, picture, *first)
            _check_distinct(content, name, item.image, picture.pixels)
            if picture.colour == "rgb" and not is_grey(picture.pixels):
                colourful = colourful or item.image
            samples[picture.pixels.shape[0]] += 1
            images.shapes[item.image] = picture.space
            if picture.spacing is not None:
                spacings.append(picture.spacing)
            if name == "train":
                images.training_shapes.append(picture.space)
                flat = picture.pixels.reshape(picture.pixels.shape[0], -1)
                images.sums.append(
                    (flat.shape[1], flat.mean(axis=1, dtype=np.float64), flat.var(axis=1, dtype=np.float64))
                )
    assert first is not None  # there is a training image
    if colourful is not None and len(samples) > 1:
        raise InputError(f"{colourful}: is in colours, but other images are grey; convert them all to one kind")
    images.ndim = len(first[1].space)
    images.channels = max(samples) if colourful is not None or first[1].colour == "channels" else 1
    images.colour = "rgb" if colourful is not None else first[1].colour if first[1].colour == "channels" else "grey"
    images.spacing = np.median(spacings, axis=0).tolist() if spacings else [1.0] * images.ndim
    return images


def _check_alike(path: str, picture: Picture, first_path: str, first: Picture) -> None:
    if len(picture.space) != len(first.space):
        raise InputError(
            f"{path}: has {len(picture.space)} axes {picture.space}, but {first_path} has {len(first.space)} "
            f"{first.space}; train on images or on volumes, one at a time"
        )
    counts = picture.pixels.shape[0], first.pixels.shape[0]
    grey_or_rgb = {picture.colour, first.colour} <= {"grey", "rgb"}
    if counts[0] != counts[1] and not grey_or_rgb:
        raise InputError(f"{path}: has {counts[0]} channels, but {first_path} has {counts[1]}; they must be alike")


def _check_distinct(content: dict[str, tuple[str, str]], split: str, path: str, pixels: np.ndarray) -> None:
    if pixels.min() == pixels.max():
        logger.warning("%s: all pixels are %s: nothing can be learnt from it", path, pixels.flat[0])
        return
    key = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    other, other_path = content.setdefault(key, (split, path))
    if other != split:
        raise InputError(
            f"{path} ({split}) and {other_path} ({other}) are the same image, so the score would be of what was learnt "
            "by heart; keep one of them"
        )


def _truth_shape(item: Item, images: _Images, space: tuple[int, ...]) -> None:
    if space != images.shapes[item.image]:
        sizes = [" x ".join(map(str, shape)) for shape in (space, images.shapes[item.image])]
        raise InputError(f"{item.truth}: is {sizes[0]}, but its image {item.image} is {sizes[1]}; they must be equal")


def _survey_masks(splits: Splits, images: _Images, config: ImageTrain) -> Facts:
    try:
        return _survey_labels(splits, images, config, coloured=False)
    except ColouredMask:  # one of them is painted, so all are
        return _survey_labels(splits, images, config, coloured=True)


def _survey_labels(splits: Splits, images: _Images, config: ImageTrain, coloured: bool) -> Facts:
    name_of = colour_name if coloured else str
    pixels: dict[str, Counter[int]] = {name: Counter() for name in SPLITS}
    where: dict[int, str] = {}
    found: list[list[int]] = []
    for name in SPLITS:
        for item in splits[name]:
            labels = read_mask(Path(item.truth), coloured)
            _truth_shape(item, images, labels.shape)
            counts = {
                int(v): int(n) for v, n in zip(*np.unique(labels, return_counts=True)) if v != config.ignore_value
            }
            pixels[name].update(counts)
            found.append(list(counts))
            for value in counts:
                where.setdefault(value, item.truth)
    values = sorted(where)
    folder = Path(splits["train"][0].truth).parent
    if len(values) > MOST_CLASSES or _are_numbered(found):
        raise InputError(
            f"{folder}: {len(values)} different values that number the objects of each mask, or are more than "
            f"{MOST_CLASSES}; pass --instances to tell objects apart, or save what each pixel is, say 0 outside and 1 "
            "inside"
        )
    if len(values) < 2:
        only = f"only the value {name_of(values[0])}" if values else "no value that counts"
        raise InputError(f"{folder}: the masks have {only}; at least two classes are needed to learn a difference")
    unseen = [value for value in values if not pixels["train"][value]]
    if unseen:
        raise InputError(
            f"{where[unseen[0]]}: value {name_of(unseen[0])} is in no training mask, so it cannot be learnt; move such "
            f"an image to the training split (another --seed, say), or pass --ignore-value {name_of(unseen[0])}"
        )
    _check_weights(config, [name_of(value) for value in values])
    return {
        "values": values,
        "ignore_value": config.ignore_value,
        "coloured": coloured,
        "classes": [name_of(value) for value in values],
        "pixels": {name: [counts[value] for value in values] for name, counts in pixels.items()},
    }


def _survey_objects(splits: Splits, images: _Images, config: ImageTrain) -> Facts:
    classes = CLASSES[config.touching]
    _check_weights(config, classes)
    pixels = {name: np.zeros(len(classes), dtype=np.int64) for name in SPLITS}
    counts: dict[str, int] = dict.fromkeys(SPLITS, 0)
    most, scattered = 0, []
    for name in SPLITS:
        for item in splits[name]:
            labels = read_objects(item.truth, config.ignore_value)
            _truth_shape(item, images, labels.shape)
            seen = learnt(labels, config.touching)
            pixels[name] += np.bincount(seen[seen >= 0], minlength=len(classes))
            objects, parts = pieces(labels)
            counts[name] += objects
            most = max(most, objects)
            if parts > objects:
                scattered.append((item.truth, objects, parts))
    folder = Path(splits["train"][0].truth).parent
    if not counts["train"]:
        raise InputError(f"{folder}: the training masks hold no object; each is a positive number, and 0 is outside")
    if scattered and most == 1:
        path, _, parts = scattered[0]
        raise InputError(
            f"{path}: one number for {parts} separate parts, and no mask has a second number, so these are classes; "
            "number each object, or leave out --instances"
        )
    if scattered:
        logger.warning(
            "%s: %d numbers for %d separate parts, and so in %d masks; each number is one object in all its parts",
            *scattered[0],
            len(scattered),
        )
    return {
        "instances": {"touching": config.touching},
        "values": list(range(len(classes))),
        "ignore_value": config.ignore_value,
        "coloured": False,
        "classes": classes,
        "objects": counts,
        "pixels": {name: found.tolist() for name, found in pixels.items()},
    }


def _are_numbered(found: Sequence[Sequence[int]]) -> bool:
    """Whether masks seem to number their objects: each has 0, 1, 2, ... up to a number of its own, some above 16."""
    counts = {len(values) for values in found if list(values) == list(range(len(values)))}
    return len(counts) > max(1, len(found) // 4) and max(counts) > 16 and all(v == list(range(len(v))) for v in found)


def _check_weights(config: ImageTrain, classes: Sequence[str]) -> None:
    weights = config.class_weights
    if weights is not None and (len(weights) != len(classes) or min(weights) < 0 or max(weights) == 0):
        raise InputError(
            f"--class-weights {','.join(f'{w:g}' for w in weights)}: give {len(classes)} numbers, none negative, one "
            f"for each mask value {', '.join(classes)}"
        )


def _survey_targets(splits: Splits, images: _Images) -> Facts:
    kinds: dict[int, str] = {}
    count, total, squares = 0, np.zeros(1), np.zeros(1)
    for name in SPLITS:
        for item in splits[name]:
            target = read_target(Path(item.truth)).pixels
            _truth_shape(item, images, target.shape[1:])
            kinds.setdefault(target.shape[0], item.truth)
            if len(kinds) > 1:
                (a, b), (first, second) = kinds.values(), kinds
                raise InputError(f"{b}: has {second} channels, but {a} has {first}; they must be alike")
            if name == "train":
                flat = target.reshape(target.shape[0], -1).astype(np.float64)
                total, squares = total + np.nansum(flat, axis=1), squares + np.nansum(flat**2, axis=1)
                count = count + np.count_nonzero(~np.isnan(flat), axis=1)
    folder = Path(splits["train"][0].truth).parent
    if np.min(count) == 0:
        raise InputError(f"{folder}: a channel of the training targets is NaN everywhere; there is nothing to learn")
    centre = total / count
    scale = np.sqrt(np.maximum(squares / count - centre**2, 0.0))
    if (scale <= 1e-7 * np.maximum(1.0, np.abs(centre))).any():
        raise InputError(
            f"{folder}: the training targets are {centre[np.argmin(scale)]:g} everywhere; nothing to learn"
        )
    names = ["target"] if len(centre) == 1 else [f"target{i}" for i in range(len(centre))]
    return {"targets": names, "centre": centre.tolist(), "scale": scale.tolist()}


def _patch_size(config: ImageTrain, images: _Images) -> tuple[int, ...]:
    largest = tuple(int(n) for n in np.max(images.training_shapes, axis=0))
    if config.patch_size is None:
        return patch_for(largest, images.spacing)
    if len(config.patch_size) not in (1, images.ndim) or min(config.patch_size) < 1:
        given = ",".join(map(str, config.patch_size))
        raise InputError(f"--patch-size {given}: give one number, or one for each axis {', '.join(AXES[images.ndim])}")
    sides = config.patch_size if len(config.patch_size) == images.ndim else config.patch_size * images.ndim
    return tuple(sides)


def patch_for(largest: Sequence[int], spacing: Sequence[float]) -> tuple[int, ...]:
    """A patch as wide in space along every axis, never wider than the largest image, of a bounded number of pixels.

    >>> patch_for((512, 512), (1, 1)), patch_for((20, 512, 512), (1, 1, 1)), patch_for((200, 100), (1, 1))
    ((256, 256), (20, 112, 112), (200, 100))
    """
    budget = PATCH_SIDES[len(largest)] ** len(largest)

    def sides(width: float) -> list[float]:
        return [min(float(n), width / step) for n, step in zip(largest, spacing)]

    low, high = 0.0, max(n * step for n, step in zip(largest, spacing))
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if math.prod(sides(middle)) <= budget else (low, middle)
    return tuple(n if side > n - 1 else max(8, round(side / 16) * 16) for side, n in zip(sides(high), largest))
