"""What sets images apart from those that the network was trained on: how far their pixels are apart; and, where
brightness means something, how bright they are."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from multiunet.domains.domain import Facts
from multiunet.domains.image.files.readers import Picture

logger = logging.getLogger("multiunet.image")

ALIKE = 1.25
"""Pixels up to so many times as far apart are as those trained on: augmentation scales by as much."""


@dataclass
class ShiftCheck:
    """Collects what is unlike training while images are read anyway; ``warn`` says so.

    Args:
        facts: of the training.
    """

    facts: Facts
    spacings: dict[str, Sequence[float] | None] = field(default_factory=dict)
    intensities: dict[str, str | None] = field(default_factory=dict)

    def add(self, path: str, picture: Picture) -> None:
        """An image, with the channels of training."""
        self.spacings[path] = picture.spacing
        self.intensities[path] = describe_shift(picture, self.facts)

    def warn(self) -> None:
        """One warning of each kind, about all images."""
        warn_of_scales(self.spacings, self.facts)
        warn_of_intensities(self.intensities, self.facts["intensities"]["kind"])


def warn_of_scales(spacings: Mapping[str, Sequence[float] | None], facts: Facts) -> None:
    """Warns of images in which structures have other sizes, in pixels, than those that the network learnt.

    Args:
        spacings: by file, what it says of its pixels, micrometres by axis.
    """
    if facts.get("fingerprint", {}).get("spacing") is None:
        return
    trained = facts["spacing"]
    if others := _find_other_scales(spacings, trained):
        path, spacing = next(iter(others.items()))
        logger.warning(
            "%s: pixels are %s µm apart, those trained on %s, as in %d of the %d images; structures of another "
            "size in pixels may be missed: rescale the images, or train on such images",
            *(path, _text(spacing), _text(trained), len(others), len(spacings)),
        )


def warn_of_mixed_scales(spacings: Mapping[str, Sequence[float] | None], median: Sequence[float]) -> None:
    """Warns of training images in which structures of one kind have several sizes in pixels.

    Args:
        spacings: by training image, what it says of its pixels, micrometres by axis.
        median: of those that say something.
    """
    if others := _find_other_scales(spacings, median):
        path, spacing = next(iter(others.items()))
        logger.warning(
            "%s: pixels are %s µm apart, but the median of the training images is %s, and %d of the %d differ from it "
            "by more than %g times; a structure then has several sizes in pixels, which is harder to learn: rescale "
            "the images to one pixel size, or train on each magnification for itself",
            *(path, _text(spacing), _text(median), len(others), len(spacings), ALIKE),
        )


def _find_other_scales(
    spacings: Mapping[str, Sequence[float] | None], reference: Sequence[float]
) -> dict[str, Sequence[float]]:
    """Those that are further from ``reference`` than augmentation scales."""
    known = ((path, spacing) for path, spacing in spacings.items() if spacing is not None)
    return {path: spacing for path, spacing in known if not _alike(spacing, reference)}


def _alike(spacing: Sequence[float], trained: Sequence[float]) -> bool:
    return all(1 / ALIKE <= step / own <= ALIKE for step, own in zip(spacing, trained))


def _text(spacing: Sequence[float]) -> str:
    return " x ".join(f"{step:.3g}" for step in spacing)


def describe_shift(picture: Picture, facts: Facts) -> str | None:
    """What sets the intensities of an image apart from those of training; None where nothing does, or each image is
    standardised by itself.

    Args:
        picture: with the channels of training.
    """
    known = facts.get("fingerprint")
    if known is None or facts["intensities"]["kind"] == "image":
        return None
    if picture.pixels.dtype.name not in known["numbers"]:
        return f"its numbers are {picture.pixels.dtype.name}, those trained on {' and '.join(known['numbers'])}"
    for mean, channel in zip(picture.summary.mean.tolist(), known["intensities"]):
        low, high = channel["percentile_0.5"], channel["percentile_99.5"]
        if not low <= mean <= high:
            return f"its mean is {mean:.4g}, and 99% of what was trained on lie between {low:g} and {high:g}"
    return None


def warn_of_intensities(found: Mapping[str, str | None], kind: str) -> None:
    """Warns of images that are unlike those of training.

    Args:
        found: by file, what ``describe_shift`` gave.
        kind: how intensities are standardised, ``train`` or ``none``.
    """
    others = {path: said for path, said in found.items() if said is not None}
    if others:
        path, said = next(iter(others.items()))
        logger.warning(
            "%s: %s, as in %d of the %d images; with --intensities %s predictions depend on it: give images of one "
            "type and exposure",
            *(path, said, len(others), len(found), kind),
        )
