"""Images and targets from files of every format, checked for finite numbers and possible sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tifffile

from multiunet.domains.image.files.channels import Channels, choose_channels
from multiunet.domains.image.files.flat import FLAT
from multiunet.domains.image.files.formats import READERS, ending_of, find_reader
from multiunet.domains.image.files.geotiff import Georeference
from multiunet.domains.image.files.lazy import (
    BY_PARTS,
    Lazy,
    Pixels,
    Region,
    Summary,
    iter_blocks,
    load_small,
    map_values,
    summarise,
    take_first,
)
from multiunet.domains.image.files.places import split_place
from multiunet.domains.image.files.stack import Stack, Wanted
from multiunet.domains.image.files.units import MICROMETRE, pixel_sizes
from multiunet.domains.reading import reading, shorten
from multiunet.domains.remarks import remark_file
from multiunet.errors import InputError
from multiunet.wording import are

Colour = Literal["grey", "rgb", "channels"]

LARGEST = 1e18
"""Intensities are below this: the square of a difference must be a finite float32."""


SMALLEST, LARGEST_STEP = 1e-9, 1e12
"""Distances of pixels are between these, in micrometres: from far below an atom to a thousand kilometres."""


@dataclass(frozen=True)
class Picture:
    """Image or target as a file holds it.

    Attributes:
        pixels: ``(C, *space)`` in the file's own type; space is y, x or z, y, x. Of large ones only what is indexed is
            read.
        colour: ``rgb`` for three samples of one pixel, ``channels`` for other channels, ``grey`` for one.
        spacing: distance of neighbouring pixels by axis, and its unit; None where the file does not say.
        orientation: where the axes x, y, z of a NIfTI volume point, such as ``RAS``; None where the file does not say.
        missing: the number that stands for not measured in this file; None where it does not say.
        georeference: where the pixels lie on the earth (GeoTIFF).
    """

    pixels: Pixels
    colour: Colour
    spacing: tuple[float, ...] | None = None
    unit: str | None = None
    orientation: str | None = None
    missing: float | None = None
    georeference: Georeference | None = None

    def redescribed(
        self, colour: Colour | None = None, spacing: tuple[float, ...] | None = None, unit: str | None = None
    ) -> Picture:
        """Replace what is given and keep the pixels; what is known of their values stays known."""
        changed = replace(self, colour=colour or self.colour, spacing=spacing or self.spacing, unit=unit or self.unit)
        if "summary" in vars(self):
            vars(changed)["summary"] = self.summary
        return changed

    @cached_property
    def summary(self) -> Summary:
        """Mean, variance and extremes of the pixels; reads them all."""
        return summarise(self.pixels)

    @property
    def space(self) -> tuple[int, ...]:
        """Pixels by axis."""
        return tuple(self.pixels.shape[1:])


def read_image(path: Path, channels: Channels = ()) -> Picture:
    """Read an image of numbers that are all finite; a constant alpha channel is dropped.

    Args:
        channels: to read, by number or name; all, if there are none.

    Raises:
        InputError: when the file cannot be read, holds NaN, infinities or values beyond ``LARGEST``, or its alpha
            channel says something.
    """
    picture = read_file(path, "image", channels)
    if picture.missing is not None:
        remark_file(path, f"states that {picture.missing:g} means not measured; in an image it is read as a number")
    if picture.pixels.dtype.kind != "f":
        return picture
    _refuse_infinite(path, picture.summary, "scale or fill them")
    if picture.summary.nans:
        raise InputError(f"{path}: {are(picture.summary.nans, 'pixel')} NaN; fill in the median, say")
    if max(-picture.summary.low, picture.summary.high) > LARGEST:
        raise InputError(f"{path}: holds values beyond {LARGEST:g}, whose spread 32 bits cannot hold; scale them")
    return picture


def read_target(path: Path, ignore_value: int | None = None, channels: Channels = ()) -> Picture:
    """Read an image of quantities to predict, float32; NaN means not measured.

    Args:
        ignore_value: the number that stands for not measured; it becomes NaN, as does that which the file states.
        channels: as of ``read_image``.

    Raises:
        InputError: when the file cannot be read or holds infinities.
    """
    picture = read_file(path, "target", channels)
    if picture.pixels.dtype.kind == "f":
        _refuse_infinite(path, picture.summary, "give finite numbers, or NaN where nothing is known")

    def known(block: np.ndarray) -> np.ndarray:
        numbers = block.astype(np.float32)
        for missing in {ignore_value, picture.missing} - {None}:
            numbers = np.where(block == missing, np.float32(np.nan), numbers)
        return numbers

    numbers = map_values(picture.pixels, known, np.float32)
    return replace(picture, pixels=numbers)


def _refuse_infinite(path: Path, summary: Summary, fix: str) -> None:
    if summary.infinities:
        raise InputError(f"{path}: {are(summary.infinities, 'pixel')} infinite; {fix}")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what decoders raise into errors that name the file, in the words of images."""
    with reading(path):
        try:
            yield
        except FileNotFoundError:
            if split_place(path)[0].exists():
                raise InputError(f"{path}: holds no array") from None
            raise
        except tifffile.TiffFileError as error:
            raise InputError(f"{path}: not an image that can be read ({shorten(error)}); export it again") from None
        except MemoryError:
            raise InputError(f"{path}: does not fit into memory; {BY_PARTS}") from None


def open_stack(path: Path, wanted: Wanted) -> Stack:
    """Open a file and read what it states of its pixels.

    PNG, JPEG and BMP are decoded now, others when their pixels are indexed.

    Raises:
        InputError: when it cannot be read.
    """
    with _reading(path):
        file, _ = split_place(path)
        if not file.exists():
            raise FileNotFoundError
        if file.is_file() and not file.stat().st_size:
            raise InputError(f"{path}: an empty file; copy or export it again")
        read = find_reader(file)
        if read is None:
            what = "a folder, where a file is needed" if file.is_dir() else "not a known kind of image"
            raise InputError(f"{path}: {what}; known are {', '.join(READERS)}")
        stack = read(path, wanted)
        if not stack.pixels.size:
            raise InputError(f"{path}: an image without pixels")
        if stack.pixels.dtype.kind not in "buif":
            raise InputError(f"{path}: pixels of type {stack.pixels.dtype}; give integers or floats")
        spacing = _possible(path, stack.spacing)
        return replace(stack, spacing=spacing, unit=None if spacing is None else stack.unit)


def stated_geometry(path: Path, *purposes: Wanted) -> tuple[tuple[float, ...] | None, str | None]:
    """Return the spacing in micrometres and the orientation that a file states; None where it does not.

    Args:
        purposes: that the file may serve, the first for which it can be opened is taken.
    """
    for wanted in () if ending_of(split_place(path)[0].name) in FLAT else purposes:
        with suppress(InputError):  # reading the pixels says what is wrong
            stack = open_stack(path, wanted)
            return stack.spacing, stack.orientation
    return None, None


def read_file(path: Path, wanted: Wanted, channels: Channels = ()) -> Picture:
    """Read a file, whatever it is; floats of labels in the file's own precision, others as float32.

    Raises:
        InputError: when it cannot be read.
    """
    stack = choose_channels(path, open_stack(path, wanted), channels)
    with _reading(path):
        pixels = load_small(path, _plain(path, stack.pixels, wanted))
        if stack.alpha:
            pixels = _without_alpha(path, pixels)
    samples = stack.samples and pixels.shape[0] == 3
    colour: Colour = "grey" if pixels.shape[0] == 1 else "rgb" if samples else "channels"
    return Picture(pixels, colour, stack.spacing, stack.unit, stack.orientation, stack.missing, stack.georeference)


def _plain(path: Path, pixels: Lazy, wanted: Wanted) -> Lazy:
    """Return contiguous pixels in native byte order; booleans become uint8, and floats float32.

    Floats of labels stay, as a cast could make other labels of them. Errors name the file.
    """
    kinds: dict[str, np.dtype[Any]] = {"b": np.dtype(np.uint8)}
    if wanted != "labels":
        kinds["f"] = np.dtype(np.float32)
    kind = kinds.get(pixels.dtype.kind, pixels.dtype.newbyteorder("="))

    def read(region: Region) -> np.ndarray:
        with _reading(path):
            return np.ascontiguousarray(pixels.read(region).astype(kind, copy=False))

    return Lazy(pixels.shape, kind, read, pixels.chunk)


def _possible(path: Path, spacing: tuple[float, ...] | None) -> tuple[float, ...] | None:
    """Return the distances of pixels, or None, and say so, where they cannot be those of a microscope."""
    if spacing is None or all(SMALLEST < step < LARGEST_STEP for step in spacing):
        return spacing
    shown = " x ".join(f"{step:g}" for step in spacing)
    remark_file(
        path,
        "which cannot be; their size is taken as unknown",
        f"says that its pixels are {shown} micrometres apart",
    )
    return None


def _without_alpha(path: Path, pixels: Pixels) -> Pixels:
    lows, highs = zip(*((block.min(), block.max()) for block in (pixels[r][-1] for r in iter_blocks(pixels, whole=1))))
    low, high = min(lows), max(highs)
    if low != high:
        raise InputError(
            f"{path}: its alpha channel varies ({low} to {high}), so its colours depend on a "
            "background; flatten the image and save it without transparency"
        )
    return take_first(pixels, pixels.shape[0] - 1)


def override_spacing(picture: Picture, pixel_size: Sequence[float] | None) -> Picture:
    """Replace the distance of pixels that the file states by this one, micrometres, if one is given.

    Raises:
        InputError: as ``pixel_sizes``.
    """
    if pixel_size is None:
        return picture
    return picture.redescribed(spacing=pixel_sizes(pixel_size, len(picture.space)), unit=MICROMETRE)
