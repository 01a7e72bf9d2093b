"""Arrays as small picture files, in colours that the colour-blind tell apart."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

QUALITY = 88
"""Of JPEG, for pictures that no palette can hold."""

UNKNOWN = (150, 150, 150)
"""Colour of what is not known."""

WRONG, MISSED = (213, 94, 0), (0, 114, 178)
"""Colours of what is wrong, or found where nothing is, and of what is missed."""

MAPS = {"uncertainty": "cividis", "difference": "PuOr_r", "grey": "gray"}
"""Colour maps of matplotlib by the kind of scale."""

Bytes = NDArray[np.uint8]


def encode_labels(labels: NDArray[np.integer], colours: Bytes) -> bytes:
    """Return a PNG of classes in their colours.

    Args:
        labels: ``(height, width)``, numbered from 0; what is less is not known.
        colours: ``(classes, 3)``.
    """
    table = np.concatenate([np.array([UNKNOWN], np.uint8), colours])
    return encode(table[np.where(labels < 0, 0, labels % len(colours) + 1)])


def encode_scaled(values: NDArray[np.floating], low: float, high: float, kind: str) -> bytes:
    """Return a picture of numbers ``(height, width)`` by a colour scale; NaN is not known."""
    share = (values.astype(np.float64) - low) / max(high - low, 1e-300)
    picked = load_colours(kind)[np.rint(np.nan_to_num(share).clip(0, 1) * 255).astype(np.intp)]
    picked[np.isnan(values)] = UNKNOWN
    return encode(picked)


@cache
def load_colours(kind: str) -> Bytes:
    """Return the 256 colours of a scale, ``(256, 3)``."""
    import matplotlib  # slow to import

    colours = matplotlib.colormaps[MAPS[kind]](np.arange(256))[:, :3]
    table: Bytes = np.rint(colours * 255).astype(np.uint8)
    return table


def stretch(pixels: NDArray[np.generic]) -> Bytes:
    """Return channels ``(C, height, width)`` as colours ``(height, width, 3)``.

    Black and white are the 0.5 and 99.5 % quantiles of the first three channels.
    """
    shown = pixels[:3] if len(pixels) >= 3 else pixels[:1].repeat(3, axis=0)
    values = shown.astype(np.float32)
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, (0.5, 99.5)) if known.size else (0.0, 1.0)
    share = np.nan_to_num((values - low) / max(float(high - low), 1e-30)).clip(0, 1)
    return np.moveaxis(np.rint(share * 255).astype(np.uint8), 0, -1)


def paint(picture: Bytes, marks: Sequence[tuple[NDArray[np.bool_], tuple[int, int, int]]]) -> Bytes:
    """Return a pale grey copy of a picture with some sites in colours.

    Args:
        picture: ``(height, width, 3)``.
        marks: sites ``(height, width)``, each with its colour.
    """
    grey = picture.mean(axis=2, keepdims=True) * 0.5 + 110
    painted: Bytes = np.broadcast_to(grey, picture.shape).astype(np.uint8)
    for sites, colour in marks:
        painted[sites] = colour
    return painted


def encode(colours: Bytes) -> bytes:
    """Return ``(height, width, 3)`` as PNG, or as JPEG where that is smaller and colours are many."""
    image = Image.fromarray(colours)
    if image.getcolors(256) is not None:
        return _save(_with_palette(colours), "PNG", optimize=True)
    found = [_save(image, "PNG", optimize=True), _save(image, "JPEG", quality=QUALITY, subsampling=0)]
    return min(found, key=len)


def _with_palette(colours: Bytes) -> Image.Image:
    """Return the same picture by numbers of its few colours."""
    known, numbers = np.unique(colours.reshape(-1, 3), axis=0, return_inverse=True)
    image = Image.fromarray(numbers.reshape(colours.shape[:2]).astype(np.uint8), "P")
    image.putpalette(known.tobytes())
    return image


def _save(image: Image.Image, kind: str, **options: bool | int) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
