"""Separability of training objects: their sizes, and how many a perfect prediction gives back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.image.data.instances import CLASSES, Touching, encode_objects
from multiunet.domains.image.fingerprint_info import SeparableObjects
from multiunet.domains.image.prediction.separate import separate_objects
from multiunet.domains.remarks import remark
from multiunet.metrics import InstanceMatcher

SEPARATED = 8
"""Training masks whose objects are separated."""

WINDOW = 1 << 20
"""Most pixels of such a mask, from its middle."""

STRAY = 1.0
"""Percentage of the training objects that may be smaller than an object must be: slips of whoever drew them."""

MANY = 0.2
"""Share of lost objects that is worth a warning."""


@dataclass
class Separability:
    """Collect training masks while they are in memory anyway."""

    sizes: list[NDArray[np.int64]] = field(default_factory=list)
    windows: list[NDArray[np.int32]] = field(default_factory=list)

    def add(self, objects: NDArray[np.int32], classes: NDArray[np.int16]) -> None:
        """Add a training mask and the classes that encode it: gaps belong to no object."""
        self.sizes.append(np.unique(objects[classes > 0], return_counts=True)[1])
        if len(self.windows) < SEPARATED:
            self.windows.append(_cut_middle(objects).copy())  # a view would keep all of it

    def smallest(self) -> int:
        """Return the pixels of the smallest training object, strays left out."""
        return int(np.percentile(np.concatenate(self.sizes), STRAY, method="lower"))

    def count(self, touching: Touching, spacing: Sequence[float]) -> SeparableObjects:
        """Count the objects looked at, and those that perfect probabilities give back at an IoU above 0.5."""
        matcher = InstanceMatcher()
        for objects in self.windows:
            classes = encode_objects(objects, touching, spacing)
            perfect = np.stack([classes == index for index in range(len(CLASSES[touching]))]).astype(np.float32)
            matcher.update(separate_objects(perfect, spacing, self.smallest()), objects)
        return SeparableObjects(looked_at=matcher.true_objects, separable=int(matcher.hits[0]))


def warn_of_lost(found: Separability, touching: Touching, spacing: Sequence[float], folder: object) -> SeparableObjects:
    """Return ``found.count(touching, spacing)``; warn where too few objects come back."""
    own = found.count(touching, spacing)
    if own.separable < (1 - MANY) * own.looked_at:
        other: Touching = "gap" if touching == "boundary" else "boundary"
        better = found.count(other, spacing).separable
        fix = (
            f"`instance_encoding={other}` would give back {better}" if better > own.separable else "enlarge the images"
        )
        remark(
            "%s: even perfect probabilities would give back only %d of %d training objects looked at, because the "
            "others are too small or too narrow for `instance_encoding=%s`; %s",
            folder,
            own.separable,
            own.looked_at,
            touching,
            fix,
        )
    return own


def _cut_middle(objects: NDArray[np.int32]) -> NDArray[np.int32]:
    """A window of at most ``WINDOW`` pixels; its longest sides are cut first."""
    sides = list(objects.shape)
    while math.prod(sides) > WINDOW:
        longest = sides.index(max(sides))
        sides[longest] = (sides[longest] + 1) // 2
    starts = [(n - side) // 2 for n, side in zip(objects.shape, sides)]
    return objects[tuple(slice(start, start + side) for start, side in zip(starts, sides))]
