"""Intensity of the image under each object."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from multiunet.domains.image.files.lazy import Pixels
from multiunet.domains.image.files.readers import read_image
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.prediction.places import find_place


def open_pixels(name: str, data: xr.Dataset, store: Path) -> Pixels | None:
    """Return the pixels ``(C, *space)`` of a predicted image; None, with a remark, if they are gone."""
    space = data["mean"].shape[1:]
    if (file := find_place(data.attrs, store)) is None:
        return None
    try:
        pixels = read_image(file, tuple(data.attrs.get("channels", ()))).pixels
    except InputError as error:
        remark("%s: no intensities of its objects: %s; `intensity=False` leaves them out", name, error)
        return None
    if tuple(pixels.shape[1:]) not in {tuple(space), (space[0] + int(data.attrs.get("crop_bar", 0)), *space[1:])}:
        remark(
            "%s: no intensities of its objects: the image has other sizes than when it was predicted; "
            "`intensity=False` leaves them out",
            name,
        )
        return None
    return pixels


def mean_intensities(pixels: Pixels, numbered: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the mean of each channel under each object, ``(C, n + 1)``; 0 is what lies outside.

    Args:
        pixels: of the image, ``(C, *space)``; rows below ``numbered`` do not count.
        numbered: objects, ``space``.
    """
    count, numbers = int(numbered.max()) + 1, numbered.ravel()
    sizes = np.maximum(np.bincount(numbers, minlength=count), 1)
    inside = tuple(slice(n) for n in numbered.shape)
    rows = [
        np.bincount(numbers, np.asarray(pixels[(channel, *inside)], dtype=np.float64).ravel(), minlength=count) / sizes
        for channel in range(pixels.shape[0])
    ]
    return np.stack(rows)
