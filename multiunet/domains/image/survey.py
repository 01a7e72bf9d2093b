"""Reading all data once, before training: what is wrong with them, and what later steps need to know of them."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.domain import Facts
from multiunet.domains.image.bar import find_bar, read_cropped, tell_of_bars, without_rows
from multiunet.domains.image.class_names import named
from multiunet.domains.image.config import CropBar, ImageTrain
from multiunet.domains.image.fingerprint import Fingerprint
from multiunet.domains.image.inputs import AXES
from multiunet.domains.image.lazy import Pixels, blocks, digest_of_pixels, values_in
from multiunet.domains.image.masks import MOST_CLASSES, ColouredMask, colour_name, read_mask
from multiunet.domains.image.mistaken import check_is_no_mask, may_be_mask
from multiunet.domains.image.notes import remark
from multiunet.domains.image.objects import CLASSES, learnt, pieces
from multiunet.domains.image.palettes import Palettes
from multiunet.domains.image.patch import patch_size
from multiunet.domains.image.readers import Picture, read_target
from multiunet.domains.image.scale import as_told
from multiunet.domains.image.separability import Separability, tell_of_lost
from multiunet.domains.image.splits import Item, Splits, bar_of_truth, split_items, to_json
from multiunet.domains.image.table import is_table
from multiunet.domains.image.truths import read_objects
from multiunet.domains.splits import SPLITS
from multiunet.errors import InputError
from multiunet.models.image_unet import strides_for

logger = logging.getLogger("multiunet.image")

Content = tuple[tuple[int, ...], int]
"""Shape and digest of an image's pixels."""


def survey(config: ImageTrain) -> Facts:
    """Everything that training needs to know of its data.

    Raises:
        InputError: for anything that would make training fail or its result meaningless.
    """
    truths, option = (config.masks, "--masks") if config.task == "segmentation" else (config.targets, "--targets")
    if truths is None and not is_table(config.images):
        raise InputError(f"--task {config.task} needs {option}: a folder with one file for each image")
    splits = split_items(config, truths)
    if not splits["val"]:
        _check_unvalidated(config)
    images = _survey_images(splits, config.crop_bar, config.pixel_size)
    intensities = config.intensities or ("image" if config.task == "segmentation" else "train")
    if len(images.fingerprint.kinds) > 1 and intensities != "image":
        kinds = " and ".join(sorted(images.fingerprint.kinds))
        remark(
            f"{config.images}: holds images of {kinds}, and --intensities {intensities} takes their numbers as they "
            "are; convert them to one type, unless one number means the same in all"
        )
    facts: Facts = {
        "task": config.task,
        "ndim": images.ndim,
        "dims": list(AXES[images.ndim]),
        "channels": images.channels,
        "colour": images.colour,
        "spacing": images.spacing,
        "intensities": {"kind": intensities, **images.intensities(intensities)},
        "split": to_json(splits),
        "crop_bar": config.crop_bar,
    }
    if config.instances:
        facts |= _survey_objects(splits, images, config)
    elif config.task == "segmentation":
        facts |= _survey_masks(splits, images, config)
    else:
        facts |= _survey_targets(splits, images, config.ignore_value)
    facts["fingerprint"] = images.fingerprint.summary(facts)
    facts["truth_bars"] = images.truth_bars
    largest = tuple(int(n) for n in np.max(images.training_shapes, axis=0))
    facts["patch_size"] = list(patch_size(config.patch_size, largest, images.spacing))
    facts["strides"] = [list(s) for s in strides_for(facts["patch_size"], images.spacing, len(config.levels()) - 1)]
    return facts


def _check_unvalidated(config: ImageTrain) -> None:
    """Refuses what is learnt from validation images, of which there are none."""
    if config.patience is not None:
        raise InputError("--patience waits for a better validation score, and --val-fraction 0 leaves none; drop one")
    if config.task == "regression" and config.loss in ("mse", "mae", "huber"):
        raise InputError(
            f"--loss {config.loss} takes the noise of its quantities from validation images, and --val-fraction 0 "
            "leaves none; keep some, or choose beta-nll"
        )


@dataclass
class _Images:
    """What is known of the images; of those with an information bar, without it.

    Attributes:
        bars: by image, the rows of its information bar that are cut off.
        truth_bars: by mask or target that covers the bar of its image, the rows to cut off as well.
        few: the images that have so few colours that they may be masks.
    """

    ndim: int = 0
    channels: int = 0
    colour: str = "grey"
    spacing: list[float] = field(default_factory=list)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    bars: dict[str, int] = field(default_factory=dict)
    truth_bars: dict[str, int] = field(default_factory=dict)
    few: set[str] = field(default_factory=set)
    training_shapes: list[tuple[int, ...]] = field(default_factory=list)
    sums: list[tuple[int, NDArray[np.float64], NDArray[np.float64]]] = field(default_factory=list)
    fingerprint: Fingerprint = field(default_factory=Fingerprint)

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


def _survey_images(splits: Splits, crop: CropBar, pixel_size: Sequence[float] | None) -> _Images:
    images = _Images()
    seen: dict[str, int] = {}
    first: tuple[str, Picture] | None = None
    colourful: str | None = None
    content: dict[Content, tuple[str, str]] = {}
    samples: Counter[int] = Counter()
    spacings = []
    for name in SPLITS:
        for item in splits[name]:
            picture, images.bars[item.image] = read_cropped(Path(item.image), crop)
            picture = as_told(picture, pixel_size)
            seen[item.image] = find_bar(picture.pixels) if crop == "none" and len(picture.space) == 2 else 0
            first = first or (item.image, picture)
            _check_alike(item.image, picture, *first)
            _check_distinct(content, name, item.image, picture)
            if picture.colour == "rgb" and not picture.summary.grey:
                colourful = colourful or item.image
            samples[picture.pixels.shape[0]] += 1
            images.shapes[item.image] = picture.space
            if may_be_mask(picture.pixels):
                images.few.add(item.image)
            if picture.spacing is not None:
                spacings.append(picture.spacing)
            images.fingerprint.image(picture.pixels, picture.spacing, name)
            if name == "train":
                images.training_shapes.append(picture.space)
                images.sums.append((math.prod(picture.space), picture.summary.mean, picture.summary.variance))
    assert first is not None  # there is a training image
    tell_of_bars(images.bars if crop == "auto" else seen, crop)
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


def _check_distinct(content: dict[Content, tuple[str, str]], split: str, path: str, picture: Picture) -> None:
    if picture.summary.low == picture.summary.high:
        logger.warning("%s: all pixels are %s: nothing can be learnt from it", path, picture.summary.low)
        return
    key = picture.pixels.shape, digest_of_pixels(picture.pixels)
    other, other_path = content.setdefault(key, (split, path))
    if other != split:
        raise InputError(
            f"{path} ({split}) and {other_path} ({other}) are the same image, so the score would be of a memorised "
            "image; remove one of them"
        )


def _without_bar(item: Item, images: _Images, truth: Pixels) -> Pixels:
    """A mask or target ``(..., *space)`` on the pixels of its image, and remembers what was cut off."""
    space = images.shapes[item.image]
    rows = bar_of_truth(item, space, images.bars[item.image], truth.shape[-len(space) :])
    if rows:
        images.truth_bars[item.truth] = rows
    return without_rows(truth, rows)


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
    ignored = 0
    palettes = Palettes()
    images.fingerprint.objects.clear()
    images.fingerprint.masks = images.fingerprint.shown = 0
    for name in SPLITS:
        for item in splits[name]:
            labels = _without_bar(item, images, read_mask(Path(item.truth), coloured))
            if item.image in images.few:
                check_is_no_mask(item, read_cropped(Path(item.image), config.crop_bar)[0].pixels, labels)
            counts: Counter[int] = Counter()
            for region in blocks(labels):
                counts.update({int(v): int(n) for v, n in zip(*values_in(labels[region]))})
            if not coloured:
                palettes.check(item.truth, sorted(counts))
            ignored += counts.pop(config.ignore_value, 0)  # type: ignore[arg-type]
            if name == "train":
                images.fingerprint.mask(labels, sorted(counts))
            pixels[name].update(counts)
            found.append(sorted(counts))
            for value in counts:
                where.setdefault(value, item.truth)
    values = sorted(where)
    folder = Path(splits["train"][0].truth).parent
    if config.ignore_value is not None and not ignored:
        known = ", ".join(name_of(value) for value in values[:8]) + (", ..." if len(values) > 8 else "")
        remark(f"--ignore-value {name_of(config.ignore_value)}: no mask in {folder} has it; they have {known}")
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
        _refuse_unseen(config, where[unseen[0]], name_of(unseen[0]), sum(unseen[0] in values for values in found))
    if not coloured and images.fingerprint.may_number(found):
        sizes = [len(own) for own in found]
        logger.warning(
            "%s: each value but 0 is one connected area, and masks have %d to %d values; if these number objects, pass "
            "--instances: without it, they are %d classes",
            *(folder, min(sizes), max(sizes), len(values)),
        )
    ignored_name = None if config.ignore_value is None else name_of(config.ignore_value)
    classes = named([name_of(value) for value in values], config.class_names or {}, ignored_name)
    _check_weights(config, classes)
    return {
        "values": values,
        "ignore_value": config.ignore_value,
        "coloured": coloured,
        "palettes": palettes.to_json(),
        "classes": classes,
        "pixels": {name: [counts[value] for value in values] for name, counts in pixels.items()},
    }


def _refuse_unseen(config: ImageTrain, mask: str, value: str, masks: int) -> None:
    """``masks``: how many of them have the value."""
    fold = "" if config.fold is None else f" of fold {config.fold} of --folds {config.folds}"
    alone = ", and in no other mask at all" if masks == 1 else ""
    fix = "move such an image to the training split (another --seed, say)"
    if config.fold is not None and masks == 1:
        fix = "add images that show it"
    raise InputError(
        f"{mask}: value {value} is in no training mask{fold}{alone}, so it cannot be learnt; {fix}, or pass "
        f"--ignore-value {value}"
    )


def _survey_objects(splits: Splits, images: _Images, config: ImageTrain) -> Facts:
    classes = CLASSES[config.touching]
    _check_weights(config, classes)
    pixels = {name: np.zeros(len(classes), dtype=np.int64) for name in SPLITS}
    counts: dict[str, int] = dict.fromkeys(SPLITS, 0)
    most, scattered, ignored, separability = 0, [], 0, Separability()
    for name in SPLITS:
        for item in splits[name]:
            labels = _without_bar(item, images, read_objects(item.truth, config.ignore_value))[...]
            if item.image in images.few:
                check_is_no_mask(item, read_cropped(Path(item.image), config.crop_bar)[0].pixels, labels)
            images.fingerprint.numbered(labels, name)
            ignored += int(np.count_nonzero(labels < 0))
            seen = learnt(labels, config.touching, images.spacing)
            pixels[name] += np.bincount(seen[seen >= 0], minlength=len(classes))
            objects, parts = pieces(labels)
            counts[name] += objects
            most = max(most, objects)
            if name == "train":
                separability.add(labels, seen)
            if parts > objects:
                scattered.append((item.truth, objects, parts))
    folder = Path(splits["train"][0].truth).parent
    if config.ignore_value is not None and not ignored:
        remark(f"--ignore-value {config.ignore_value}: no mask in {folder} has it")
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
            "%s: %d object numbers, but %d separate parts (%d such masks); all parts of one number count as one object",
            *scattered[0],
            len(scattered),
        )
    images.fingerprint.separable = tell_of_lost(separability, config.touching, images.spacing, folder)
    return {
        "smallest_object": separability.smallest(),
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
            f"for each class {', '.join(classes)}"
        )


def _survey_targets(splits: Splits, images: _Images, ignore_value: int | None) -> Facts:
    kinds: dict[int, str] = {}
    count, total, squares, ignored = 0, np.zeros(1), np.zeros(1), 0
    for name in SPLITS:
        for item in splits[name]:
            given = read_target(Path(item.truth)).pixels
            ignored += sum(int(np.count_nonzero(given[region] == ignore_value)) for region in blocks(given))
            target = _without_bar(item, images, read_target(Path(item.truth), ignore_value).pixels)
            kinds.setdefault(target.shape[0], item.truth)
            if len(kinds) > 1:
                (a, b), (first, second) = kinds.values(), kinds
                raise InputError(f"{b}: has {second} channels, but {a} has {first}; they must be alike")
            if name == "train":
                for region in blocks(target, whole=1):
                    flat = target[region].reshape(target.shape[0], -1).astype(np.float64)
                    total, squares = total + np.nansum(flat, axis=1), squares + np.nansum(flat**2, axis=1)
                    count = count + np.count_nonzero(~np.isnan(flat), axis=1)
    folder = Path(splits["train"][0].truth).parent
    if ignore_value is not None and not ignored:
        remark(f"--ignore-value {ignore_value}: no target in {folder} has it")
    if np.min(count) == 0:
        raise InputError(f"{folder}: a channel of the training targets is NaN everywhere; there is nothing to learn")
    centre = total / count
    scale = np.sqrt(np.maximum(squares / count - centre**2, 0.0))
    if (scale <= 1e-7 * np.maximum(1.0, np.abs(centre))).any():
        raise InputError(
            f"{folder}: the training targets are {centre[np.argmin(scale)]:g} everywhere; nothing to learn"
        )
    names = ["target"] if len(centre) == 1 else [f"target{i}" for i in range(len(centre))]
    return {"targets": names, "centre": centre.tolist(), "scale": scale.tolist(), "ignore_value": ignore_value}
