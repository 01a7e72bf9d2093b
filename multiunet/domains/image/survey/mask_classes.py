"""Classes that masks show, for splits that leave every class to training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from multiunet.domains.image.files.lazy import count_values, iter_blocks
from multiunet.domains.image.files.masks import ColouredMask, read_mask
from multiunet.domains.image.files.overlapping import places_of, read_overlapping, used_places
from multiunet.domains.units import Classes
from multiunet.errors import InputError


class MaskClasses:
    """Classes of masks, their values, read when first asked for.

    A mask that cannot be read shows none: the survey says why.

    Args:
        overlapping: axes in space of masks whose classes may overlap, which are numbered by their places; None: classes
            exclude each other.
    """

    def __init__(self, masks: Sequence[str], ignored: int | None, overlapping: int | None = None) -> None:
        self.masks = masks
        self.ignored = ignored
        self.overlapping = overlapping

    def of(self, masks: Sequence[str]) -> list[Classes]:
        """Return the classes of some of the masks."""
        return [self._known.get(mask, frozenset()) for mask in masks]

    @cached_property
    def _known(self) -> dict[str, Classes]:
        if self.overlapping is not None:
            return {mask: self._read_overlapping(mask) for mask in self.masks}
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

    def _read_overlapping(self, mask: str) -> Classes:
        try:
            found = read_overlapping(mask, self.overlapping or 2, self.ignored, checked=True).bits
        except InputError:
            return frozenset()
        used = 0
        for region in iter_blocks(found):
            used |= used_places(found[region])
        return frozenset(places_of(used))
