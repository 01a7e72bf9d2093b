"""Orientation of images as the EXIF and TIFF tag 274 states it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from multiunet.domains.image.files.lazy import Lazy
from multiunet.domains.remarks import remark_file

ORIENTATION = 274
"""The tag, 1 to 8; 1: stored upright."""

TURNS: Mapping[int, tuple[bool, bool, bool]] = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}
"""By value of the tag: whether rows become columns, and then whether y and x are reversed (TIFF 6.0, page 36)."""


def turn_upright(path: Path, pixels: Lazy, tag: object) -> Lazy:
    """Turn an image ``(..., y, x)`` as viewers do, and say so.

    Args:
        tag: the value that the file states; anything but 2 to 8 counts as upright.
    """
    turn = TURNS.get(tag) if isinstance(tag, int) else None
    if turn is None:
        return pixels
    remark_file(
        path,
        "its orientation tag says that viewers turn it, and it is read as they show it; its mask must lie on "
        "the turned image",
    )
    swapped, reverse_y, reverse_x = turn
    if swapped:
        pixels = pixels.transpose((*range(pixels.ndim - 2), pixels.ndim - 1, pixels.ndim - 2))
    return pixels.flip([axis for axis, reverse in ((-2, reverse_y), (-1, reverse_x)) if reverse])


def turn_spacing(spacing: tuple[float, ...] | None, tag: object) -> tuple[float, ...] | None:
    """Return the distances ``(..., y, x)`` of pixels after ``turn_upright``."""
    if spacing is None or not isinstance(tag, int) or not TURNS.get(tag, (False,))[0]:
        return spacing
    return (*spacing[:-2], spacing[-1], spacing[-2])
