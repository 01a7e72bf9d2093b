"""Classes of numbered objects, from masks of classes or from a table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.image.files.lazy import format_shape
from multiunet.domains.image.files.listing import list_images, stem_of
from multiunet.domains.image.files.masks import ColouredMask, read_mask
from multiunet.domains.image.files.pairing import Item, list_unmatched, match_names
from multiunet.domains.image.files.table import is_table
from multiunet.domains.remarks import remark
from multiunet.domains.repeats import find_repeated
from multiunet.domains.rows import Row, name_cells, read_rows
from multiunet.domains.whole_numbers import parse_whole
from multiunet.errors import InputError
from multiunet.wording import counted, listing

COLUMNS = ("image", "object", "class")

SEVERAL = 0.1
"""Share of an object's pixels that have another class than the others, from which on it is said."""

Numbers = Callable[[], NDArray[np.integer]]
"""Function that returns the numbers that a mask gives its objects, ascending."""


class ObjectClassFiles(ABC):
    """Files that say the classes of objects."""

    @abstractmethod
    def read(self, item: Item, objects: NDArray[np.int32], numbers: Numbers) -> list[str | None]:
        """Return the class of each object of an image in words; None where it has none.

        Args:
            objects: numbered from 1 in the order of their numbers in the mask, 0 outside; ``space``.
            numbers: those in the mask.

        Raises:
            InputError: for a file that cannot be read, or does not fit the objects.
        """

    @abstractmethod
    def list_classes(self, item: Item) -> set[str]:
        """Return the classes that an image shows, in words.

        Raises:
            InputError: for a file that cannot be read.
        """

    def say(self) -> None:  # noqa: B027  of a table each line is checked
        """Say what was found strange in all files that were read."""


def open_object_classes(path: Path, items: Sequence[Item]) -> ObjectClassFiles:
    """Open the folder of masks of classes, or the table, of these images.

    Raises:
        InputError: for files that cannot be read, or images without them, or two images of one name.
    """
    names = [item.name for item in items]
    if twice := find_repeated(names):
        raise InputError(
            f"{path}: says one class for the objects of two images that are both called {twice[0]}; give them names of "
            "their own"
        )
    if is_table(path):
        known_as = {stem_of(item.image): item.name for item in items} | {name: name for name in names}
        return ObjectTable(path, _read_table(path, known_as))
    known = list_images(path, "labels")
    images = {item.name: Path(item.image) for item in items}
    if (found := match_names(images, known)) is None:
        stems = list_unmatched(images, known)
        raise InputError(
            f"{path}: no mask of classes for {len(stems)} of the {counted(len(items), 'image')}: {listing(stems)}; "
            "they have the names of their images, or give a CSV with the columns image, object, class"
        )
    return ObjectClassMasks(path, {name: known[mask] for name, mask in found.items()})


@dataclass
class ObjectClassMasks(ObjectClassFiles):
    """Masks of the class of each pixel, of the size of the masks that number objects; 0: none.

    An object has the class that most of its pixels have.

    Attributes:
        files: by name of the image.
        torn: of each mask with objects of several classes, how many, and one of them.
        objects: that have a class.
    """

    folder: Path
    files: Mapping[str, Path]
    torn: list[tuple[str, int, int]] = field(default_factory=list)
    objects: int = 0

    def read(self, item: Item, objects: NDArray[np.int32], numbers: Numbers) -> list[str | None]:
        path = self.files[item.name]
        classes = _match_rows(path, _read_classes(path), objects.shape)
        inside = objects > 0
        values, place = np.unique(classes[inside], return_inverse=True)
        if len(values) and values[0] < 0:
            raise InputError(f"{path}: has the value {values[0]}; classes of objects are 1, 2, 3, ..., and 0 is none")
        counts = np.zeros((int(objects.max(initial=0)) + 1, len(values)), np.int64)
        np.add.at(counts, (objects[inside], place.ravel()), 1)
        found = counts[1:]
        if not found.size:
            return [None] * len(found)
        best, sizes = found.argmax(axis=1), found.sum(axis=1)
        several = np.flatnonzero(sizes - found.max(axis=1) > SEVERAL * sizes)
        if len(several):
            self.torn.append((str(path), len(several), int(numbers()[several[0]])))
        words = [str(values[k]) if size and values[k] else None for k, size in zip(best, sizes)]
        self.objects += sum(word is not None for word in words)
        return words

    def list_classes(self, item: Item) -> set[str]:
        return {str(value) for value in np.unique(_read_classes(self.files[item.name])) if value}

    def say(self) -> None:
        """Say how many objects have several classes.

        Raises:
            InputError: where they are most of them.
        """
        if not self.torn:
            return
        (path, count, number), total = self.torn[0], sum(count for _, count, _ in self.torn)
        shown = f"{path}: {counted(count, 'object')} with pixels of several classes, such as object {number}"
        if 2 * total > self.objects:
            raise InputError(
                f"{shown}, and {total} in all, most of them; are these the classes of these objects? Give each object "
                "one class, or a CSV with the columns image, object, class"
            )
        remark(f"{shown} ({total} in all of {self.folder}); an object has the class that most of its pixels have")


@dataclass(frozen=True)
class ObjectTable(ObjectClassFiles):
    """Table of the class of each object.

    Attributes:
        rows: by name of the image and number of the object the class, and the line that says it.
    """

    path: Path
    rows: Mapping[str, Mapping[int, tuple[str, int]]]

    def read(self, item: Item, objects: NDArray[np.int32], numbers: Numbers) -> list[str | None]:
        known, rows = [int(number) for number in numbers()], self.rows.get(item.name, {})
        if strange := sorted(set(rows) - set(known)):
            has = f"its objects are {listing(list(map(str, known)))}" if known else "it has none"
            raise InputError(
                f"{self.path}, line {rows[strange[0]][1]}: {item.target} has no object {strange[0]}; {has}"
            )
        return [rows[number][0] or None if number in rows else None for number in known]

    def list_classes(self, item: Item) -> set[str]:
        return {name for name, _ in self.rows.get(item.name, {}).values() if name}


def _read_classes(path: Path) -> NDArray[np.integer]:
    try:
        labels: NDArray[np.integer] = read_mask(path)[...]
    except ColouredMask:
        raise InputError(f"{path}: is in colours; save the class of each object as an integer, 1, 2, 3, ...") from None
    return labels


def _match_rows(path: Path, classes: NDArray[np.integer], space: tuple[int, ...]) -> NDArray[np.integer]:
    """Return classes on the pixels of the objects: without the rows of an information bar that is cut off."""
    fits = classes.ndim == len(space) and classes.shape[-2] >= space[-2]
    cut = classes[..., : space[-2], :] if fits else classes
    if cut.shape != space:
        raise InputError(
            f"{path}: is {format_shape(classes.shape)}, but the mask of its objects is {format_shape(space)}; they "
            "must be equal"
        )
    return cut


def _read_table(path: Path, names: Mapping[str, str]) -> dict[str, dict[int, tuple[str, int]]]:
    """Return the rows of a table, by the names of images; those of other images are said and left out."""
    rows: dict[str, dict[int, tuple[str, int]]] = {}
    strange: dict[str, None] = {}
    lines = read_rows(path)
    for number, cells in name_cells(path, lines[1:], _name_columns(path, lines)):
        where = f"{path}, line {number}"
        image = names.get(cells["image"]) or names.get(stem_of(Path(cells["image"]).name))
        if image is None:
            strange[cells["image"]] = None
            continue
        if (place := parse_whole(cells["object"])) is None:
            raise InputError(f"{where}: object {cells['object']!r} is not the number of an object")
        told = rows.setdefault(image, {}).setdefault(place, (cells["class"], number))
        if told[0] != cells["class"]:
            raise InputError(
                f"{where}: object {place} of {image} is of class {cells['class']!r}, but line {told[1]} says "
                f"{told[0]!r}; an object has one class"
            )
    if not rows:
        raise InputError(
            f"{path}: says the classes of none of the images ({listing(list(names))}); its column image has their names"
        )
    if strange:
        remark(f"{path}: lines of images that are not used: {listing(list(strange))}")
    return rows


def _name_columns(path: Path, lines: Sequence[Row]) -> list[str]:
    """Return the names of a table's columns, in small letters."""
    header = [name.lower() for name in lines[0][1]] if lines else []
    if missing := [name for name in COLUMNS if header.count(name) != 1]:
        raise InputError(
            f"{path}: has no column {missing[0]!r}, or has it twice; the first line names the columns, with commas "
            f"between them: {','.join(COLUMNS)}"
        )
    return header
