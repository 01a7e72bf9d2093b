"""Pictures of what new images are made from: maps of classes, and other images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.inputs import load_input
from multiunet.domains.image.data.targets import load_labels
from multiunet.domains.image.generation.beside import given_info, layout_info
from multiunet.domains.image.generation.contact_sheet import Thumbnail, make_thumbnail
from multiunet.domains.image.generation.requests import Request, read_holes
from multiunet.domains.image.info import ImageInfo

COLOURS = np.array(
    [
        *((68, 84, 106), (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66)),
        *((0, 114, 178), (213, 94, 0), (204, 121, 167), (160, 160, 160)),
    ],
    np.float32,
)
"""Colours of classes in turn, told apart by the colour-blind, too (Okabe and Ito 2008)."""

TINY = float(np.finfo(np.float32).tiny)

HOLE = np.array([86, 180, 233], np.float32)
"""Colour of what is filled in."""


def show_inputs(request: Request, info: ImageInfo, cache: FileCache) -> list[Thumbnail]:
    """Return thumbnails of the files that samples were made from."""
    shown = []
    if request.mask is not None:
        shown.append(show_layout(load_labels(request.mask, layout_info(info), cache, checked=False)[...]))
    if request.given is not None:
        pixels = load_input(request.given, given_info(info), cache).picture.pixels[...].astype(np.float32)
        for axis, times in enumerate(info.generated.given.factor if info.generated.given else (), start=1):
            pixels = pixels.repeat(times, axis=axis)
        shown.append(show_given(pixels))
    if request.image is not None and request.holes is not None:
        pixels = load_input(request.image, info, cache).picture.pixels[...].astype(np.float32)
        shown.append(show_holes(pixels, read_holes(request.holes, request.image, pixels.shape[1:]), info))
    if request.start is not None:
        pixels = load_input(request.start, info, cache).picture.pixels[...].astype(np.float32)
        shown.append(make_thumbnail(pixels, info.generated.lowest, info.generated.highest))
    return shown


def show_beside(channels: NDArray[np.float32], info: ImageInfo) -> list[Thumbnail]:
    """Return thumbnails of the channels beside a noisy image, ``(G, *space)``: of a map, of a given image."""
    known, shown = info.generated, []
    classes = 0 if known.layout is None else len(known.layout.classes.names)
    if classes:
        maps = channels[:classes]
        shown.append(show_layout(np.where(maps.sum(0) > 0, maps.argmax(0), -1)))
    if known.given is not None:
        shown.append(show_given(channels[classes : classes + known.given.channels]))
    return shown


def show_given(pixels: NDArray[np.float32]) -> Thumbnail:
    """Return a thumbnail of a given image ``(C, *space)``, from its darkest to its brightest pixel."""
    return make_thumbnail(pixels, float(pixels.min()), float(pixels.max()))


def show_layout(labels: NDArray[np.generic]) -> Thumbnail:
    """Return a thumbnail of classes ``space`` in colours; white where nothing is known, below 0."""
    colours = COLOURS[labels.astype(np.int64) % len(COLOURS)]
    colours[labels.astype(np.int64) < 0] = 255
    return make_thumbnail(np.moveaxis(colours, -1, 0), 0, 255)


def show_holes(pixels: NDArray[np.float32], holes: NDArray[np.bool_], info: ImageInfo) -> Thumbnail:
    """Return a thumbnail of an image ``(C, *space)`` whose holes have a colour of their own."""
    lowest, highest = info.generated.lowest, info.generated.highest
    colours = pixels[:3] if len(pixels) >= 3 else pixels[:1].repeat(3, axis=0)
    scaled = 255 * (colours - lowest) / max(highest - lowest, TINY)
    return make_thumbnail(np.where(holes, HOLE.reshape(-1, *(1,) * holes.ndim), scaled), 0, 255)
