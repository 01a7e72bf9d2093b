"""Densities of dots: maps whose sum over an area is the number of objects there.

Lempitsky & Zisserman 2010, "Learning to count objects in images".
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.image.files.dots import Places
from multiunet.domains.image.files.lazy import Lazy, Pixels, Region, load_small

REACH = 4.0
"""Deviations at which a Gaussian ends; beyond lie 6e-5 of it along an axis."""

CHUNK = 512
"""Sites along an axis of what is drawn at once of a large image."""


def draw_density(places: Places, space: Sequence[int], sigma: Sequence[float], path: str = "") -> Pixels:
    """Draw a Gaussian for each dot, each of which sums to 1 inside the image; ``(1, *space)`` float32.

    What a Gaussian would have beyond the border lies inside, in proportion, so the sum is the number of dots. Of a
    large image each window is drawn when it is read.

    Args:
        places: of the dots in pixels, ``(dots, ndim)``; inside the image.
        space: pixels by axis.
        sigma: deviation of the Gaussian in pixels, by axis.
        path: of the file of dots, for errors.
    """

    def read(region: Region) -> np.ndarray:
        return _draw_window(places, space, sigma, region[1:])[None][region[0]]

    chunk = (1, *(min(n, CHUNK) for n in space))
    return load_small(Path(path), Lazy((1, *space), np.dtype(np.float32), read, chunk))


def _draw_window(places: Places, space: Sequence[int], sigma: Sequence[float], region: Region) -> NDArray[np.float32]:
    window = np.zeros([cut.stop - cut.start for cut in region])
    reach = np.ceil(REACH * np.asarray(sigma)) + 1
    starts, stops = np.array([(cut.start, cut.stop) for cut in region]).T
    near = ((places >= starts - reach) & (places < stops + reach)).all(axis=1)
    for place in places[near]:
        drawn, inside = np.ones(()), []
        for at, n, deviation, cut in zip(place, space, sigma, region):
            first, weights = draw_gaussian(at, n, deviation)
            low, high = max(first, cut.start), min(first + len(weights), cut.stop)
            inside.append(slice(low - cut.start, max(low, high) - cut.start))
            drawn = np.multiply.outer(drawn, weights[max(0, low - first) : max(0, high - first)])
        window[tuple(inside)] += drawn
    return window.astype(np.float32)


def draw_gaussian(at: float, size: int, deviation: float) -> tuple[int, NDArray[np.float64]]:
    """Return the first site of a Gaussian along an axis of so many sites, and its weights, which sum to 1."""
    reach = int(np.ceil(REACH * deviation))
    nearest = int(np.clip(np.rint(at), 0, size - 1))
    sites = np.arange(max(0, nearest - reach), min(size, nearest + reach + 1))
    exponents = -(((sites - at) / deviation) ** 2) / 2
    weights = np.exp(exponents - exponents.max())  # however narrow, the nearest site has a weight
    return int(sites[0]), weights / weights.sum()
