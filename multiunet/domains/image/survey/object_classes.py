"""Survey of the classes of numbered objects."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.image.class_names import name_classes
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.data.instances import CLASSES, Touching
from multiunet.domains.image.data.object_classes import IGNORED, name_labels
from multiunet.domains.image.data.targets import list_numbers
from multiunet.domains.image.files.masks import MOST_CLASSES
from multiunet.domains.image.files.object_classes import ObjectClassFiles, open_object_classes
from multiunet.domains.image.files.pairing import Item
from multiunet.domains.image.survey.fingerprint import COUNTED, ObjectSizes
from multiunet.domains.image.survey.splits import ItemSplits
from multiunet.domains.image.target_info import ObjectClasses
from multiunet.domains.remarks import remark
from multiunet.domains.setting_types import Split
from multiunet.domains.splits import SPLITS
from multiunet.domains.whole_numbers import parse_whole
from multiunet.errors import InputError
from multiunet.wording import counted, listing


@dataclass
class ObjectClassSurvey:
    """Classes of objects, collected while their masks are in memory.

    Attributes:
        words: by mask, the class of each object in words; None where it has none.
        sizes: by mask, the pixels of each part of each object, ``(parts, objects + 1)``.
    """

    config: ImageTrain
    files: ObjectClassFiles
    words: dict[str, list[str | None]] = field(default_factory=dict)
    splits: dict[str, Split] = field(default_factory=dict)
    sizes: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    outside: Counter[Split] = field(default_factory=Counter)

    @classmethod
    def open(cls, splits: ItemSplits, config: ImageTrain) -> ObjectClassSurvey | None:
        """Open the files that say the classes; None where objects have none.

        Raises:
            InputError: see ``open_object_classes``.
        """
        if config.object_classes is None:
            return None
        items = [item for name in SPLITS for item in splits[name]]
        return cls(config, open_object_classes(config.object_classes, items))

    def add(self, split: Split, item: Item, objects: NDArray[np.int32], parts: NDArray[np.int16]) -> None:
        """Read the classes of the objects of a mask.

        Args:
            objects: numbered from 1, 0 outside, ``space``.
            parts: class that encodes each pixel, ``space``.

        Raises:
            InputError: see ``ObjectClassFiles.read``.
        """
        self.words[item.target] = self.files.read(
            item, objects, lambda: list_numbers(item.target, self.config.ignore_value)
        )
        self.splits[item.target] = split
        count = len(self.words[item.target]) + 1
        inside = parts > 0
        places = (parts[inside].astype(np.int64) - 1) * count + objects[inside]
        touching: Touching = self.config.instance_encoding
        sizes = np.bincount(places, minlength=(len(CLASSES[touching]) - 1) * count)
        self.sizes[item.target] = sizes.reshape(-1, count)
        self.outside[split] += int(np.count_nonzero(parts == 0))

    def result(self) -> ObjectClasses:
        """Return the classes; say what is strange about them.

        Raises:
            InputError: for classes that nothing can be learnt from, or names that do not fit.
        """
        self.files.say()
        words = sorted({word for own in self.words.values() for word in own if word is not None}, key=_order)
        path = self.config.object_classes
        if not words:
            raise InputError(f"{path}: gives no object of {len(self.words)} masks a class")
        if len(words) < 2:
            raise InputError(
                f"{path}: all objects are of one class, {words[0]}, so there is nothing to tell apart; leave out "
                "`object_classes`"
            )
        if len(words) > MOST_CLASSES:
            raise InputError(f"{path}: has {len(words)} classes of objects; {MOST_CLASSES} at most are told apart")
        alike = {word.lower(): word for word in words}  # names are given without regard to capitals
        if len(alike) < len(words):
            raise InputError(f"{path}: has classes that differ by capitals alone: {listing(words)}; write each one way")
        named = name_classes(list(alike), self.config.class_names or {}, "0")
        names = [alike.get(name, name) for name in named]
        if taken := set(names) & {"object", *(name for own in CLASSES.values() for name in own)}:
            raise InputError(
                f"`class_names`: a class of objects is called {min(taken)!r}, which all objects have; call "
                "it something else"
            )
        place = {word: index for index, word in enumerate(words)}
        of = {mask: tuple(IGNORED if word is None else place[word] for word in own) for mask, own in self.words.items()}
        found = ObjectClasses(
            names=tuple(names),
            words=tuple(words),
            values=_number(words),
            of=of,
            counts=self._count(of, len(words)),
        )
        self._check(found)
        return found

    def _count(self, of: dict[str, tuple[int, ...]], count: int) -> dict[Split, tuple[int, ...]]:
        counts = {name: np.zeros(count, np.int64) for name in SPLITS}
        for mask, classes in of.items():
            known = np.array([one for one in classes if one >= 0], np.int64)
            counts[self.splits[mask]] += np.bincount(known, minlength=count)
        return {name: tuple(own.tolist()) for name, own in counts.items()}

    def _check(self, found: ObjectClasses) -> None:
        """Refuse a class without training objects; say how many objects have none."""
        fold = "" if self.config.fold is None else f" of fold {self.config.fold} of `folds={self.config.folds}`"
        path = self.config.object_classes
        for place, (name, count) in enumerate(zip(found.names, found.counts["train"])):
            if not count:
                mask = next(mask for mask, own in found.of.items() if place in own)
                raise InputError(
                    f"{path}: class {name} is of no object in a training image{fold}, so it cannot be learnt; it is in "
                    f"{mask}; move such an image to the training split (another `seed`, say), or clear the class there"
                )
        bare = {mask: own.count(IGNORED) for mask, own in found.of.items() if IGNORED in own}
        if bare:
            objects = sum(map(len, found.of.values()))
            remark(
                f"{path}: {sum(bare.values())} of {objects} objects have no class ({counted(len(bare), 'mask')}, such "
                f"as {next(iter(bare))}); they are learnt as objects, and teach no class"
            )
        for split in SPLITS[1:]:
            absent = [name for name, count in zip(found.names, found.counts[split]) if not count]
            if absent and sum(found.counts[split]):
                remark(f"{path}: no object of the {split} images is of {listing(absent)}, so nothing is scored of it")

    def object_sizes(self, found: ObjectClasses) -> ObjectSizes:
        """Return the sizes of the objects of each class in a few training masks, by the label of their inside."""
        masks = [mask for mask, split in self.splits.items() if split == "train"][:COUNTED]
        sizes: dict[int, list[int]] = {}
        for mask in masks:
            for own, pixels in zip(found.of[mask], self.sizes[mask].sum(axis=0)[1:].tolist()):
                if own >= 0 and pixels:
                    sizes.setdefault(1 + own, []).append(pixels)
        return ObjectSizes(sizes, len(masks))

    def pixels(self, found: ObjectClasses, touching: Touching) -> dict[Split, tuple[int, ...]]:
        """Return the pixels of each label by split; those of objects without a class are of none."""
        labels, count = len(name_labels(touching, found.names)), len(found.names)
        totals = {name: np.zeros(labels, np.int64) for name in SPLITS}
        for mask, sizes in self.sizes.items():
            total = totals[self.splits[mask]]
            for number, own in enumerate(found.of[mask], start=1):
                if own >= 0:
                    total[1 + own :: count] += sizes[:, number]
        for name, total in totals.items():
            total[0] = self.outside[name]
        return {name: tuple(total.tolist()) for name, total in totals.items()}


def _order(word: str) -> tuple[bool, int, str]:
    """Numbers come in their order, before words."""
    number = parse_whole(word)
    return (True, 0, word) if number is None else (False, number, word)


def _number(words: list[str]) -> tuple[int, ...]:
    """Return the value of each class in exported maps: its number, if all are numbers, else its place."""
    numbers = {number for word in words if (number := parse_whole(word)) is not None and number > 0}
    if len(numbers) == len(words):
        return tuple(map(int, words))
    return tuple(range(1, len(words) + 1))
