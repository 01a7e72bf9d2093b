"""Colours of classes, which the colour-blind can tell apart."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

COLOURS = (
    (0, 0, 0),
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
"""Of the classes, in their order."""


def pick_colours(count: int) -> NDArray[np.uint8]:
    """Return colours ``(count, 3)`` for all eyes (Okabe and Ito 2008), black first; then any others."""
    more = [colorsys.hsv_to_rgb(0.61803 * place % 1, 0.6, 0.9) for place in range(max(0, count - len(COLOURS)))]
    extended = [*COLOURS, *((np.array(more) * 255).astype(int).tolist() if more else [])]
    return np.array(extended[:count], dtype=np.uint8)


def color_classes(names: Sequence[str]) -> dict[str, str]:
    """Return the colour of each class, CSS."""
    return {name: css(tuple(map(int, colour))) for name, colour in zip(names, pick_colours(len(names)))}


def css(colour: Sequence[int]) -> str:
    """Return a colour as CSS has it.

    >>> css((213, 94, 0))
    '#d55e00'
    """
    return "#{:02x}{:02x}{:02x}".format(*colour)
