"""Contact sheet: many images in one, to be looked at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

THUMBNAIL = 192
"""Longest side of an image on the sheet, pixels; small images are enlarged by whole numbers."""

GAP = 4
"""Pixels between two images."""

TITLE = 18
"""Pixels above a row for its title."""

Thumbnail = NDArray[np.uint8]
"""Picture on a sheet, ``(height, width, 3)``, colours of 8 bits."""

MOST_ROWS = 24
"""Conditions on a sheet, at most."""


def make_sheet(
    rows: Sequence[Sequence[np.ndarray]],
    lowest: float,
    highest: float,
    titles: Sequence[str] = (),
    inputs: Sequence[Sequence[Thumbnail]] = (),
) -> Thumbnail:
    """Return a sheet ``(height, width, 3)``: a row for each condition; of one condition a square.

    Args:
        rows: of images ``(C, *space)``; of volumes the middle slice is shown, and of channels the first three.
        lowest, highest: values that are black and white.
        titles: of the rows of several conditions, written above them.
        inputs: thumbnails of what each row is made from, left of it; then one condition is a row, too.
    """
    if len(rows) == 1 and not inputs:
        across = math.ceil(math.sqrt(len(rows[0])))
        rows, titles = [rows[0][first : first + across] for first in range(0, len(rows[0]), across)], ()
    cells = [[make_thumbnail(image, lowest, highest) for image in row] for row in rows[:MOST_ROWS]]
    cells = [[*left, *row] for left, row in zip(inputs, cells)] if inputs else cells
    above = TITLE if titles else 0
    height = above + max(cell.shape[0] for row in cells for cell in row) + GAP
    width = max(cell.shape[1] for row in cells for cell in row) + GAP
    across = max(map(len, cells))
    sheet = np.full((len(cells) * height + GAP, across * width + GAP, 3), 255, np.uint8)
    for place, row in enumerate(cells):
        for column, cell in enumerate(row):
            top, left = GAP + place * height + above, GAP + column * width
            sheet[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
    return _write_titles(sheet, titles[:MOST_ROWS], height) if titles else sheet


def _write_titles(sheet: Thumbnail, titles: Sequence[str], height: int) -> Thumbnail:
    """Write a title above each row, ``height`` pixels apart."""
    import matplotlib  # slow to import; its font has the letters of many languages

    image, letters = Image.fromarray(sheet), Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    pen, font = ImageDraw.Draw(image), ImageFont.truetype(letters, TITLE - 5)
    for place, title in enumerate(titles):
        pen.text((GAP, GAP + place * height), title, fill=(0, 0, 0), font=font)
    return np.asarray(image)


def make_thumbnail(image: np.ndarray, lowest: float, highest: float) -> Thumbnail:
    """Return a thumbnail ``(height, width, 3)``, in colours of 8 bits, of an image ``(C, *space)``."""
    flat = image[:, image.shape[1] // 2] if image.ndim == 4 else image
    shown = flat[:3] if len(flat) >= 3 else flat[:1].repeat(3, axis=0)
    height, width = shown.shape[1:]
    times = THUMBNAIL / max(height, width)
    if times < 1:
        size = max(1, round(width * times)), max(1, round(height * times))
        shown = np.stack([_shrink(channel, size) for channel in shown])
    scaled = (shown.astype(np.float64) - lowest) / max(highest - lowest, np.finfo(np.float64).tiny)
    thumbnail: Thumbnail = np.rint(np.moveaxis(scaled.clip(0, 1), 0, -1) * 255).astype(np.uint8)
    whole = max(1, int(times))  # pixels stay whole
    return thumbnail.repeat(whole, axis=0).repeat(whole, axis=1)


def _shrink(channel: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(channel.astype(np.float32, copy=False)).resize(size, Image.Resampling.BOX))
