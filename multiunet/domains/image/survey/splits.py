"""Pairs of images and targets, split for training, validation and test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from multiunet.domains.groups import check_together, group_names, warn_of_parted
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.files.listing import file_of_part, list_images, stem_of
from multiunet.domains.image.files.object_classes import open_object_classes
from multiunet.domains.image.files.overlapping_pairs import pair_overlapping, warn_of_unused_masks
from multiunet.domains.image.files.pairing import (
    DOTS,
    MASKS,
    TARGETS,
    Item,
    pair_files,
    pair_with_themselves,
    warn_of_unused,
)
from multiunet.domains.image.files.readers import open_stack
from multiunet.domains.image.files.table import is_table, read_pairs
from multiunet.domains.image.generation.columns import read_column
from multiunet.domains.image.survey.mask_classes import MaskClasses
from multiunet.domains.remarks import remark
from multiunet.domains.repeats import find_repeated
from multiunet.domains.setting_types import Split
from multiunet.domains.splits import SPLITS, read_splits
from multiunet.domains.units import Classes, choose_units, deal_units, gather_units, spread_classes
from multiunet.errors import InputError
from multiunet.seeds import permutation
from multiunet.wording import are, counted, listing

ItemSplits = dict[Split, list[Item]]

FindClasses = Callable[[Sequence[Item]], list[Classes]]


def split_items(config: ImageTrain, targets: Path | None) -> ItemSplits:
    """Return all items of a training, by split; no item and no group is in two.

    ItemSplits that chance draws leave every class to training, where they can.

    Args:
        targets: the folder of masks or targets; None: the table that ``config.images`` is names them.

    Raises:
        InputError: for images without truth, stems that are not there, overlapping or empty splits, or splits that part
            a group.
    """
    truth = MASKS if config.dots is None else DOTS
    items = _list_items(config, config.images, targets)
    known = _find_classes(items, config)
    words = [row.split for row in read_pairs(config.images)] if is_table(config.images) else []
    folders = {"val": (config.val_images, config.val_masks), "test": (config.test_images, config.test_masks)}
    given = any(images is not None for images, _ in folders.values())
    if any(words) and (config.splits is not None or config.folds is not None or given):
        raise InputError(
            f"{config.images} has a column 'split', but `splits`, `folds` or folders are given, too; use one"
        )
    if config.splits is not None and given:
        raise InputError("`splits` and `val_images` or `test_images` both say how to split; give one of them")
    for name, (images, masks) in folders.items():
        if images is None and masks is not None:
            raise InputError(f"`{name}_masks` without `{name}_images`; give both")
    if config.splits is not None:
        splits = _read_listed(items, config.splits, config.images)
    elif any(words):
        splits = {name: [item for item, word in zip(items, words) if (word or "train") == name] for name in SPLITS}
        if "" in words:
            remark(f"{config.images}: {words.count('')} of {len(words)} lines have no split; they are trained on")
    elif config.folds is not None and config.fold is not None:
        splits = _fold(items, config.folds, config.fold, config.seed, known)
    elif given:
        own: dict[str, list[Item]] = {
            name: [] if images is None else _list_items(config, images, masks or targets)
            for name, (images, masks) in folders.items()
        }
        splits = {"train": items, "val": own["val"], "test": own["test"]}
    else:
        splits = {"train": items, "val": [], "test": []}
        _hold_out(splits, "test", config.test_fraction, config.seed, known)
    everything = [*items, *(item for name in SPLITS for item in splits[name])]
    if config.multilabel:
        warn_of_unused_masks(targets, everything)
    else:
        warn_of_unused(targets, everything, truth)
    if not splits["val"]:
        _hold_out(splits, "val", config.val_fraction, config.seed, known)
    _check(splits)
    check_together(str(config.images), {name: [(item.name, item.group) for item in splits[name]] for name in SPLITS})
    if config.splits is None and not any(words) and not given and not any(item.group for item in items):
        warn_of_parted(config.images, "image", {name: [item.name for item in splits[name]] for name in SPLITS})
    return splits


def _find_classes(items: Sequence[Item], config: ImageTrain) -> FindClasses:
    """Return what tells the classes of images: those of their masks, or, of a generator, their labels."""
    if config.task == "generate" and config.labels is not None:
        try:
            column = read_column(config.labels, "label")
        except InputError:  # which the survey says
            column = {}
        numbers = {label: place for place, label in enumerate(sorted(set(column.values())))}
        labels = {stem: frozenset({numbers[label]}) for stem, label in column.items()}
        return lambda asked: [labels.get(item.name, frozenset()) for item in asked]
    if config.object_classes is not None:
        return partial(_find_object_classes, config.object_classes, items)
    axes = _count_axes(items[0].image) if config.multilabel else None
    # quantities have no classes, and of objects all masks have those that are learnt
    classified = config.task == "segmentation" and not config.instances
    masks = MaskClasses([item.target for item in items if classified], config.ignore_value, axes)
    return lambda asked: masks.of([item.target for item in asked])


def _find_object_classes(path: Path, items: Sequence[Item], asked: Sequence[Item]) -> list[Classes]:
    """Return the classes of the objects of images; none where they cannot be read, as the survey says."""
    try:
        files = open_object_classes(path, items)
        words = [files.list_classes(item) for item in asked]
    except InputError:
        return [frozenset() for _ in asked]
    numbers = {name: place for place, name in enumerate(sorted(set().union(*words)))}
    return [frozenset(numbers[name] for name in own) for own in words]


def _count_axes(image: str) -> int:
    """Return the axes in space of an image; 2 of one that cannot be read, as the survey says."""
    try:
        return open_stack(Path(image), "image").pixels.ndim - 1
    except InputError:
        return 2


def _list_items(config: ImageTrain, images: Path, targets: Path | None) -> list[Item]:
    """List images with their truth and their groups."""
    items = _list_pairs(config, images, targets)
    known = {str(row.image): row.group for row in read_pairs(images)} if is_table(images) else {}
    if config.groups is None:
        return [replace(item, group=known.get(item.image) or file_of_part(Path(item.image))) for item in items]
    if any(known.values()):
        raise InputError(f"{images} has a column 'group', but `groups` is given, too; use one")
    named = group_names([item.name for item in items], config.groups)
    return [replace(item, group=group) for item, group in zip(items, named)]


def _list_pairs(config: ImageTrain, images: Path, targets: Path | None) -> list[Item]:
    """List images with their truth; those of a generator have none, and of others pairs are made."""
    if config.task == "generate":
        return [Item(name, str(path), "") for name, path in list_images(images).items()]
    if config.makes_pairs:
        return pair_with_themselves(images)
    if config.multilabel:
        return pair_overlapping(images, targets)
    if config.dots is not None:
        return pair_files(images, targets, DOTS)
    return pair_files(images, targets, TARGETS if config.task == "regression" else MASKS)


def _read_listed(items: Sequence[Item], where: str, images: Path) -> ItemSplits:
    lists = read_splits(where, "stems")
    known = {item.name: item for item in items}
    splits: ItemSplits = {}
    for name in SPLITS:
        stems = [stem_of(str(stem)) for stem in lists.get(name, [])]
        absent = [stem for stem in stems if stem not in known]
        if absent:
            raise InputError(
                f"{where}: {name} names {counted(len(absent), 'image')} not in {images}: {listing(absent)}"
            )
        if twice := find_repeated(stems):
            raise InputError(f"{where}: {name} names images twice: {listing(twice)}")
        splits[name] = [known[stem] for stem in stems]
    _check(splits)
    listed = {item.name for own in splits.values() for item in own}
    if unlisted := [item.name for item in items if item.name not in listed]:
        remark(
            f"{where}: names {len(listed)} of the {len(items)} images in {images}; "
            f"{counted(len(unlisted), 'image')} in no list are left out: {listing(unlisted)}"
        )
    return splits


def _fold(items: Sequence[Item], folds: int, fold: int, seed: int, known: FindClasses) -> ItemSplits:
    """Test every ``folds``-th unit of a shuffled row, or, of groups, as many images; another fold tests others."""
    units = gather_units([item.group for item in items])
    if folds > len(units):
        raise InputError(
            f"`folds={folds}`: there are {_count_units(items, units)}; a fold tests one {_noun(items, units)} at least"
        )
    order = permutation(len(units), "folds", seed).tolist()
    row, dealt = deal_units(order, folds, [len(unit) for unit in units])
    row = spread_classes(row, dealt, _classes_of(units, known(items)))
    tested = {place for unit, own in zip(row, dealt) if own == fold for place in units[unit]}
    return {
        "train": [item for i, item in enumerate(items) if i not in tested],
        "val": [],
        "test": [item for i, item in enumerate(items) if i in tested],
    }


def _hold_out(splits: ItemSplits, name: Split, fraction: float, seed: int, known: FindClasses) -> None:
    """Moves a share of the training items, one unit at least, into a split of their own."""
    items = splits["train"]
    if fraction == 0:
        return
    count, units = max(1, round(fraction * len(items))), gather_units([item.group for item in items])
    if count >= len(items) or len(units) < 2:
        tested = f", beside {len(splits['test'])} that test" if splits["test"] else ""
        alone = len(units) == len(items)
        what = are(len(items), "training image") if alone else f"{_count_units(items, units)} are"
        if len(units) == 1 < len(items):
            raise InputError(
                f"`{name}_fraction={fraction:g}`: all {len(items)} images left to train are of one group, "
                f"{items[0].group!r}, and a group stays together, so none can be set apart as {name}{tested}; tell "
                "more groups apart (a column 'group', or `groups`, whose first (group) or whole match names one), "
                f"give more of them, or pass `{name}_fraction=0`"
            )
        raise InputError(
            f"`{name}_fraction={fraction:g}`: {what} too few to set {count} of them apart as "
            f"{name}{tested}; give more images, cut them into pieces, or pass `{name}_images` or `{name}_fraction=0`"
        )
    row = permutation(len(units), "split", seed, SPLITS.index(name)).tolist()
    chosen = choose_units(row, count, _classes_of(units, known(items)), [len(unit) for unit in units])
    apart = {place for unit in chosen for place in units[unit]}
    splits[name] = [item for i, item in enumerate(items) if i in apart]
    splits["train"] = [item for i, item in enumerate(items) if i not in apart]


def _classes_of(units: Sequence[Sequence[int]], classes: Sequence[Classes]) -> list[Classes]:
    """Return the classes that the images of each unit show."""
    return [frozenset().union(*(classes[place] for place in unit)) for unit in units]


def _noun(items: Sequence[Item], units: Sequence[Sequence[int]]) -> str:
    return "image" if len(items) == len(units) else "group"


def _count_units(items: Sequence[Item], units: Sequence[Sequence[int]]) -> str:
    """Count images, and the groups that stay together."""
    images = counted(len(items), "image")
    return images if len(items) == len(units) else f"{images} of {counted(len(units), 'group')}"


def _check(splits: ItemSplits) -> None:
    if not splits["train"]:
        raise InputError("no training images: the list 'train' is empty")
    seen: dict[Path, str] = {}
    for name in SPLITS:
        for item in splits[name]:
            other = seen.setdefault(Path(item.image).resolve(), name)
            if other != name:
                raise InputError(f"{item.image}: is both in {other} and in {name}; an image may be in one split only")
