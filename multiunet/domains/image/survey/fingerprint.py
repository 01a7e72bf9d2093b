"""Fingerprint of a data set: sizes, spacings, intensities, classes and objects in a few numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label

from multiunet.domains.image.files.lazy import Pixels, iter_blocks
from multiunet.domains.image.fingerprint_info import Channel, ClassSummary, Fingerprint, SeparableObjects, Sides, Spread
from multiunet.domains.image.survey.splits import ItemSplits
from multiunet.domains.image.target_info import Masks, Overlapping
from multiunet.domains.info import ClassLabels, Labels, Quantities

SUBSAMPLED = 10_000
"""Pixels of an image, evenly spread, that percentiles are taken of."""

COUNTED = 8
"""Training masks whose objects are counted."""

LABELLED = 1 << 22
"""Pixels of such a mask that are looked at: its first ones along the first axis."""

PERCENTILES = (0.5, 50.0, 99.5)


@dataclass
class ObjectSizes:
    """Sizes of objects in the first ``COUNTED`` training masks.

    Attributes:
        sizes: pixels of each object, by mask value.
        masks: how many masks were looked at.
        shown: how many values but 0 they have, added up over the masks.
    """

    sizes: dict[int, list[int]] = field(default_factory=dict)
    masks: int = 0
    shown: int = 0

    def labelled(self, labels: Pixels, values: Sequence[int]) -> None:
        """Add a training mask of classes; its objects are areas of these values, connected through sides."""
        if self.masks == COUNTED:
            return
        self.masks += 1
        of, sizes = _areas(labels[: max(1, LABELLED // math.prod(labels.shape[1:]))])
        for value in values:
            own = sizes[of == value].tolist()
            self.shown += value != 0 and len(own) > 0
            self.sizes.setdefault(value, []).extend(own)

    def numbered(self, objects: NDArray[np.int32]) -> None:
        """Add a training mask that numbers its objects.

        Objects (inside and boundary) are reported under class 1.
        """
        if self.masks == COUNTED:
            return
        self.masks += 1
        self.sizes.setdefault(1, []).extend(np.unique(objects[objects > 0], return_counts=True)[1].tolist())

    def overlapping(self, bits: Pixels, places: Sequence[int]) -> bool:
        """Add a training mask of classes that may overlap, a bit each; return whether more are looked at."""
        self.masks += 1
        block = bits[: max(1, LABELLED // math.prod(bits.shape[1:]))]
        for value, place in enumerate(places):
            of, sizes = _areas(block >> place & 1)
            self.sizes.setdefault(value, []).extend(sizes[of == 1].tolist())
        return self.masks < COUNTED

    def may_number(self, found: Sequence[Sequence[int]]) -> bool:
        """Return True where few values seem to number objects, not classes.

        All masks then have 0 and begin with 1, more than three values but 0 are nearly always one connected part each,
        and masks differ in how many they have.

        Args:
            found: the values of each mask, ascending.
        """
        values = {value for own in found for value in own} - {0}
        parts = sum(len(sizes) for value, sizes in self.sizes.items() if value != 0)
        in_order = all(list(own) == list(range(len(own))) for own in found)
        return len(values) > 3 and in_order and len({len(own) for own in found}) > 1 and parts <= 1.1 * self.shown

    def summary(self, value: int, share: float) -> ClassSummary:
        """Return the share of a class, the objects of its value in a mask, and their median size."""
        sizes = self.sizes.get(value, [])
        if not sizes:
            return ClassSummary(share=_round(share))
        a_mask, median = _round(len(sizes) / self.masks), int(np.median(sizes))
        return ClassSummary(share=_round(share), objects_a_mask=a_mask, object_pixels=median)


@dataclass
class FingerprintCollector:
    """Collects what is asked of each file while it is in memory anyway; ``summary`` puts it together."""

    shapes: list[tuple[int, ...]] = field(default_factory=list)
    spacings: list[tuple[float, ...]] = field(default_factory=list)
    pixels: Counter[str] = field(default_factory=Counter)
    kinds: set[str] = field(default_factory=set)
    bytes: int = 0
    subsampled: list[NDArray[np.float64]] = field(default_factory=list)
    objects: ObjectSizes = field(default_factory=ObjectSizes)
    separable: SeparableObjects | None = None

    def image(self, pixels: Pixels, spacing: Sequence[float] | None, split: str) -> None:
        """Add an image ``(C, *space)`` of this split."""
        self.pixels[split] += math.prod(pixels.shape[1:])
        if split != "test":  # what training reads again and again; beside the pixels, labels of 16 bits
            self.bytes += pixels.nbytes + 2 * math.prod(pixels.shape[1:])
        if split != "train":
            return
        self.shapes.append(pixels.shape[1:])
        self.kinds.add(pixels.dtype.name)
        if spacing is not None:
            self.spacings.append(tuple(spacing))
        self.subsampled.append(_subsample(pixels))

    def numbered(self, objects: NDArray[np.int32], split: str) -> None:
        """Add a mask of this split that numbers its objects."""
        if split != "test":  # numbers and weights of 32 bits each, besides the labels
            self.bytes += 8 * objects.size
        if split == "train":
            self.objects.numbered(objects)

    def summary(
        self,
        channels: int,
        splits: ItemSplits,
        target: ClassLabels | Labels | Quantities,
        masks: Masks | None,
        overlapping: Overlapping | None = None,
    ) -> Fingerprint:
        """Return the fingerprint of data of so many channels.

        Sizes are in pixels, spacings in micrometres, objects those of at most ``COUNTED`` masks.
        """
        values = np.concatenate([part[:channels] for part in self.subsampled], axis=1)
        classes: dict[str, ClassSummary] = {}
        if isinstance(target, ClassLabels) and masks is not None:
            counts = np.asarray(masks.pixels["train"], dtype=np.float64)
            shares = (counts / counts.sum()).tolist()
            classes = {
                name: self.objects.summary(int(value), share)
                for name, value, share in zip(target.names, target.values, shares)
            }
        if isinstance(target, Labels) and overlapping is not None:
            classes = {
                name: self.objects.summary(value, share)
                for value, (name, share) in enumerate(zip(target.names, target.shares))
            }
        return Fingerprint(
            images={name: len(items) for name, items in splits.items()},
            pixels={name: self.pixels[name] for name in splits},
            size=_summarise_sides(self.shapes),
            spacing=_summarise_columns(self.spacings) if self.spacings else None,
            numbers=tuple(sorted(self.kinds)),
            bytes=self.bytes,
            intensities=tuple(_summarise_channel(channel) for channel in values),
            classes=classes,
            objects=self.separable,
        )


def _summarise_channel(channel: NDArray[np.float64]) -> Channel:
    low, median, high = (_round(np.percentile(channel, share)) for share in PERCENTILES)
    return Channel(mean=_round(channel.mean()), deviation=_round(channel.std()), low=low, median=median, high=high)


def _subsample(pixels: Pixels) -> NDArray[np.float64]:
    """At most ``SUBSAMPLED`` pixels of ``(C, *space)``, evenly spread, ``(C, n)``; the same however they are read."""
    space = pixels.shape[1:]
    step = -(-math.prod(space) // SUBSAMPLED)
    while math.gcd(step, space[-1]) > 1:  # else they would be of the same few columns in all rows
        step += 1
    places = np.stack(np.unravel_index(np.arange(0, math.prod(space), step), space))
    parts = []
    for region in iter_blocks(pixels, whole=1):
        start, stop = np.array([(cut.start, cut.stop) for cut in region[1:]]).T[..., None]
        inside = places[:, ((start <= places) & (places < stop)).all(axis=0)] - start
        parts.append(pixels[region][(slice(None), *inside)])
    return np.concatenate(parts, axis=1).astype(np.float64)


def _areas(labels: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The value of each area of equal pixels, connected through sides, and its pixels."""
    values = labels.astype(np.int64)
    numbered = label(values + 1 - values.min(), connectivity=1).ravel()  # 0 would be no area
    sizes = np.bincount(numbered)
    of = np.empty_like(sizes)
    of[numbered] = values.ravel()
    return of[1:], sizes[1:]


def _summarise_columns(rows: Sequence[Sequence[float]]) -> Spread:
    median, smallest, largest = (tuple(map(_round, row)) for row in _median_and_extremes(rows))
    return Spread(median=median, smallest=smallest, largest=largest)


def _summarise_sides(rows: Sequence[Sequence[int]]) -> Sides:
    median, smallest, largest = (tuple(int(side) for side in row) for row in _median_and_extremes(rows))
    return Sides(median=median, smallest=smallest, largest=largest)


def _median_and_extremes(rows: Sequence[Sequence[float]]) -> list[NDArray[np.float64]]:
    table = np.asarray(rows, dtype=np.float64)
    return [np.median(table, axis=0), table.min(axis=0), table.max(axis=0)]


def _round(value: Any) -> float:
    return float(f"{float(value):.4g}")
