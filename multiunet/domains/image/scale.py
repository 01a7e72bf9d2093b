"""How far pixels are apart, against what the network was trained on."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from multiunet.domains.domain import Facts
from multiunet.domains.image.readers import Picture
from multiunet.domains.image.units import MICROMETRE
from multiunet.errors import InputError

logger = logging.getLogger("multiunet.image")

ALIKE = 1.25
"""Pixels up to so many times as far apart are as those trained on: augmentation scales by as much."""


def pixel_sizes(given: Sequence[float], ndim: int) -> tuple[float, ...]:
    """What ``--pixel-size`` says of each of so many axes.

    Raises:
        InputError: when it is of another number of axes.
    """
    if len(given) not in (1, ndim):
        shown = ",".join(f"{step:g}" for step in given)
        raise InputError(f"--pixel-size {shown}: give one number, or one for each axis {', '.join('zyx'[-ndim:])}")
    return tuple(given) if len(given) == ndim else tuple(given) * ndim


def as_told(picture: Picture, pixel_size: Sequence[float] | None) -> Picture:
    """The picture with this distance of pixels, micrometres, in place of the file's, if one is given.

    Raises:
        InputError: as ``pixel_sizes``.
    """
    if pixel_size is None:
        return picture
    return replace(picture, spacing=pixel_sizes(pixel_size, len(picture.space)), unit=MICROMETRE)


def tell_of_scales(spacings: Mapping[str, Sequence[float] | None], facts: Facts) -> None:
    """Warns of images in which structures have other sizes, in pixels, than those that the network learnt.

    Args:
        spacings: by file, what it says of its pixels, micrometres by axis.
    """
    if facts.get("fingerprint", {}).get("spacing") is None:
        return
    trained = facts["spacing"]
    if others := _unlike(spacings, trained):
        path, spacing = next(iter(others.items()))
        logger.warning(
            "%s: pixels are %s µm apart, those trained on %s, as in %d of the %d images; structures of another "
            "size in pixels may be missed: rescale the images, or train on such images",
            *(path, _text(spacing), _text(trained), len(others), len(spacings)),
        )


def tell_of_mixed_scales(spacings: Mapping[str, Sequence[float] | None], median: Sequence[float]) -> None:
    """Warns of training images in which structures of one kind have several sizes in pixels.

    Args:
        spacings: by training image, what it says of its pixels, micrometres by axis.
        median: of those that say something.
    """
    if others := _unlike(spacings, median):
        path, spacing = next(iter(others.items()))
        logger.warning(
            "%s: pixels are %s µm apart, but the median of the training images is %s, and %d of the %d differ from it "
            "by more than %g times; a structure then has several sizes in pixels, which is harder to learn: rescale "
            "the images to one pixel size, or train on each magnification for itself",
            *(path, _text(spacing), _text(median), len(others), len(spacings), ALIKE),
        )


def _unlike(spacings: Mapping[str, Sequence[float] | None], reference: Sequence[float]) -> dict[str, Sequence[float]]:
    """Those that are further from ``reference`` than augmentation scales."""
    known = ((path, spacing) for path, spacing in spacings.items() if spacing is not None)
    return {path: spacing for path, spacing in known if not _alike(spacing, reference)}


def _alike(spacing: Sequence[float], trained: Sequence[float]) -> bool:
    return all(1 / ALIKE <= step / own <= ALIKE for step, own in zip(spacing, trained))


def _text(spacing: Sequence[float]) -> str:
    return " x ".join(f"{step:.3g}" for step in spacing)
