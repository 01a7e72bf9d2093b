"""Resizing by whole factors: means of areas on the way down, cubic convolution on the way up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

TAPS = 2
"""Sites on either side that cubic convolution looks at."""


def average_areas(pixels: Floats, factor: int) -> Floats:
    """Return the means of windows of ``factor`` sites an axis.

    ``(C, *space)`` becomes ``(C, *ceil(space / factor))``. What the last window lacks is filled up with its last site.
    """
    for axis, n in enumerate(pixels.shape[1:], start=1):
        extra = [(0, -n % factor if a == axis else 0) for a in range(pixels.ndim)]
        filled = np.pad(pixels, extra, mode="edge")
        windows = filled.reshape(*filled.shape[:axis], -1, factor, *filled.shape[axis + 1 :])
        pixels = windows.mean(axis=axis + 1, dtype=np.float32)
    return pixels


def enlarge(pixels: Floats, factor: int, space: Sequence[int] | None = None) -> Floats:
    """Return an image ``(C, *space)`` enlarged by bicubic (in volumes tricubic) interpolation.

    Keys 1981, "Cubic convolution interpolation for digital image processing", eq. 15 (a = -1/2), sites as areas: the
    first ``factor`` sites of the result lie in the first site. Beyond its border an image goes on as its last site.

    Args:
        space: sites to keep by axis, from the first; None: all.
    """
    for axis, n in enumerate(pixels.shape[1:], start=1):
        sides = [(TAPS, TAPS) if a == axis else (0, 0) for a in range(pixels.ndim)]
        padded = np.pad(pixels, sides, mode="edge")
        parts = []
        for phase in range(factor):
            place = (phase + 0.5) / factor - 0.5  # of the new site, in old sites from the centre of the one it lies in
            first = int(np.floor(place)) - 1
            taken = [_shift(padded, axis, TAPS + first + tap, n) for tap in range(2 * TAPS)]
            weights = [_cubic(place - (first + tap)) for tap in range(2 * TAPS)]
            parts.append(sum((part * weight for part, weight in zip(taken, weights)), np.float32(0)))
        stacked = np.stack(parts, axis=axis + 1)
        pixels = stacked.reshape(*pixels.shape[:axis], n * factor, *pixels.shape[axis + 1 :])
    if space is not None:
        pixels = pixels[(slice(None), *(slice(0, n) for n in space))]
    return np.ascontiguousarray(pixels, dtype=np.float32)


def _shift(padded: Floats, axis: int, start: int, count: int) -> Floats:
    return padded[(*(slice(None),) * axis, slice(start, start + count))]


def _cubic(distance: float) -> np.float32:
    """Weight of a site so far away."""
    d = abs(distance)
    near = 1.5 * d**3 - 2.5 * d**2 + 1
    far = -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return np.float32(near if d <= 1 else far if d < 2 else 0.0)
