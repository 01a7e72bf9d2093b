"""Digits of seven segments, drawn by many hands: small images with a label each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from multiunet.files import AnyPath, csv_text, write_text

CORNERS = {"a": (0, 0), "b": (1, 0), "c": (0, 1), "d": (1, 1), "e": (0, 2), "f": (1, 2)}
"""Ends of the segments: right by one width, down by half a height."""

SEGMENTS = ("ab", "bd", "df", "ef", "ce", "ac", "cd")
"""From the top clockwise, the middle one last."""

LIT = ("012345", "12", "01346", "01236", "1256", "02356", "023456", "012", "0123456", "012356")
"""Of each digit the segments that it has."""


def draw_digit(digit: int, size: int = 16, seed: int = 0) -> NDArray[np.uint8]:
    """Draw a digit, bright on dark, ``(size, size)``, of random place, size, slant and width.

    Raises:
        ValueError: unless the digit is 0 to 9.
    """
    if not 0 <= digit <= 9:
        raise ValueError(f"digit {digit} is none of 0 to 9")
    rng = np.random.default_rng((seed, digit))
    height, width = rng.uniform(0.55, 0.72) * size, rng.uniform(0.28, 0.4) * size
    slant, centre = rng.uniform(-0.15, 0.3), size / 2 - 0.5 + rng.uniform(-0.06, 0.06, 2) * size
    thick, bright = rng.uniform(0.05, 0.09) * size, rng.uniform(0.75, 1.0)
    y, x = np.mgrid[:size, :size].astype(np.float64)
    down = (y - centre[0]) / (height / 2) + 1
    right = (x - centre[1] + slant * (y - centre[0])) / width + 0.5
    distance = np.full((size, size), np.inf)
    for place in LIT[digit]:
        start, stop = (np.array(CORNERS[corner], float) for corner in SEGMENTS[int(place)])
        along = ((right - start[0]) * (stop - start)[0] + (down - start[1]) * (stop - start)[1]).clip(0, 1)
        nearest = start[:, None, None] + along * (stop - start)[:, None, None]
        own = np.hypot((right - nearest[0]) * width, (down - nearest[1]) * height / 2)
        distance = np.minimum(distance, own)
    ink = (thick + 0.5 - distance).clip(0, 1) * bright
    return (255 * (ink + rng.normal(0, 0.02, ink.shape)).clip(0, 1)).round().astype(np.uint8)


def write_digits(folder: AnyPath, count: int = 600, size: int = 16, seed: int = 0) -> None:
    """Write ``images/0000.png`` and so on, as many of each digit, and ``labels.csv``."""
    images = Path(folder) / "images"
    images.mkdir(parents=True)
    rows = [("image", "label")]
    for number in range(count):
        name = f"{number:04}.png"
        Image.fromarray(draw_digit(number % 10, size, seed * 1_000_003 + number)).save(images / name)
        rows.append((name, str(number % 10)))
    write_text(Path(folder) / "labels.csv", csv_text(rows))
