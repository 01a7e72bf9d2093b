"""Splits drawn by chance that leave every class to training, where this is possible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from itertools import product
from pathlib import Path

from multiunet.domains.image.files.lazy import count_values, iter_blocks
from multiunet.domains.image.files.masks import ColouredMask, read_mask
from multiunet.errors import InputError

Classes = frozenset[int]
"""The mask values of an image."""


class MaskClasses:
    """Classes of masks, read when first asked for.

    A mask that cannot be read shows none: the survey says why.
    """

    def __init__(self, masks: Sequence[str], ignored: int | None) -> None:
        self.masks = masks
        self.ignored = ignored

    def of(self, masks: Sequence[str]) -> list[Classes]:
        """Return the classes of some of the masks."""
        return [self._known.get(mask, frozenset()) for mask in masks]

    @cached_property
    def _known(self) -> dict[str, Classes]:
        try:
            return {mask: self._read(mask, coloured=False) for mask in self.masks}
        except ColouredMask:  # one of them is painted, so all are
            return {mask: self._read(mask, coloured=True) for mask in self.masks}

    def _read(self, mask: str, coloured: bool) -> Classes:
        try:
            labels = read_mask(Path(mask), coloured)
        except ColouredMask:
            raise
        except InputError:
            return frozenset()
        found = (value for region in iter_blocks(labels) for value in count_values(labels[region])[0].tolist())
        return frozenset(found) - {self.ignored}


def choose_images(order: Sequence[int], count: int, classes: Sequence[Classes]) -> list[int]:
    """Return the first ``count`` images of a row, those last that alone are left to show a class.

    >>> choose_images([2, 0, 1, 3], 2, [frozenset({1}), frozenset({1}), frozenset({1, 7}), frozenset({1})])
    [0, 1]
    """
    left = Counter(value for own in classes for value in own)
    taken: list[int] = []
    spared: list[int] = []
    for image in order:
        if len(taken) == count:
            break
        if any(left[value] == 1 for value in classes[image]):
            spared.append(image)
        else:
            taken.append(image)
            left.subtract(classes[image])
    return taken + spared[: count - len(taken)]


def spread_classes(order: Sequence[int], folds: int, classes: Sequence[Classes]) -> list[int]:
    """Swap as few images of a row as it takes to have no class tested in one fold only.

    A fold tests every ``folds``-th image of the row, and could not learn such a class. Classes of a single image are
    left as they are.

    >>> spread_classes([0, 1, 2, 3], 2, [frozenset({1, 7}), frozenset({1}), frozenset({1, 7}), frozenset({1})])
    [1, 0, 2, 3]
    """
    row = list(order)
    for value in sorted(_tested_at_once(row, folds, classes)):
        own = [place for place, image in enumerate(row) if value in classes[image]]
        for a, b in product(own, range(len(row))):
            swapped = list(row)
            swapped[a], swapped[b] = row[b], row[a]
            together = _tested_at_once(swapped, folds, classes)
            if value not in together and together <= _tested_at_once(row, folds, classes):
                row = swapped
                break
    return row


def _tested_at_once(row: Sequence[int], folds: int, classes: Sequence[Classes]) -> set[int]:
    """The classes of several images that are all tested in one fold."""
    counts = Counter(value for own in classes for value in own)
    testing: dict[int, set[int]] = {}
    for place, image in enumerate(row):
        for value in classes[image]:
            testing.setdefault(value, set()).add(place % folds)
    return {value for value, in_folds in testing.items() if len(in_folds) == 1 and counts[value] > 1}
