"""Training patches: their places, and their random changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.domains.image.data.augment import (
    Augmentation,
    Intensities,
    View,
    change_intensities,
    change_tones,
    draw_view,
    mirror,
    sample,
    sample_labels,
    spoil,
)
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.inputs import load_input
from multiunet.domains.image.data.instances import encode_objects, sample_objects
from multiunet.domains.image.data.overlapping import sample_overlapping
from multiunet.domains.image.data.targets import (
    Border,
    label_objects,
    load_border,
    load_labels,
    load_objects,
    load_target,
)
from multiunet.domains.image.files.lazy import Pixels, iter_blocks
from multiunet.domains.image.files.pairing import Item
from multiunet.domains.image.info import ImageInfo
from multiunet.training.data import Sample, TrainingData

REMEMBERED = 1000
"""Pixels of each class and image that patches may lie about."""

TRIES = 20
"""Images, drawn by chance, that are looked at for a rare class."""


class Patches(TrainingData[Tensor]):
    """Draw random patches of images.

    The field is ``(1, C, *patch)`` float32; the target ``(1, *patch)`` int64 (classes, -1 where they do not count) or
    ``(1, K, *patch)`` float32 (quantities, or of classes that may overlap 0 and 1; NaN where unknown).

    Patches lie inside their image where it is large enough; what rotation or a small image brings in from outside is
    mirrored at the border, with its labels. Densities of dots are those of a patch's pixels, which a view may make
    larger or smaller than the image's.

    Args:
        items: the training images.
        info: of the training.
        augmentation: of the patches.
        oversample_classes: share of patches that lie about a pixel of a class drawn evenly from those of the image, or,
            where some classes are rare, from these, in an image that shows it; the others lie anywhere. Quantities have
            no classes.
        cache: where files that were read are kept, by each process for itself.
        border: weight of pixels between objects; None where masks are classes, or for quantities.
    """

    def __init__(
        self,
        items: Sequence[Item],
        info: ImageInfo,
        augmentation: Augmentation,
        oversample_classes: float,
        cache: FileCache,
        border: Border | None = None,
    ) -> None:
        self.items = list(items)
        self.info = info
        self.augmentation = augmentation
        self.patch = info.patch_size
        self.spacing = info.spacing
        self.oversample_classes = 0.0 if info.regression else oversample_classes
        self.rare = [info.target.names.index(name) for name in info.rare]
        self.cache = cache
        self.border = border
        self.intensities = read_intensities(info)

    def __len__(self) -> int:
        return len(self.items)

    def draw(self, item: int, rng: np.random.Generator) -> Sample[Tensor]:
        entry, rare = self._choose(item, rng)
        loaded = load_input(entry.image, self.info, self.cache)
        start = self._start(entry, loaded.picture.space, rare, rng)
        centre = [first + (side - 1) / 2 for first, side in zip(start, self.patch)]
        view = draw_view(self.augmentation, centre, self.patch, self.spacing, rng)
        coordinates = mirror(view.coordinates(self.patch), loaded.picture.space)
        pixels = self.cache.in_memory("pixels", entry.image, loaded.picture.pixels)
        field = loaded.standardise(sample(pixels, coordinates))
        target, weight = self._read_target(entry, view, coordinates)
        if self.info.restoration is not None:
            pair = [field, loaded.standardise(target[0].numpy())]
            field, wanted = change_tones(pair, self.augmentation, rng, self.intensities)
            target = torch.from_numpy(loaded.undo(wanted))[None]
            field = spoil(field, self.augmentation, self.spacing, rng, self.intensities)
        else:
            field = change_intensities(field, self.augmentation, self.spacing, rng, self.intensities)
        return Sample(torch.from_numpy(np.ascontiguousarray(field))[None], target, weight)

    def _read_target(self, entry: Item, view: View, coordinates: NDArray[np.float32]) -> tuple[Tensor, Tensor | None]:
        """Return target and weight."""
        if self.info.dots is not None:  # a pixel that shows a larger area holds more of the objects
            return self._sample_target(entry, coordinates) * torch.from_numpy(view.magnification(self.patch)), None
        if self.border is None:
            return self._sample_target(entry, coordinates), None
        # objects first, their ends afterwards: a gap of one pixel would not survive being turned or shrunk
        objects = sample_objects(load_objects(entry.target, self.info, self.cache), coordinates)
        parts = encode_objects(objects, self.border.encoding, self.spacing)
        labels = label_objects(parts, objects, entry.target, self.info)
        target = torch.from_numpy(labels.astype(np.int64))[None]
        if self.border.weight == 0:
            return target, None
        weights = load_border(entry.target, self.info, self.cache, self.border)
        return target, torch.from_numpy(sample(weights[None], coordinates))

    def _sample_target(self, entry: Item, coordinates: NDArray[np.float32]) -> Tensor:
        if self.info.regression:
            target = load_target(entry.target, self.info, self.cache)
            quantities = self.cache.in_memory("quantities", entry.target, target)
            return torch.from_numpy(sample(quantities, coordinates))[None]
        if self.info.overlapping is not None:
            return torch.from_numpy(sample_overlapping(self._labels(entry), coordinates, len(self.info.values)))[None]
        labels = sample_labels(self._labels(entry), coordinates)
        return torch.from_numpy(labels.astype(np.int64))[None]

    def _choose(self, item: int, rng: np.random.Generator) -> tuple[Item, int | None]:
        """Return the image of a patch, and the rare class that it lies about; None: about none."""
        if not self.rare or rng.random() >= self.oversample_classes:
            return self.items[item], None
        rare = self.rare[int(rng.integers(len(self.rare)))]
        for one in (item, *rng.integers(len(self.items), size=TRIES).tolist()):
            if len(self._positions(self.items[one])[rare]):
                return self.items[one], rare
        return self.items[item], None

    def _start(self, entry: Item, space: Sequence[int], rare: int | None, rng: np.random.Generator) -> list[int]:
        """The patch's first pixel by axis; negative where the image is smaller than the patch."""
        room = [n - side for n, side in zip(space, self.patch)]
        anywhere = choose_start(space, self.patch, rng)
        if rare is not None:
            pixels = [self._positions(entry)[rare]]
        elif self.rare or rng.random() >= self.oversample_classes:
            return anywhere
        else:
            pixels = [positions for positions in self._positions(entry) if len(positions)]
        if not pixels:  # no pixel of this image counts
            return anywhere
        chosen = pixels[int(rng.integers(len(pixels)))]
        pixel = np.unravel_index(int(chosen[int(rng.integers(len(chosen)))]), tuple(space))
        near = [int(p) - side // 2 + int(rng.integers(-side // 4, side // 4 + 1)) for p, side in zip(pixel, self.patch)]
        return [min(max(n, 0), r) if r >= 0 else a for n, r, a in zip(near, room, anywhere)]

    def _positions(self, entry: Item) -> list[NDArray[np.int64]]:
        """Flat indices of pixels of each class, evenly spread over all of them."""
        return self.cache.keep("positions", entry.target, lambda: self._find(entry), lambda p: sum(a.nbytes for a in p))

    def _labels(self, entry: Item) -> Pixels:
        return self.cache.in_memory("labels", entry.target, load_labels(entry.target, self.info, self.cache))

    def _find(self, entry: Item) -> list[NDArray[np.int64]]:
        """In two passes, so that the pixels do not depend on the blocks in which the labels are read."""
        labels, classes = self._labels(entry), range(len(self.info.values))
        width, rows = labels.shape[-1], np.arange(labels.size // labels.shape[-1]).reshape(labels.shape[:-1])
        counts = np.zeros((len(classes), *rows.shape), dtype=np.int64)
        for region in iter_blocks(labels, rows=True):
            block = labels[region]
            for index in classes:
                counts[index][region[:-1]] = np.count_nonzero(self._have(block, index), axis=-1)
        ends = counts.reshape(len(classes), -1).cumsum(axis=1)
        ranks = [np.arange(0, end, max(1, -(-end // REMEMBERED))) for end in ends[:, -1]]
        wanted = [np.searchsorted(end, rank, side="right") for end, rank in zip(ends, ranks)]
        found = [np.empty_like(rank) for rank in ranks]
        for region in iter_blocks(labels, rows=True):
            here = rows[region[:-1]].ravel()  # ascending
            block = None
            for index in classes:
                for place in np.flatnonzero(np.isin(wanted[index], here)):
                    block = labels[region].reshape(-1, width) if block is None else block
                    row = wanted[index][place]
                    inside = np.flatnonzero(self._have(block[np.searchsorted(here, row)], index))
                    # the rank counts from the image's begin; the row's last pixel of the class has that of its end
                    found[index][place] = row * width + inside[ranks[index][place] - ends[index][row]]
        return found

    def _have(self, labels: NDArray[Any], index: int) -> NDArray[np.bool_]:
        """Return where labels have a class."""
        have: NDArray[np.bool_] = labels == index if self.info.overlapping is None else (labels >> index & 1) == 1
        return have


def choose_start(space: Sequence[int], patch: Sequence[int], rng: np.random.Generator) -> list[int]:
    """Draw a patch's first pixel by axis; of an axis shorter than the patch, the middles meet."""
    room = [n - side for n, side in zip(space, patch)]
    return [int(rng.integers(0, r + 1)) if r >= 0 else -(-r // 2) for r in room]


def read_intensities(info: ImageInfo) -> Intensities:
    """Return location and scale of a network's fields: 0 and 1, unless images stay as they are."""
    if info.intensities.kind != "none":
        return Intensities.standardised()
    channels = info.fingerprint.intensities
    mean, deviation = [channel.mean for channel in channels], [channel.deviation for channel in channels]
    return Intensities(np.asarray(mean, np.float32), np.asarray(deviation, np.float32))
