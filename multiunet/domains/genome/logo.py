"""Sequence logos: letters as tall as what the bases contribute (Schneider & Stephens 1990)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.path import Path as Outline

COLOURS = ("#109648", "#255C99", "#F7B32B", "#D62839")
"""Of A, C, G and T."""

PALE = 0.35
"""Opacity of letters that are not sure."""

Floats = NDArray[np.float64]


def draw_logo(
    axes: Axes, codes: NDArray[np.uint8], heights: Floats, first: int, deviations: Floats | None = None
) -> None:
    """Draw the letter of each base, as tall as its height.

    Where that is negative, the letter is upside down below the axis.

    Args:
        codes: bases ``(bases,)``; unknown ones have no letter.
        heights: ``(bases,)``; NaN draws nothing.
        deviations: of the heights; letters that are no taller than theirs are pale.
        first: place of the first base, at which the letters' left edge is ``first - 0.5``.
    """
    from matplotlib.collections import PathCollection
    from matplotlib.transforms import Affine2D

    shown = np.flatnonzero((codes < 4) & np.isfinite(heights))
    outlines, colours = [], []
    for place in shown:
        code, height = int(codes[place]), float(heights[place])
        move = Affine2D().scale(0.92, height).translate(first + place - 0.46, 0.0)
        outlines.append(move.transform_path(_letter("ACGT"[code])))
        sure = deviations is None or not abs(height) <= deviations[place]
        colours.append((COLOURS[code], 1.0 if sure else PALE))
    axes.add_collection(PathCollection(outlines, facecolors=colours, edgecolors="none"), autolim=False)
    axes.axhline(0, color="0.4", linewidth=0.6)
    axes.set_xlim(first - 0.5, first + len(codes) - 0.5)
    known = heights[shown]
    low, high = float(min(known.min(initial=0), 0)), float(max(known.max(initial=0), 0))
    room = 0.05 * (high - low) or 1.0
    axes.set_ylim(low - room, high + room)


@cache
def _letter(letter: str) -> Outline:
    """Return the outline of a letter in the unit square."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D

    outline = TextPath((0, 0), letter, size=1, prop=FontProperties(family="DejaVu Sans", weight="bold"))
    box = outline.get_extents()
    unit = Affine2D().translate(-box.x0, -box.y0).scale(1 / box.width, 1 / box.height)
    return unit.transform_path(outline)
