"""What a data set is like, in numbers that a person can check: sizes, spacings, intensities, classes, objects."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label

from multiunet.domains.image.files.lazy import Pixels, iter_blocks

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
        """A training mask of classes; its objects are areas of these values, connected through sides."""
        if self.masks == COUNTED:
            return
        self.masks += 1
        of, sizes = _areas(labels[: max(1, LABELLED // math.prod(labels.shape[1:]))])
        for value in values:
            own = sizes[of == value].tolist()
            self.shown += value != 0 and len(own) > 0
            self.sizes.setdefault(value, []).extend(own)

    def numbered(self, objects: NDArray[np.int32]) -> None:
        """A training mask that numbers its objects.

        Objects (inside and boundary) are reported under class 1.
        """
        if self.masks == COUNTED:
            return
        self.masks += 1
        self.sizes.setdefault(1, []).extend(np.unique(objects[objects > 0], return_counts=True)[1].tolist())

    def may_number(self, found: Sequence[Sequence[int]]) -> bool:
        """Whether few values seem to number objects, not classes: all masks have 0 and begin with 1, more than three
        values but 0 are nearly always one connected part each, and masks differ in how many they have.

        Args:
            found: the values of each mask, ascending.
        """
        values = {value for own in found for value in own} - {0}
        parts = sum(len(sizes) for value, sizes in self.sizes.items() if value != 0)
        in_order = all(list(own) == list(range(len(own))) for own in found)
        return len(values) > 3 and in_order and len({len(own) for own in found}) > 1 and parts <= 1.1 * self.shown

    def summary(self, value: int) -> dict[str, Any]:
        """Plain JSON: objects of this value in a mask, and their median size; nothing where there are none."""
        sizes = self.sizes.get(value, [])
        if not sizes:
            return {}
        return {"objects_a_mask": _round(len(sizes) / self.masks), "object_pixels": int(np.median(sizes))}


@dataclass
class Fingerprint:
    """Collects what is asked of each file while it is in memory anyway; ``summary`` puts it together."""

    shapes: list[tuple[int, ...]] = field(default_factory=list)
    spacings: list[tuple[float, ...]] = field(default_factory=list)
    pixels: Counter[str] = field(default_factory=Counter)
    kinds: set[str] = field(default_factory=set)
    bytes: int = 0
    thinned: list[NDArray[np.float64]] = field(default_factory=list)
    objects: ObjectSizes = field(default_factory=ObjectSizes)
    separable: dict[str, int] | None = None

    def image(self, pixels: Pixels, spacing: Sequence[float] | None, split: str) -> None:
        """An image ``(C, *space)`` of this split."""
        self.pixels[split] += math.prod(pixels.shape[1:])
        if split != "test":  # what training reads again and again; beside the pixels, labels of 16 bits
            self.bytes += pixels.nbytes + 2 * math.prod(pixels.shape[1:])
        if split != "train":
            return
        self.shapes.append(pixels.shape[1:])
        self.kinds.add(pixels.dtype.name)
        if spacing is not None:
            self.spacings.append(tuple(spacing))
        self.thinned.append(_subsample(pixels))

    def numbered(self, objects: NDArray[np.int32], split: str) -> None:
        """A mask of this split that numbers its objects."""
        if split != "test":  # numbers and weights of 32 bits each, besides the labels
            self.bytes += 8 * objects.size
        if split == "train":
            self.objects.numbered(objects)

    def summary(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Plain JSON; sizes in pixels, spacings in the files' unit, objects of at most ``COUNTED`` masks.

        Args:
            facts: what ``survey`` learnt besides.
        """
        channels = int(facts["channels"])
        values = np.concatenate([part[:channels] for part in self.thinned], axis=1)
        found: dict[str, Any] = {
            "images": {name: len(items) for name, items in facts["split"].items()},
            "pixels": {name: self.pixels[name] for name in facts["split"]},
            "size": _summarise_columns(self.shapes, int),
            "spacing": _summarise_columns(self.spacings, float) if self.spacings else None,
            "numbers": sorted(self.kinds),
            "bytes": self.bytes,
            "intensities": [
                {
                    "mean": _round(channel.mean()),
                    "deviation": _round(channel.std()),
                    **{f"percentile_{p:g}": _round(np.percentile(channel, p)) for p in PERCENTILES},
                }
                for channel in values
            ],
        }
        if facts["task"] == "segmentation":
            counts = np.asarray(facts["pixels"]["train"], dtype=np.float64)
            found["classes"] = {
                name: {"share": _round(share), **self.objects.summary(value)}
                for name, value, share in zip(facts["classes"], facts["values"], counts / counts.sum())
            }
        if self.separable is not None:
            found["objects"] = self.separable
        return found


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


def _summarise_columns(rows: Sequence[Sequence[float]], kind: type) -> dict[str, list[Any]]:
    table = np.asarray(rows, dtype=np.float64)
    by_name = {"median": np.median(table, axis=0), "smallest": table.min(axis=0), "largest": table.max(axis=0)}
    return {name: [kind(_round(n)) if kind is float else kind(n) for n in row] for name, row in by_name.items()}


def _round(value: Any) -> float:
    return float(f"{float(value):.4g}")
