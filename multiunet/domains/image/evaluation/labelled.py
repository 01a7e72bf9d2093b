"""Labelled images to score on: a split of a run, or other images that no run was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.config import EvaluateOptions
from multiunet.domains.image.config import ImageEvaluate
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.inputs import Input, load_input
from multiunet.domains.image.data.made import PairMaker, enlarge_input, find_maker, make_whole
from multiunet.domains.image.data.targets import (
    load_annotation,
    load_labels,
    load_objects,
    load_target,
    read_annotation,
)
from multiunet.domains.image.evaluation.other_classes import read_other_classes
from multiunet.domains.image.files.dots import space_of_dots
from multiunet.domains.image.files.lazy import Lazy, Pixels, iter_blocks
from multiunet.domains.image.files.listing import list_images
from multiunet.domains.image.files.overlapping_pairs import list_sources, pair_overlapping
from multiunet.domains.image.files.pairing import (
    DOTS,
    MASKS,
    Item,
    count_bar_rows,
    match_names,
    pair_files,
    pair_with_themselves,
)
from multiunet.domains.image.files.places import split_place
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.survey.duplicates import hash_array, hash_content
from multiunet.domains.image.survey.shift import ShiftCheck
from multiunet.domains.image.target_info import Overlapping
from multiunet.domains.labelled import Labelled
from multiunet.domains.remarks import gather_remarks
from multiunet.errors import InputError
from multiunet.wording import counted, listing


@dataclass(frozen=True)
class LabelledImage:
    """Image with its mask or target, read as the info says and kept in the cache."""

    item: Item
    info: ImageInfo
    cache: FileCache

    def load(self) -> Input:
        """Return the image as the network reads it."""
        loaded, maker = self._original(), find_maker(self.info.restoration)
        if maker is None:
            return loaded
        if not _is_made(self.item, self.info):
            return enlarge_input(loaded, maker.factor)
        return replace(loaded, picture=replace(loaded.picture, pixels=self._pair(loaded, maker)[0]))

    def _original(self) -> Input:
        return load_input(self.item.image, self.info, self.cache)

    def _pair(self, loaded: Input, maker: PairMaker) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the made input and its target, kept while they fit."""
        how = repr([self.item.name, loaded.bar_rows, self.info.restoration])
        return self.cache.get(
            "pair",
            self.item.image,
            lambda: make_whole(self.item, loaded, maker),
            lambda p: p[0].nbytes + p[1].nbytes,
            how,
        )

    @property
    def hides(self) -> bool:
        """True where pixels are hidden, and asked for."""
        return _is_made(self.item, self.info) and self.info.restored.blind

    def labels(self) -> Pixels:
        """Return the class of each pixel, ``space`` int16; -1 where it does not count; see ``load_labels``."""
        return load_labels(self.item.target, self.info, self.cache)

    def target(self) -> Pixels:
        """Return what scores compare with: classes or objects ``space``, or quantities ``(K, *space)``."""
        if self.info.instances is not None:
            return load_objects(self.item.target, self.info, self.cache)
        if _is_made(self.item, self.info) and (maker := find_maker(self.info.restoration)) is not None:
            return self._pair(self._original(), maker)[1]
        if self.info.regression:
            return load_target(self.item.target, self.info, self.cache)
        return self.labels()

    def check_unchanged(self) -> None:
        """Check that the files of this image of the run are those that it was trained with.

        Raises:
            InputError: naming the file that has changed.
        """
        image, target = self.item.image, self.item.target
        if hash_content(self._original().picture) != self.info.image_digests[image]:
            raise InputError(f"{image}: has changed since the training; put it back, or score it with `images`")
        if _is_made(self.item, self.info):
            return
        if hash_array(load_annotation(target, self.info, self.cache)) != self.info.target_digests[target]:
            raise InputError(f"{target}: has changed since the training; put it back, or score it with `images`")


def _is_made(item: Item, info: ImageInfo) -> bool:
    """Return whether a pair is made of the image; other images may come with targets of their own."""
    return item.image == item.target and info.restoration is not None and info.restoration.made


@gather_remarks()
def read_labelled(info: ImageInfo, options: EvaluateOptions, cache: FileCache) -> Labelled:
    """Read the images that an evaluation names: other images, or a split of the run.

    Raises:
        InputError: for a split without images or whose files are gone, or other images that cannot be scored.
    """
    if isinstance(options, ImageEvaluate) and options.images is not None:
        truth = MASKS if info.dots is None else DOTS
        alone = options.masks is None and find_maker(info.restoration) is not None
        if alone:
            items = pair_with_themselves(options.images)
        elif info.overlapping is not None:
            items = _pair_overlapping(options, info.overlapping)
        else:
            items = pair_files(options.images, options.masks, truth)
        return _read_other(options.images, items, info, cache, options.object_classes)
    if isinstance(options, ImageEvaluate) and options.object_classes is not None:
        raise InputError("`object_classes` without `images`: objects of the run have theirs; give both, or neither")
    items = list(info.split.of(options.split))
    if not items:
        raise InputError(
            f"this run has no {options.split} images; train with `splits`, `{options.split}_images` or a fraction, or "
            "pass `images`"
        )
    _check_there(items, options.split)
    images = {item.name: LabelledImage(item, info, cache) for item in items}
    for image in images.values():
        image.check_unchanged()
    if isinstance(options, ImageEvaluate) and options.masks is not None:
        with_truth = _pair_with_truth(options.masks, items, info, cache)
        return replace(with_truth, name=f"{options.split} split, beside {options.masks}")
    return Labelled(f"{options.split} split", images)


def _check_there(items: Sequence[Item], split: str) -> None:
    gone = [item.image for item in items if not split_place(Path(item.image))[0].exists()]
    if gone:
        raise InputError(
            f"{gone[0]}: not there ({len(gone)} of the {counted(len(items), 'image')} of the {split} split); put the "
            "images of the run and their masks there, or score others by `images` and `masks`"
        )


def _pair_overlapping(options: ImageEvaluate, known: Overlapping) -> list[Item]:
    """Pair other images with masks that have the classes of the run."""
    assert options.images is not None  # whose masks these are
    items = pair_overlapping(options.images, options.masks)
    if (found := list_sources(items[0])) != known.sources:
        raise InputError(
            f"{items[0].target}: has masks of {listing(found) or 'one file'}, but the run was trained on "
            f"{listing(known.sources) or 'one file'} an image; name them so, too"
        )
    return items


def _pair_with_truth(folder: Path, items: Sequence[Item], info: ImageInfo, cache: FileCache) -> Labelled:
    """Return images that a network learnt from alone with what they should look like, which it never saw."""
    if info.restoration is None or not info.restoration.blind:
        raise InputError("`masks` without `images`: images of the run have theirs; give both, or neither and `split`")
    known = list_images(folder, "target")
    found = match_names({item.name: Path(item.image) for item in items}, known)
    if found is None:
        raise InputError(f"{folder}: does not have an image for each of {listing([item.name for item in items])}")
    pairs = [replace(item, target=str(known[found[item.name]])) for item in items]
    return replace(_read_other(folder, pairs, info, cache), keys={})  # of the run itself, which may be scored


def _read_other(
    images: Path, items: list[Item], info: ImageInfo, cache: FileCache, object_classes: Path | None = None
) -> Labelled:
    keys: dict[str, tuple[str, ...]] = {}
    bars: dict[str, int] = {}
    spaces: dict[str, tuple[int, ...]] = {}
    shift = ShiftCheck(info)
    for item in items:
        loaded = load_input(item.image, info, cache)
        shift.add(item.image, loaded.picture)
        keys[item.name] = (str(Path(item.image).resolve()), hash_content(loaded.picture))
        if _is_made(item, info):
            continue
        maker = find_maker(info.restoration)
        loaded = loaded if maker is None else enlarge_input(loaded, maker.factor)
        spaces[item.target] = loaded.picture.space
        shape = _shape_of_target(item, info)
        if shape is not None and (rows := count_bar_rows(item, loaded.picture.space, loaded.bar_rows, shape)):
            bars[item.target] = rows
    changes: dict[str, Any] = {"target_bars": {**info.target_bars, **bars}}
    if info.dots is not None:
        changes["dots"] = info.dots.model_copy(update={"spaces": {**info.dots.spaces, **spaces}})
    cropped = info.model_copy(update=changes)
    cropped = cropped.model_copy(update=read_other_classes(object_classes, items, cropped, cache))
    for item in items:
        if not _is_made(item, info):
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
