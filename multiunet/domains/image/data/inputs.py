"""Images as the network reads them, with the channels and intensities of the training images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.files.channels import Channels
from multiunet.domains.image.files.info_bar import read_cropped
from multiunet.domains.image.files.lazy import bytes_in_memory, take_first
from multiunet.domains.image.files.readers import Picture, override_spacing
from multiunet.domains.image.info import ImageInfo
from multiunet.errors import InputError
from multiunet.prediction.source import GridSource
from multiunet.wording import counted

TRAINING = "the training images"

AXES = {2: ("y", "x"), 3: ("z", "y", "x")}


@dataclass(frozen=True)
class Input:
    """Image with its standardisation ``(pixels - shift) / scale``, by channel.

    Attributes:
        bar_rows: rows that were cut off the bottom of the file's image.
        assumed: True where the file states no pixel size and has that of the training.
        channels: that were read of the file, by number or name; all, if there are none.
    """

    picture: Picture
    shift: NDArray[np.float32]
    scale: NDArray[np.float32]
    bar_rows: int = 0
    assumed: bool = False
    channels: Channels = ()

    def standardise(self, pixels: np.ndarray) -> NDArray[np.float32]:
        """Return pixels ``(C, *any)`` of this image standardised, as float32."""
        by_channel = (-1, *(1,) * (pixels.ndim - 1))
        shifted = pixels.astype(np.float32) - self.shift.reshape(by_channel)
        result: NDArray[np.float32] = shifted / self.scale.reshape(by_channel)
        return result

    def undo(self, field: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a standardised field ``(C, *any)`` in the image's own numbers."""
        by_channel = (-1, *(1,) * (field.ndim - 1))
        return field * self.scale.reshape(by_channel) + self.shift.reshape(by_channel)

    def window(self, start: Sequence[int], stop: Sequence[int], /) -> NDArray[np.float32]:
        """Return a window as the network reads it, ``(C, *window)`` float32; a ``Reader``."""
        inside = tuple(slice(a, b) for a, b in zip(start, stop))
        return self.standardise(self.picture.pixels[(slice(None), *inside)])


def load_input(
    path: str, info: ImageInfo, cache: FileCache, assumed: tuple[float, ...] | None = None, like: str = TRAINING
) -> Input:
    """Load an image with the channels, bar and pixel size of training.

    Args:
        assumed: pixel size, micrometres by axis, of an image that states none where ``info`` has none either.
        like: which images it must be like, for errors.

    Raises:
        InputError: when it cannot be read, or has other axes or channels than the training images.
    """

    def read() -> tuple[Picture, int]:
        cropped, bar = read_cropped(Path(path), info.crop_bar, info.read_channels)
        return override_spacing(match_channels(cropped, info, path, like), info.pixel_size), bar

    # what the reading depends on; folds of a cross-validation may differ in it
    how = repr([info.crop_bar, info.pixel_size, info.read_channels])
    picture, bar = cache.get("image", path, read, lambda found: bytes_in_memory(found[0].pixels), how)
    guessed = picture.spacing is None and assumed is not None
    if guessed:
        picture = override_spacing(picture, assumed)
    known = info.intensities
    if known.kind == "image":
        own = cache.keep(
            "moments", path, lambda: compute_moments(picture), lambda pair: sum(p.nbytes for p in pair), how
        )
        return Input(picture, *own, bar, guessed, info.read_channels)
    mean, deviation = (np.asarray(numbers, np.float32) for numbers in (known.mean, known.deviation))
    return Input(picture, mean, deviation, bar, guessed, info.read_channels)


def match_channels(picture: Picture, info: ImageInfo, path: str, like: str = TRAINING) -> Picture:
    """Return the picture with the channels of training: grey images saved in colours become grey.

    Args:
        like: which images it must be like, for errors.

    Raises:
        InputError: when it has other axes or channels.
    """
    if len(picture.space) != info.ndim:
        raise InputError(f"{path}: {_describe_size(picture.space)}, but {like} have {info.ndim} axes")
    if info.channels == 1 and picture.colour == "rgb" and picture.summary.grey:
        picture = replace(picture, pixels=take_first(picture.pixels, 1))
    channels = picture.pixels.shape[0]
    if channels != info.channels:
        raise InputError(f"{path}: {counted(channels, 'channel')}, but {like} have {info.channels}; convert it")
    return picture.redescribed(colour=info.colour)


def make_source(name: str, path: str, loaded: Input) -> GridSource:
    """Return the source of a prediction, with pixel coordinates in the file's unit, or plain indices."""
    picture = loaded.picture
    dims = AXES[len(picture.space)]
    spacing = picture.spacing or (1.0,) * len(dims)
    coords = {dim: np.arange(n) * step for dim, n, step in zip(dims, picture.space, spacing)}
    attrs: dict[str, Any] = {
        "file": str(Path(path).absolute()),
        "unit": picture.unit or "pixel",
        "spacing": list(spacing),
        "crop_bar": loaded.bar_rows,
    }
    if loaded.channels:
        attrs["channels"] = list(loaded.channels)
    if picture.georeference is not None:
        attrs["georeference"] = picture.georeference.to_json()
    return GridSource(name, picture.space, loaded.window, dims, coords, attrs)


def compute_moments(picture: Picture) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and deviation of each channel; the deviation of a constant is 1, so that it becomes 0."""
    mean, deviation = picture.summary.mean, np.sqrt(picture.summary.variance)
    return mean.astype(np.float32), np.where(deviation > 0, deviation, 1.0).astype(np.float32)


def _describe_size(space: Sequence[int]) -> str:
    return ("an image of " if len(space) == 2 else "a volume of ") + " x ".join(map(str, space))
