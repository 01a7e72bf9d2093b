"""Labelled images to score on: a split of a run, or other images that no run was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multiunet.domains.config import EvaluateOptions
from multiunet.domains.domain import Labelled
from multiunet.domains.image.config import ImageEvaluate
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.inputs import Input, load_input
from multiunet.domains.image.data.targets import (
    load_annotation,
    load_labels,
    load_objects,
    load_target,
    read_annotation,
)
from multiunet.domains.image.files.dots import space_of_dots
from multiunet.domains.image.files.lazy import Lazy, Pixels, iter_blocks
from multiunet.domains.image.files.pairing import DOTS, MASKS, Item, count_bar_rows, pair_files
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.survey.duplicates import hash_array, hash_content
from multiunet.domains.image.survey.shift import ShiftCheck
from multiunet.domains.remarks import gather_remarks
from multiunet.errors import InputError


@dataclass(frozen=True)
class LabelledImage:
    """Image with its mask or target, read as the info says and kept in the cache."""

    item: Item
    info: ImageInfo
    cache: FileCache

    def load(self) -> Input:
        """Return the image as the network reads it."""
        return load_input(self.item.image, self.info, self.cache)

    def labels(self) -> Pixels:
        """Return the class of each pixel, ``space`` int16; -1 where it does not count."""
        return load_labels(self.item.target, self.info, self.cache)

    def target(self) -> Pixels:
        """Return what scores compare with: classes or objects ``space``, or quantities ``(K, *space)``."""
        if self.info.instances is not None:
            return load_objects(self.item.target, self.info, self.cache)
        if self.info.regression:
            return load_target(self.item.target, self.info, self.cache)
        return self.labels()

    def check_unchanged(self) -> None:
        """Check that the files of this image of the run are those that it was trained with.

        Raises:
            InputError: naming the file that has changed.
        """
        image, target = self.item.image, self.item.target
        if hash_content(self.load().picture) != self.info.image_digests[image]:
            raise InputError(f"{image}: has changed since the training; put it back, or score it with `images`")
        if hash_array(load_annotation(target, self.info, self.cache)) != self.info.target_digests[target]:
            raise InputError(f"{target}: has changed since the training; put it back, or score it with `images`")


@gather_remarks()
def read_labelled(info: ImageInfo, options: EvaluateOptions, cache: FileCache) -> Labelled:
    """Read the images that an evaluation names: other images, or a split of the run.

    Raises:
        InputError: for a split without images or whose files are gone, or other images that cannot be scored.
    """
    if isinstance(options, ImageEvaluate) and options.images is not None:
        truth = MASKS if info.dots is None else DOTS
        return _read_other(options.images, pair_files(options.images, options.masks, truth), info, cache)
    items = info.split.of(options.split)
    if not items:
        raise InputError(
            f"this run has no {options.split} images; train with `splits`, `{options.split}_images` or a fraction, or "
            "pass `images`"
        )
    images = {item.name: LabelledImage(item, info, cache) for item in items}
    for image in images.values():
        image.check_unchanged()
    return Labelled(f"{options.split} split", images)


def _read_other(images: Path, items: list[Item], info: ImageInfo, cache: FileCache) -> Labelled:
    keys: dict[str, tuple[str, ...]] = {}
    bars: dict[str, int] = {}
    spaces: dict[str, tuple[int, ...]] = {}
    shift = ShiftCheck(info)
    for item in items:
        loaded = load_input(item.image, info, cache)
        shift.add(item.image, loaded.picture)
        keys[item.name] = (str(Path(item.image).resolve()), hash_content(loaded.picture))
        spaces[item.target] = loaded.picture.space
        shape = _shape_of_target(item, info)
        if shape is not None and (rows := count_bar_rows(item, loaded.picture.space, loaded.bar_rows, shape)):
            bars[item.target] = rows
    changes: dict[str, Any] = {"target_bars": {**info.target_bars, **bars}}
    if info.dots is not None:
        changes["dots"] = info.dots.model_copy(update={"spaces": {**info.dots.spaces, **spaces}})
    cropped = info.model_copy(update=changes)
    for item in items:
        _read_through(item.target, cropped, cache)
    shift.warn()
    known = {item.name: LabelledImage(item, cropped, cache) for item in items}
    return Labelled(str(images), known, keys, "leave them out, or score that run alone with `split=train` or val")


def _shape_of_target(item: Item, info: ImageInfo) -> tuple[int, ...] | None:
    """Return the pixels of a mask or target by axis; None where it states none. What it holds is checked later."""
    if info.dots is not None:
        return space_of_dots(Path(item.target))
    return read_annotation(item.target, info, checked=True).shape[-info.ndim :]


def _read_through(path: str, info: ImageInfo, cache: FileCache) -> None:
    """Refuse a mask or target that cannot be scored, before the first image is predicted."""
    target = load_target(path, info, cache) if info.regression else load_labels(path, info, cache, checked=False)
    if isinstance(target, Lazy):  # its values are checked when they are read
        for region in iter_blocks(target):
            target.read(region)
