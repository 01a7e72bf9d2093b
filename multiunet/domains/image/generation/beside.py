"""Channels beside the noisy image: the classes of a layout, and another image of the scene."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.image.data.augment import Floats, mirror, sample, sample_labels
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.inputs import Input, load_input
from multiunet.domains.image.data.targets import load_labels
from multiunet.domains.image.info import ImageInfo, Intensities
from multiunet.domains.image.target_info import Masks


def layout_info(info: ImageInfo) -> ImageInfo:
    """Return an info whose masks are the layouts of a generator, by which masks are read.

    Raises:
        TypeError: for a run without layouts.
    """
    layout = info.generated.layout
    if layout is None:
        raise TypeError("this run makes no images from masks")
    masks = Masks(coloured=layout.coloured, palettes=layout.palettes, pixels={})
    return info.model_copy(update={"target": layout.classes, "masks": masks, "target_bars": layout.bars})


def given_info(info: ImageInfo) -> ImageInfo:
    """Return an info whose images are those given to a generator, by which such images are read.

    Raises:
        TypeError: for a run to which none are given.
    """
    given = info.generated.given
    if given is None:
        raise TypeError("this run makes no images from other images")
    intensities = Intensities(kind="train", mean=given.mean, deviation=given.deviation)
    return info.model_copy(
        update={"channels": given.channels, "colour": given.colour, "intensities": intensities, "read_channels": ()}
    )


def read_beside(
    info: ImageInfo,
    cache: FileCache,
    mask: str | None,
    given: str | None,
    coordinates: Floats,
    space: Sequence[int],
    checked: bool = True,
) -> NDArray[np.float32]:
    """Return the channels beside an image, ``(C, *sites)``.

    They are one for each class, those of the given image, then coordinates: from -1 to 1 between the image's borders.

    Args:
        mask, given: files; None where the run has none.
        coordinates: places in the image, ``(ndim, *sites)``, inside it.
        space: pixels of the image by axis.
        checked: the mask is one of the training data.

    Raises:
        InputError: when a file cannot be read, or a mask has a class that training did not know.
    """
    parts = []
    if mask is not None:
        reading = layout_info(info)
        labels = cache.in_memory("labels", mask, load_labels(mask, reading, cache, checked))
        classes = sample_labels(labels, coordinates)
        values = np.arange(len(reading.classes.names)).reshape(-1, *(1,) * classes.ndim)
        parts.append((classes[None] == values).astype(np.float32))
    if given is not None:
        loaded = _load_given(given, info, cache)
        factor = info.generated.given.factor if info.generated.given else ()
        places = mirror(shrink(coordinates, factor), loaded.picture.space)
        parts.append(loaded.standardise(sample(cache.in_memory("given", given, loaded.picture.pixels), places)))
    if info.generated.coordinates:
        sides = np.asarray(space, np.float32).reshape(-1, *(1,) * (coordinates.ndim - 1))
        parts.append((2 * coordinates + 1) / sides - 1)
    return np.concatenate(parts, dtype=np.float32) if parts else np.zeros((0, *coordinates.shape[1:]), np.float32)


def shrink(coordinates: Floats, factor: Sequence[int]) -> Floats:
    """Return places ``(ndim, *sites)`` of an image as those of one with larger pixels, by factors."""
    steps = np.asarray(factor, np.float32).reshape(-1, *(1,) * (coordinates.ndim - 1))
    result: Floats = (coordinates + np.float32(0.5)) / steps - np.float32(0.5)
    return result


def space_of(info: ImageInfo, cache: FileCache, mask: str | None, given: str | None) -> tuple[int, ...]:
    """Return the pixels by axis of the image that belongs to a mask or a given image."""
    if mask is not None:
        return tuple(load_labels(mask, layout_info(info), cache, checked=False).shape)
    assert given is not None
    assert info.generated.given is not None
    loaded = _load_given(given, info, cache)
    return tuple(n * f for n, f in zip(loaded.picture.space, info.generated.given.factor))


def _load_given(path: str, info: ImageInfo, cache: FileCache) -> Input:
    return load_input(path, given_info(info), cache, like="the `given` images of the training")
