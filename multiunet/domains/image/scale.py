"""How far pixels are apart, where the user says it."""

from __future__ import annotations

from collections.abc import Sequence

from multiunet.domains.image.readers import Picture
from multiunet.domains.image.units import MICROMETRE
from multiunet.errors import InputError


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
    return picture.redescribed(spacing=pixel_sizes(pixel_size, len(picture.space)), unit=MICROMETRE)
