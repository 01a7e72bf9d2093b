"""Nearest training image of each new image, which says whether it is a copy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.inputs import load_input
from multiunet.domains.image.files.pairing import Item
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.remarks import remark
from multiunet.metrics.image_sets import Floats, Images, find_in
from multiunet.progress import Progress

SEARCHED = 1 << 29
"""Places of training images that windows are compared with, all together, about."""

COMPARED = 1 << 34
"""The same where images are as large as windows, so that a place is one product for each pixel: values, about."""


@dataclass(frozen=True)
class Nearest:
    """Nearest training image of each of several windows.

    Attributes:
        distances: the root mean square difference, ``(N,)``, grey levels.
        names: of the training images.
        pixels: the place there, as the window has it, mirrored or turned as that is, ``(N, C, *space)``.
    """

    distances: Floats
    names: tuple[str, ...]
    pixels: Images


class TrainingImages:
    """Training images in which windows are looked for, at any place.

    Args:
        flip: also mirrored and, where windows are square, turned by quarters, as the training showed them.
    """

    def __init__(self, items: Sequence[Item], info: ImageInfo, cache: FileCache, flip: bool) -> None:
        self.items, self.info, self.cache, self.flip = list(items), info, cache, flip

    def limit(self, windows: int, space: tuple[int, ...]) -> TrainingImages:
        """Return the first images, as many as so many windows can be looked for in, and say so if not all are."""
        views, done, left = len(list(_orient(space, self.flip))), 0, 0.0
        for item in self.items:
            own = self._load(item).shape
            sliding = own[1:] != space
            left += views * windows * math.prod(own) / (SEARCHED if sliding else COMPARED)
            if done and left > 1:
                remark(f"nearest training images are looked for in {done} of {len(self.items)} training images")
                break
            done += 1
        return TrainingImages(self.items[:done], self.info, self.cache, self.flip)

    def find(self, windows: Images, progress: Progress) -> Nearest:
        """Return the nearest training image of each window."""
        count = len(windows)
        distances, names, pixels = np.full(count, np.inf), [""] * count, np.zeros_like(windows)
        views = list(_orient(windows.shape[2:], self.flip))
        for place, item in enumerate(self.items):
            image = _grow(self._load(item), windows.shape[2:])
            for view in views:
                found, at = find_in(image, view.turn(windows))
                for n in np.flatnonzero(found < distances):
                    distances[n], names[n] = found[n], item.name
                    cut = tuple(slice(a, a + side) for a, side in zip(at[n], windows.shape[2:]))
                    pixels[n] = view.turn_back(image[(slice(None), *cut)][None])[0]
            progress.update_tiles(place + 1, len(self.items))
        return Nearest(distances, tuple(names), pixels)

    def _load(self, item: Item) -> Images:
        picture = load_input(item.image, self.info, self.cache).picture
        pixels: Images = self.cache.in_memory("pixels", item.image, picture.pixels)[...].astype(np.float32)
        return pixels


@dataclass(frozen=True)
class _View:
    """Mirrored axes of windows, and whether the last two axes are exchanged after that."""

    mirrored: tuple[int, ...]
    exchanged: bool

    def turn(self, windows: Images) -> Images:
        flipped = np.flip(windows, self.mirrored)
        return flipped.swapaxes(-1, -2) if self.exchanged else flipped

    def turn_back(self, windows: Images) -> Images:
        back = windows.swapaxes(-1, -2) if self.exchanged else windows
        return np.flip(back, self.mirrored)


def _orient(space: Sequence[int], flip: bool) -> Iterator[_View]:
    """Yield the ways to see windows of a size."""
    if not flip:
        yield _View((), False)
        return
    square = space[-1] == space[-2]
    for chosen in product((False, True), repeat=len(space)):
        mirrored = tuple(2 + axis for axis, on in enumerate(chosen) if on)
        yield from (_View(mirrored, exchanged) for exchanged in ((False, True) if square else (False,)))


def _grow(image: NDArray[np.float32], space: Sequence[int]) -> Images:
    """Return an image mirrored at its borders to the size of a window, as training has images that are smaller."""
    lacking = [max(0, side - n) for n, side in zip(image.shape[1:], space)]
    if not any(lacking):
        return image
    return np.pad(image, [(0, 0), *((n // 2, n - n // 2) for n in lacking)], mode="reflect")
