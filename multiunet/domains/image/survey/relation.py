"""Relation of training images to their targets: are they the same kind of image, in the same units?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.files.info_bar import read_cropped
from multiunet.domains.image.files.lazy import Pixels, iter_blocks, take_first
from multiunet.domains.image.files.pairing import Item
from multiunet.domains.image.files.readers import open_stack, read_target
from multiunet.domains.image.target_info import Restoration
from multiunet.errors import InputError
from multiunet.wording import counted

EXPLAINED = 0.5
"""Share of the targets' variance that images of the same kind explain at least..."""

CONTRAST = (0.8, 1.25)
"""...or, where noise hides the image, the slope of the images' numbers over the targets', with..."""

SHIFT = 0.25
"""...means that differ by at most so many deviations of the targets, and..."""

CORRELATION = 0.3
"""...at least this correlation."""

EIGHT_BITS = 255.0


Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Relation:
    """Relation of the images to their targets, ``(C,)`` each.

    Attributes:
        explained: share of the targets' variance that the images themselves explain (r2).
        slope: of the images' numbers over the targets'; 1: as much contrast.
        shift: difference of the means, in deviations of the targets.
        difference: root of the mean squared difference of targets and images.
        data_range: numbers that targets can have, from the least to the largest.
    """

    explained: Numbers
    slope: Numbers
    shift: Numbers
    correlation: Numbers
    difference: Numbers
    data_range: float

    def same_kind(self) -> bool:
        """Return whether images and targets show the same in the same units."""
        noisy = (self.slope > CONTRAST[0]) & (self.slope < CONTRAST[1])
        noisy &= (self.shift < SHIFT) & (self.correlation > CORRELATION)
        return bool(((self.explained >= EXPLAINED) | noisy).all())

    def in_words(self) -> str:
        """Return why they are of one kind."""
        least = f"{self.explained.min():.2f}"
        if self.explained.min() >= EXPLAINED:
            return f"images and targets are alike: unchanged, an image explains {least} of its target's variance"
        contrast = f"{self.slope.min():.2f}"
        return f"images and targets have one brightness and contrast (slope {contrast}), below noise"


@dataclass
class PairSums:
    """Sums over the pixels of training images and their targets, by channel, where targets are known.

    Attributes:
        sums: of the images' numbers, the targets', their squares, and their product.
        low, high: extremes of the targets.
        kinds: types of the targets' numbers.
    """

    count: Numbers
    sums: Numbers
    low: float = float("inf")
    high: float = float("-inf")
    kinds: set[str] = field(default_factory=set)

    @classmethod
    def of_none(cls, channels: int) -> PairSums:
        """Return the sums before the first pair."""
        return cls(np.zeros(channels), np.zeros((5, channels)))

    def add(self, image: Pixels, target: Pixels, kind: str) -> None:
        """Add a pair, ``(C, *space)`` each.

        Args:
            kind: type of the target's numbers.
        """
        self.kinds.add(kind)
        for region in iter_blocks(target, whole=1):
            p, t = (part[region].reshape(target.shape[0], -1).astype(np.float64) for part in (image, target))
            known = ~np.isnan(t)
            if not known.any():
                continue
            p, t = np.where(known, p, 0.0), np.where(known, t, 0.0)
            self.count += known.sum(axis=1)
            self.sums += [part.sum(axis=1) for part in (p, t, p * p, t * t, p * t)]
            self.low, self.high = min(self.low, float(t[known].min())), max(self.high, float(t[known].max()))

    def relation(self) -> Relation:
        """Return what the images say of the targets."""
        p, t, pp, tt, pt = self.sums / self.count
        spread, common = tt - t**2, pt - p * t
        squared = np.maximum(pp - 2 * pt + tt, 0.0)
        both = np.sqrt(np.maximum(spread * (pp - p**2), np.finfo(np.float64).tiny))
        return Relation(
            explained=1 - squared / spread,
            slope=common / spread,
            shift=np.abs(p - t) / np.sqrt(spread),
            correlation=common / both,
            # of targets that are the images, any positive number will do
            difference=np.sqrt(np.where(squared > 0, squared, spread)),
            data_range=EIGHT_BITS if self.kinds == {"uint8"} else self.high - self.low,
        )


def survey_relation(
    items: Sequence[Item], config: ImageTrain, channels: tuple[int, int], intensities: str
) -> Restoration | None:
    """Return how images are restored to their targets; None where these are images of another kind.

    Args:
        items: the training pairs, whose targets are known to vary.
        channels: of images and of targets.
        intensities: how images are standardised.

    Raises:
        InputError: when restoration is asked for and cannot be.
    """
    if config.restoration is False or config.loss == "poisson":  # which is of counts, not of differences
        return None
    problem = None
    if channels[0] != channels[1]:
        problem = f"images have {counted(channels[0], 'channel')}, targets {channels[1]}"
    elif intensities == "image":
        problem = "`intensities=image` standardises each image by itself, so its units are lost; leave it out"
    if problem is not None:
        if config.restoration:
            raise InputError(f"`restoration`: {problem}")
        return None
    sums = PairSums.of_none(channels[0])
    for item in items:
        image, _ = read_cropped(Path(item.image), config.crop_bar, config.read_channels)
        target = read_target(Path(item.target), config.ignore_value).pixels
        kind = open_stack(Path(item.target), "target").pixels.dtype.name
        # what lies on an information bar is at the end, and the image has none of it
        sums.add(take_first(image.pixels, channels[0]), target[_inside(image.space)], kind)
    relation = sums.relation()
    if not (config.restoration or relation.same_kind()):
        return None
    return Restoration(
        difference=tuple(relation.difference.tolist()),
        data_range=relation.data_range,
        reason="as asked" if config.restoration else relation.in_words(),
    )


def _inside(space: Sequence[int]) -> tuple[slice, ...]:
    return (slice(None), *(slice(0, n) for n in space))
