"""Training pairs made of one image each: a clean one is degraded, a noisy one has blind spots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.domains.image.data.augment import Augmentation, change_tones, draw_view, mirror, sample
from multiunet.domains.image.data.blind import BlindSpots
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.degradation import make_degrading
from multiunet.domains.image.data.inputs import Input, load_input
from multiunet.domains.image.data.patches import choose_start, read_intensities
from multiunet.domains.image.data.resize import enlarge
from multiunet.domains.image.files.lazy import check_fits, format_shape
from multiunet.domains.image.files.pairing import Item
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.target_info import Restoration
from multiunet.seeds import generator
from multiunet.training.data import Sample, TrainingData

Floats = NDArray[np.float32]

MAKING = 40
"""Bytes a value that it takes to make a pair of a whole image."""


class PairMaker(Protocol):
    """Way to make an input and its target of one image.

    Attributes:
        factor: by how many times fewer sites an axis of really degraded images has.
        halo: sites beyond a patch that its sites depend on.
    """

    @property
    def factor(self) -> int: ...
    @property
    def halo(self) -> int: ...
    def make_pair(self, pixels: Floats, rng: np.random.Generator, /) -> tuple[Floats, Floats]:
        """Return an input and its target, both of the shape of the image ``(C, *space)``."""


def find_maker(restoration: Restoration | None) -> PairMaker | None:
    """Return how pairs are made; None where they are given, or nothing is restored."""
    if restoration is None or not restoration.made:
        return None
    return BlindSpots() if restoration.blind else make_degrading(restoration.degrade)


def make_whole(item: Item, loaded: Input, maker: PairMaker) -> tuple[Floats, Floats]:
    """Return the input and the target of a whole image, always the same: the seed is its name.

    Raises:
        InputError: when it does not fit into memory.
    """
    pixels = loaded.picture.pixels
    what = f"making a pair of the image, {format_shape(pixels.shape[1:])},"
    check_fits(Path(item.image), what, MAKING * pixels.size, "cut it into smaller ones")
    return maker.make_pair(pixels[...].astype(np.float32), generator("pair", item.name))


def enlarge_input(loaded: Input, factor: int) -> Input:
    """Return an image enlarged so many times, as a network that learnt ``down`` reads it."""
    if factor == 1:
        return loaded
    picture = loaded.picture
    spacing = None if picture.spacing is None else tuple(step / factor for step in picture.spacing)
    pixels = enlarge(picture.pixels[...].astype(np.float32), factor)
    places = None if picture.georeference is None else picture.georeference.finer(factor)
    return replace(loaded, picture=replace(picture, pixels=pixels, spacing=spacing, georeference=places))


class MadePatches(TrainingData[Tensor]):
    """Draw random patches of images, and make pairs of them anew each time.

    Field and target are ``(1, C, *patch)`` float32; the target is NaN where it does not count. The image is turned, and
    its brightness and contrast change, before the pair is made of it, so that both show the same.

    Args:
        items: the training images.
        maker: makes a pair of a patch with its ``halo``.
    """

    def __init__(
        self, items: Sequence[Item], info: ImageInfo, augmentation: Augmentation, cache: FileCache, maker: PairMaker
    ) -> None:
        self.items, self.info, self.augmentation, self.cache, self.maker = items, info, augmentation, cache, maker
        self.patch = info.patch_size
        self.intensities = read_intensities(info)

    def __len__(self) -> int:
        return len(self.items)

    def draw(self, item: int, rng: np.random.Generator) -> Sample[Tensor]:
        entry = self.items[item]
        loaded = load_input(entry.image, self.info, self.cache)
        space, halo = loaded.picture.space, self.maker.halo
        start = choose_start(space, self.patch, rng)
        centre = [first + (side - 1) / 2 for first, side in zip(start, self.patch)]
        sides = [side + 2 * halo for side in self.patch]
        view = draw_view(self.augmentation, centre, sides, self.info.spacing, rng)
        pixels = self.cache.in_memory("pixels", entry.image, loaded.picture.pixels)
        standard = loaded.standardise(sample(pixels, mirror(view.coordinates(sides), space)))
        (changed,) = change_tones([standard], self.augmentation, rng, self.intensities)
        shown, target = self.maker.make_pair(loaded.undo(changed), rng)
        inner = (slice(None), *(slice(halo, halo + side) for side in self.patch))
        field, wanted = (np.ascontiguousarray(part) for part in (loaded.standardise(shown[inner]), target[inner]))
        return Sample(torch.from_numpy(field)[None], torch.from_numpy(wanted)[None])
