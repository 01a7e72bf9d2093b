"""The information bar below a scanning-electron micrograph: finding it, cutting it off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from multiunet.domains.image.config.types import CropBar
from multiunet.domains.image.files.channels import Channels
from multiunet.domains.image.files.lazy import Pixels, take_first
from multiunet.domains.image.files.readers import Picture, read_image
from multiunet.domains.remarks import remark
from multiunet.errors import InputError

TOLERANCE = 0.05
"""Deviation of the bar's background, at most, as a share of the range of the image's lower part: ringing of JPEG is
less, text more."""

FLAT = 0.93
"""Share of background in a row without text; frames and lines between cells take the rest."""

PICTURE = 0.6
"""Share of the bar's background in the row above the bar, at most: the picture begins within one row."""

LARGEST = 0.3
"""Share of the image's rows that a bar has at most."""

MOST_ROWS = 1000
"""Rows of a bar, at most."""

WIDE = 4096
"""Columns that are looked at, about: of more than twice as many a part, evenly spread."""

FEWEST = 4
"""Marks (letters, digits, the scale) that a bar has at least."""


def read_cropped(path: Path, crop: CropBar, channels: Channels = ()) -> tuple[Picture, int]:
    """Read an image without the rows of its information bar; return it, and how many these are.

    Args:
        channels: to read, by number or name; all, if there are none.

    Raises:
        InputError: as ``read_image``; when a bar is to be found in a volume, or nothing of the image would be left.
    """
    picture = read_image(path, channels)
    rows = _rows(path, picture, crop)
    # what is known of the picture's values holds as long as none is cut off
    return (replace(picture, pixels=drop_rows(picture.pixels, rows)) if rows else picture), rows


def warn_of_bars(bars: Mapping[str, int], crop: CropBar) -> None:
    """Warn of bars that are not cut off, and of images without one among images with one.

    Args:
        bars: by file, the rows of the bar that was found.
    """
    found = [path for path, rows in bars.items() if rows]
    if found and crop == "none":
        remark(
            "%s: seems to have an information bar of %d rows, as do %d of the %d images; `crop_bar=auto` removes it",
            *(found[0], bars[found[0]], len(found), len(bars)),
        )
    others = [path for path, rows in bars.items() if not rows]
    if found and others and crop == "auto":
        left = "this image is left as it is" if len(others) == 1 else "these images are left as they are"
        remark(
            "%s: no information bar found (in %d of the %d images); %s; if there is a bar, cut it off beforehand",
            *(others[0], len(others), len(bars), left),
        )


def drop_rows(pixels: Pixels, rows: int) -> Pixels:
    """Drop so many rows at the bottom of an array ``(..., y, x)``."""
    return take_first(pixels, pixels.shape[-2] - rows, axis=-2) if rows else pixels


def _rows(path: Path, picture: Picture, crop: CropBar) -> int:
    if crop == "none":
        return 0
    if crop == "auto":
        if len(picture.space) != 2:
            raise InputError(f"{path}: a volume, but `crop_bar=auto` looks at images; give the rows: `crop_bar=60`")
        return find_bar(picture.pixels)
    if crop >= picture.space[-2]:
        raise InputError(f"{path}: has {picture.space[-2]} rows, so `crop_bar={crop}` leaves none; give fewer")
    return crop


def find_bar(pixels: Pixels) -> int:
    """Return the rows of the information bar at the bottom of an image; 0 if it is in doubt.

    A bar is a strip over the full width: a constant background, black, white or grey, with marks of high contrast. It
    begins within one row, with a row free of marks, below a frame of a few rows, if any. Pictures have none of this
    by chance: noise leaves no row constant, and a dark ground neither begins in one row nor holds separate marks.
    A bar on a ground that the picture above it shares is not found, nor is text that lies on the picture itself.

    Args:
        pixels: ``(C, y, x)``; only the rows that a bar may have are read.
    """
    rows, columns = pixels.shape[1:]
    if rows < 32 or columns < 32:
        return 0
    below = pixels[:, rows - min(int(LARGEST * rows), MOST_ROWS) - 1 :]
    strip = below[..., :: max(1, columns // WIDE)].astype(np.float32)
    reach = float(strip.max()) - float(strip.min())
    if reach == 0:
        return 0
    lines = max(4, min(rows, int(MOST_ROWS / LARGEST)) // 100)
    found = (_rows_above(strip, len(strip[0]) - 1 - row, lines, TOLERANCE * reach) for row in range(2 * lines))
    return next((count for count in found if count), 0)


def _rows_above(strip: NDArray[np.float32], row: int, lines: int, tolerance: float) -> int:
    """Return the rows of a bar whose ground has the colour of this row, to the end of the strip; 0 for none.

    Args:
        lines: rows that a frame takes above the ground, at most.
    """
    if not _is_constant(strip[:, row], tolerance):
        return 0
    away = np.abs(strip - np.median(strip[:, row], axis=1)[:, None, None]).max(axis=0)
    ground = (away <= tolerance).mean(axis=1)
    foreign = np.flatnonzero(ground[:row] < FLAT / 4)
    start = int(foreign[-1]) + 1 if len(foreign) else 0
    clear = start + np.flatnonzero(ground[start : row + 1] >= FLAT)
    if not len(clear) or not _is_marked(away[clear[0] : row + 1], tolerance):
        return 0
    top = int(clear[0])
    for _ in range(lines):
        top -= top > 0 and _is_constant(strip[:, top - 1], tolerance)
    if top == 0 or ground[top - 1] > PICTURE or _is_constant(strip[:, top - 1], tolerance):
        return 0
    return len(ground) - top


def _is_constant(row: NDArray[np.float32], tolerance: float) -> bool:
    """Return whether a row ``(C, x)`` has one colour."""
    return bool((np.abs(row - np.median(row, axis=1)[:, None]) <= tolerance).all(axis=0).mean() >= FLAT)


def _is_marked(away: NDArray[np.float32], tolerance: float) -> bool:
    """Return whether a strip, as distances from its ground, is a constant with separate marks of high contrast."""
    if len(away) < 8 or (away <= tolerance / 4).mean() < 0.5:
        return False
    marks = away > 6 * tolerance
    if not 0.002 <= marks.mean() <= 0.4:
        return False
    _, count = label(marks, structure=np.ones((3, 3)))
    return int(count) >= FEWEST
