"""Survey of masks: the classes they show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from multiunet.domains.image.class_names import name_classes
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.files.lazy import Pixels, count_values, iter_blocks
from multiunet.domains.image.files.masks import MOST_CLASSES, ColouredMask, colour_name, read_mask
from multiunet.domains.image.files.palettes import Palettes
from multiunet.domains.image.survey.common import (
    Annotations,
    check_counted,
    check_not_swapped,
    check_weights,
    crop_like_image,
    find_folder,
)
from multiunet.domains.image.survey.dotted import DotCheck
from multiunet.domains.image.survey.fingerprint import ObjectSizes
from multiunet.domains.image.survey.images import Images
from multiunet.domains.image.survey.splits import ItemSplits
from multiunet.domains.image.target_info import Masks
from multiunet.domains.info import ClassLabels
from multiunet.domains.remarks import remark
from multiunet.domains.setting_types import Split
from multiunet.domains.splits import SPLITS
from multiunet.errors import InputError
from multiunet.wording import listing


@dataclass
class _Masks:
    """Values of masks, counted while each is in memory.

    Attributes:
        coloured: whether they are painted.
        pixels: by split, those of each value that counts.
        values: of each mask, those that count, ascending.
        first: by value, the first mask that has it.
        ignored: pixels of ``ignore_value``.
        objects: of the training masks.
        dotted: whether the training masks look like dots.
    """

    coloured: bool
    pixels: dict[Split, Counter[int]] = field(default_factory=lambda: {name: Counter() for name in SPLITS})
    values: list[list[int]] = field(default_factory=list)
    first: dict[int, str] = field(default_factory=dict)
    ignored: int = 0
    palettes: Palettes = field(default_factory=Palettes)
    objects: ObjectSizes = field(default_factory=ObjectSizes)
    dotted: DotCheck = field(default_factory=DotCheck)

    def add(self, split: Split, mask: str, labels: Pixels, ignore_value: int | None) -> None:
        """Count a mask ``space``.

        Raises:
            InputError: when its palette contradicts that of another.
        """
        counts = _counts(labels)
        if not self.coloured:
            self.palettes.check(mask, sorted(counts))
        if ignore_value is not None:
            self.ignored += counts.pop(ignore_value, 0)
        self.pixels[split].update(counts)
        self.values.append(sorted(counts))
        for value in counts:
            self.first.setdefault(value, mask)
        if split == "train":
            self.objects.labelled(labels, sorted(counts))
            self.dotted.add(labels)

    def name_of(self, value: int) -> str:
        """Return the name of a value."""
        return colour_name(value) if self.coloured else str(value)


def survey_masks(splits: ItemSplits, images: Images, config: ImageTrain) -> Annotations:
    """Return the classes of masks, and their pixels by split.

    Raises:
        InputError: for masks that cannot be read or that nothing can be learnt from, or settings that do not fit them.
    """
    try:
        masks = _read(splits, images, config, coloured=False)
    except ColouredMask:  # one of them is painted, so all are
        masks = _read(splits, images, config, coloured=True)
    images.fingerprint.objects = masks.objects
    folder, values = find_folder(splits), sorted(masks.first)
    _warn_of_ignored(folder, masks, config.ignore_value)
    _check_classes(folder, masks)
    _check_seen(masks, config)
    _warn_of_numbers(folder, masks)
    if not masks.coloured:
        masks.dotted.warn(folder, "masks", "them as `targets`, with `task=regression` and `dots=3`, say")
    ignored = None if config.ignore_value is None else masks.name_of(config.ignore_value)
    classes = name_classes([masks.name_of(value) for value in values], config.class_names or {}, ignored)
    check_weights(config, classes)
    check_counted(splits, {name: counts.total() for name, counts in masks.pixels.items()}, "mask")
    return Annotations(
        ClassLabels(names=tuple(classes), values=tuple(values)),
        config.ignore_value,
        Masks(
            coloured=masks.coloured,
            palettes=tuple((value, *shown) for value, shown in masks.palettes.known.items()),
            pixels={name: tuple(counts[value] for value in values) for name, counts in masks.pixels.items()},
        ),
    )


def _read(splits: ItemSplits, images: Images, config: ImageTrain, coloured: bool) -> _Masks:
    masks = _Masks(coloured)
    for name in SPLITS:
        for item in splits[name]:
            labels = crop_like_image(item, images, read_mask(Path(item.target), coloured))
            check_not_swapped(item, images, labels, config)
            images.digest.add(item.target, labels)
            masks.add(name, item.target, labels, config.ignore_value)
    return masks


def _counts(labels: Pixels) -> Counter[int]:
    """Pixels of each value."""
    counts: Counter[int] = Counter()
    for region in iter_blocks(labels):
        counts.update({int(value): int(count) for value, count in zip(*count_values(labels[region]))})
    return counts


def _warn_of_ignored(folder: Path, masks: _Masks, ignore_value: int | None) -> None:
    if ignore_value is not None and not masks.ignored:
        known = listing([masks.name_of(value) for value in sorted(masks.first)])
        remark(f"`ignore_value={masks.name_of(ignore_value)}`: no mask in {folder} has it; they have {known}")


def _check_classes(folder: Path, masks: _Masks) -> None:
    """Refuses masks that number objects, or show one class only."""
    values = sorted(masks.first)
    if len(values) > MOST_CLASSES or _are_numbered(masks.values):
        raise InputError(
            f"{folder}: {len(values)} different values that number the objects of each mask, or are more than "
            f"{MOST_CLASSES}; pass `instances` to tell objects apart, or save what each pixel is, say 0 outside and 1 "
            "inside"
        )
    if len(values) < 2:
        only = f"only the value {masks.name_of(values[0])}" if values else "no value that counts"
        raise InputError(f"{folder}: the masks have {only}; at least two classes are needed to learn a difference")


def _are_numbered(found: Sequence[Sequence[int]]) -> bool:
    """Return whether masks seem to number objects: 0, 1, 2, ... up to a number of their own, some above 16."""
    counts = {len(values) for values in found if list(values) == list(range(len(values)))}
    return len(counts) > max(1, len(found) // 4) and max(counts) > 16 and all(v == list(range(len(v))) for v in found)


def _check_seen(masks: _Masks, config: ImageTrain) -> None:
    """Refuses a class that no training mask has."""
    unseen = next((value for value in sorted(masks.first) if not masks.pixels["train"][value]), None)
    if unseen is None:
        return
    value, alone = masks.name_of(unseen), sum(unseen in values for values in masks.values) == 1
    fold = "" if config.fold is None else f" of fold {config.fold} of `folds={config.folds}`"
    fix = "move such an image to the training split (another `seed`, say)"
    if config.fold is not None and alone:
        fix = "add images that show it"
    raise InputError(
        f"{masks.first[unseen]}: value {value} is in no training mask{fold}"
        f"{', and in no other mask at all' if alone else ''}, so it cannot be learnt; {fix}, or pass "
        f"`ignore_value={value}`"
    )


def _warn_of_numbers(folder: Path, masks: _Masks) -> None:
    """Warns of few values that may number objects."""
    if masks.coloured or not masks.objects.may_number(masks.values):
        return
    sizes = [len(own) for own in masks.values]
    remark(
        "%s: each value but 0 is one connected area, and masks have %d to %d values; if these number objects, pass "
        "`instances`: without it, they are %d classes",
        *(folder, min(sizes), max(sizes), len(masks.first)),
    )
