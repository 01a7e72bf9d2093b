"""Clean patches of images, with what a generator is given beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.core import Condition
from multiunet.domains.image.data.augment import Augmentation, draw_view, mirror, sample
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.inputs import load_input
from multiunet.domains.image.files.pairing import Item
from multiunet.domains.image.generation.beside import read_beside
from multiunet.domains.image.generation.embeddings import read_embedding
from multiunet.domains.image.generation.info import Embeddings
from multiunet.domains.image.info import ImageInfo
from multiunet.training.data import Sample, TrainingData

SIGMA_DATA = 0.5
"""Deviation of the data that are diffused, that of Karras et al. 2022, so that their other numbers hold."""


class CleanPatches(TrainingData[Tensor]):
    """Draw random patches of images, to be spoilt by ``DiffusionData``.

    The target is the image, ``(1, C, *patch)`` of mean 0 and deviation ``SIGMA_DATA`` over the training images; the
    field are the channels beside it, ``(1, 0 or more, *patch)``. Labels and words are the condition.

    Patches lie inside their image where it is large enough; a smaller image is mirrored at its border.

    Args:
        items: the images.
        info: of the training.
        flip: mirror patches, and turn them by quarters.
        cache: where files that were read are kept, by each process for itself.
        size: pixels of a patch by axis; None: as in training.
    """

    def __init__(
        self, items: Sequence[Item], info: ImageInfo, flip: bool, cache: FileCache, size: tuple[int, ...] | None = None
    ) -> None:
        self.items, self.info, self.cache = list(items), info, cache
        self.patch, self.spacing = info.patch_size if size is None else size, info.spacing
        self.augmentation = replace(Augmentation.none(), flip=flip)

    def __len__(self) -> int:
        return len(self.items)

    def draw(self, item: int, rng: np.random.Generator) -> Sample[Tensor]:
        image = self.items[item].image
        loaded = load_input(image, self.info, self.cache)
        space = loaded.picture.space
        room = [n - side for n, side in zip(space, self.patch)]
        start = [int(rng.integers(0, r + 1)) if r >= 0 else -(-r // 2) for r in room]
        centre = [first + (side - 1) / 2 for first, side in zip(start, self.patch)]
        view = draw_view(self.augmentation, centre, self.patch, self.spacing, rng)
        coordinates = mirror(view.coordinates(self.patch), space)
        pixels = self.cache.in_memory("pixels", image, loaded.picture.pixels)
        target = np.float32(SIGMA_DATA) * loaded.standardise(sample(pixels, coordinates))
        known = self.info.generated
        mask = None if known.layout is None else known.layout.files[image]
        given = None if known.given is None else known.given.files[image]
        beside = read_beside(self.info, self.cache, mask, given, coordinates, space)
        field, data = (torch.from_numpy(np.ascontiguousarray(part))[None] for part in (beside, target))
        return Sample(field, data, condition=self._condition(image))

    def _condition(self, image: str) -> Condition | None:
        known = self.info.generated
        label = None if known.labels is None else known.labels.classes[image]
        words = None if known.words is None else known.words.captions[image]
        if (own := known.embeddings) is None:
            return make_condition(self.info, label, words)
        path = own.files[image]
        embedding = self.cache.keep("embedding", path, lambda: read_embedding(Path(path)), lambda array: array.nbytes)
        return make_condition(self.info, label, words, embedding)


def as_pixels(x: Tensor, info: ImageInfo) -> Tensor:
    """Return standardised images ``(N, C, *space)`` in the numbers of the training images."""
    known = info.intensities
    mean, deviation = (
        torch.tensor(part, dtype=torch.float32).reshape(-1, *(1,) * info.ndim) for part in (known.mean, known.deviation)
    )
    return x.float() * deviation + mean


def make_condition(
    info: ImageInfo,
    label: int | None = None,
    words: Sequence[int] | None = None,
    embedding: NDArray[np.float32] | None = None,
    rows: int = 1,
) -> Condition | None:
    """Return the condition of a label and of words, of equal rows; None where the run knows neither.

    Args:
        label: number of the class; None: not said.
        words: their numbers; None: not said.
        embedding: in place of words, a vector or tokens; None: not said.
    """
    known = info.generated
    if not known.told:
        return None
    labels = None if known.labels is None else torch.full((rows,), -1 if label is None else label)
    numbers = None
    if known.words is not None:  # all of one length, so that batches need no padding
        given = list(words or ())
        numbers = torch.tensor([given + [0] * (known.words.longest - len(given))] * rows, dtype=torch.int64)
    told = Condition(labels=labels, words=numbers)
    return told if known.embeddings is None else _with_embedding(told, known.embeddings, embedding, rows)


def _with_embedding(
    condition: Condition, known: Embeddings, embedding: NDArray[np.float32] | None, rows: int
) -> Condition:
    """Return the condition with an embedding of one's own, as ``leave_out`` has it where it is not said."""
    blank = np.zeros((1, known.channels) if known.tokens else known.channels, np.float32)
    values = torch.from_numpy(blank if embedding is None else embedding)
    values = values.expand(rows, *values.shape)
    if not known.tokens:
        return replace(condition, embedding=values)
    there = torch.full(values.shape[:2], embedding is not None)
    return replace(condition, tokens=values, token_mask=there)
