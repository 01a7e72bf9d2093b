"""Survey of masks that number their objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.data.instances import CLASSES, count_objects, encode_objects
from multiunet.domains.image.data.object_classes import name_labels
from multiunet.domains.image.data.targets import read_objects
from multiunet.domains.image.survey.common import (
    Annotations,
    check_counted,
    check_not_swapped,
    check_weights,
    crop_like_image,
    find_folder,
)
from multiunet.domains.image.survey.images import Images
from multiunet.domains.image.survey.object_classes import ObjectClassSurvey
from multiunet.domains.image.survey.separability import Separability, warn_of_lost
from multiunet.domains.image.survey.splits import ItemSplits
from multiunet.domains.image.target_info import Instances, Masks
from multiunet.domains.info import ClassLabels
from multiunet.domains.remarks import remark
from multiunet.domains.setting_types import Split
from multiunet.domains.splits import SPLITS
from multiunet.errors import InputError

FEW = 16
"""Most classes that masks may be taken to show in place of objects."""

PLACES = 3
"""Connected parts of a number, on average, from which on it seems a class."""

SHARED = 0.7
"""Of the most numbers that a mask has, those that masks of classes have at least, on average."""


@dataclass
class _Objects:
    """Objects of masks, counted while each is in memory.

    Attributes:
        pixels: by split, those of each class that is learnt.
        counts: by split, objects.
        numbers: objects of each mask that has any.
        parts: connected parts of all masks together.
        scattered: masks with more connected parts than objects: path, objects, parts.
        ignored: pixels of ``ignore_value``.
    """

    pixels: dict[Split, NDArray[np.int64]]
    counts: dict[Split, int] = field(default_factory=lambda: dict.fromkeys(SPLITS, 0))
    numbers: list[int] = field(default_factory=list)
    parts: int = 0
    scattered: list[tuple[str, int, int]] = field(default_factory=list)
    ignored: int = 0
    separability: Separability = field(default_factory=Separability)

    def add(self, split: Split, mask: str, labels: NDArray[np.int32], classes: NDArray[np.int16]) -> None:
        """Count a mask that numbers its objects, and the classes that ``encode_objects`` makes of it."""
        self.ignored += int(np.count_nonzero(labels < 0))
        self.pixels[split] += np.bincount(classes[classes >= 0], minlength=len(self.pixels[split]))
        objects, parts = count_objects(labels)
        self.counts[split] += objects
        self.numbers += [objects] if objects else []
        self.parts += parts
        if split == "train":
            self.separability.add(labels, classes)
        if parts > objects:
            self.scattered.append((mask, objects, parts))

    def seem_classes(self) -> bool:
        """Return True where nearly all masks have the same few numbers, each in many places."""
        most, numbers = max(self.numbers), sum(self.numbers)
        shared = numbers >= SHARED * most * len(self.numbers)
        return most <= FEW and shared and self.parts >= PLACES * numbers


def survey_objects(splits: ItemSplits, images: Images, config: ImageTrain) -> Annotations:
    """Return the classes that encode the objects, their pixels and the objects, by split.

    Raises:
        InputError: for masks that cannot be read or show no objects, or settings that do not fit them.
    """
    names = CLASSES[config.instance_encoding]
    check_weights(config, names)
    told = ObjectClassSurvey.open(splits, config)
    found, folder = _read(splits, images, config, told), find_folder(splits)
    if config.ignore_value is not None and not found.ignored:
        remark(f"`ignore_value={config.ignore_value}`: no mask in {folder} has it")
    _check_numbered(folder, found)
    if found.seem_classes():  # to enlarge images would not help
        images.fingerprint.separable = found.separability.count(config.instance_encoding, images.spacing)
    else:
        images.fingerprint.separable = warn_of_lost(
            found.separability, config.instance_encoding, images.spacing, folder
        )
    pixels = {name: tuple(counts.tolist()) for name, counts in found.pixels.items()}
    check_counted(splits, {name: sum(counts) for name, counts in pixels.items()}, "mask")
    classes = None
    if told is not None:
        classes = told.result()
        names = name_labels(config.instance_encoding, classes.names)
        pixels = told.pixels(classes, config.instance_encoding)
        images.fingerprint.objects = told.object_sizes(classes)
        images.digest.add_words(repr([classes.names, list(classes.of.values())]))
    return Annotations(
        ClassLabels(names=tuple(names), values=tuple(range(len(names)))),
        config.ignore_value,
        Masks(pixels=pixels),
        Instances(
            encoding=config.instance_encoding,
            smallest=found.separability.smallest(),
            counts=found.counts,
            classes=classes,
        ),
    )


def _read(splits: ItemSplits, images: Images, config: ImageTrain, told: ObjectClassSurvey | None) -> _Objects:
    count = len(CLASSES[config.instance_encoding])
    found = _Objects({name: np.zeros(count, dtype=np.int64) for name in SPLITS})
    for name in SPLITS:
        for item in splits[name]:
            labels = crop_like_image(item, images, read_objects(item.target, config.ignore_value))[...]
            check_not_swapped(item, images, labels, config)
            images.digest.add(item.target, labels)
            images.fingerprint.numbered(labels, name)
            parts = encode_objects(labels, config.instance_encoding, images.spacing)
            found.add(name, item.target, labels, parts)
            if told is not None:
                told.add(name, item, labels, parts)
    return found


def _check_numbered(folder: Path, found: _Objects) -> None:
    """Refuses masks without objects, or of classes; warns of numbers in several places."""
    if not found.counts["train"]:
        raise InputError(f"{folder}: the training masks hold no object; each is a positive number, and 0 is outside")
    if found.scattered and max(found.numbers) == 1:
        path, _, parts = found.scattered[0]
        raise InputError(
            f"{path}: one number for {parts} separate parts, and no mask has a second number, so these are classes; "
            "number each object, or leave out `instances`"
        )
    if not found.scattered:
        return
    path, numbers, parts = found.scattered[0]
    consequence = "all parts of one number count as one object"
    if found.seem_classes():
        consequence = (
            "nearly all masks have the same few numbers, so these look like classes, not numbered objects; leave out "
            "`instances`, or number each object"
        )
    remark(
        "%s: %d object numbers, but %d separate parts (%d such masks); %s",
        *(path, numbers, parts, len(found.scattered), consequence),
    )
