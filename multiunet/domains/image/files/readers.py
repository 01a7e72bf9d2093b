"""Images and target images from files: PNG, TIFF (pages are a stack), JPEG, BMP, NIfTI, HDF5, Zarr."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import imagecodecs
import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError

from multiunet.domains.image.files import containers
from multiunet.domains.image.files.containers import split_place
from multiunet.domains.image.files.lazy import (
    BY_PARTS,
    Lazy,
    Pixels,
    Region,
    Summary,
    check_fits,
    format_shape,
    iter_blocks,
    load_small,
    map_values,
    summarise,
    take_first,
)
from multiunet.domains.image.files.listing import TIFF, ending_of
from multiunet.domains.image.files.tiff import Wanted, read_tiff
from multiunet.domains.image.files.units import MICROMETRE, pixel_sizes
from multiunet.domains.remarks import remark
from multiunet.errors import InputError

Colour = Literal["grey", "rgb", "channels"]

ORIENTATION = 0x0112
"""The EXIF tag that says how viewers turn an image; 1: not at all."""

LARGEST = 1e18
"""Intensities are below this: the square of a difference must be a finite float32."""


SMALLEST = 1e-9
"""Distances of pixels are above this and below its inverse, in micrometres."""


@dataclass(frozen=True)
class Picture:
    """What an image file holds.

    Attributes:
        pixels: ``(C, *space)`` in the file's own type; space is y, x or z, y, x. Of large ones only what is indexed is
            read.
        colour: ``rgb`` for three samples of one pixel, ``channels`` for other channels, ``grey`` for one.
        spacing: distance of neighbouring pixels by axis, and its unit; None where the file does not say.
    """

    pixels: Pixels
    colour: Colour
    spacing: tuple[float, ...] | None = None
    unit: str | None = None

    def redescribed(
        self, colour: Colour | None = None, spacing: tuple[float, ...] | None = None, unit: str | None = None
    ) -> Picture:
        """The same pixels with what is given in place of its own; what is known of their values stays known."""
        changed = replace(self, colour=colour or self.colour, spacing=spacing or self.spacing, unit=unit or self.unit)
        if "summary" in vars(self):
            vars(changed)["summary"] = self.summary
        return changed

    @cached_property
    def summary(self) -> Summary:
        """Mean, deviation and extremes of the pixels; reads them all."""
        return summarise(self.pixels)

    @property
    def space(self) -> tuple[int, ...]:
        """Pixels by axis."""
        return tuple(self.pixels.shape[1:])


def read_image(path: Path) -> Picture:
    """An image of numbers that are all finite; a constant alpha channel is dropped.

    Raises:
        InputError: when the file cannot be read, holds NaN, infinities or values beyond ``LARGEST``, or its alpha
            channel says something.
    """
    picture = read_file(path, "image")
    if picture.pixels.dtype.kind != "f":
        return picture
    _refuse_infinite(path, picture.summary, "scale or fill them")
    if picture.summary.nans:
        raise InputError(f"{path}: {picture.summary.nans} pixels are NaN; fill them, say, with the median")
    if max(-picture.summary.low, picture.summary.high) > LARGEST:
        raise InputError(f"{path}: holds values beyond {LARGEST:g}, whose spread 32 bits cannot hold; scale them")
    return picture


def read_target(path: Path, ignore_value: int | None = None) -> Picture:
    """An image of quantities to predict, float32; NaN means not measured.

    Args:
        ignore_value: the number that stands for not measured in this file; it becomes NaN.

    Raises:
        InputError: when the file cannot be read or holds infinities.
    """
    picture = read_file(path, "target")
    if picture.pixels.dtype.kind == "f":
        _refuse_infinite(path, picture.summary, "give finite numbers, or NaN where nothing is known")

    def known(block: np.ndarray) -> np.ndarray:
        numbers = block.astype(np.float32)
        return numbers if ignore_value is None else np.where(block == ignore_value, np.float32(np.nan), numbers)

    numbers = map_values(picture.pixels, known, np.float32)
    return Picture(numbers, picture.colour, picture.spacing, picture.unit)


def _refuse_infinite(path: Path, summary: Summary, fix: str) -> None:
    if summary.infinities:
        raise InputError(f"{path}: {summary.infinities} pixels are infinite; {fix}")


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turns what decoders raise into errors that name the file."""
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: {'holds no array' if split_place(path)[0].exists() else 'no such file'}") from None
    except IsADirectoryError:
        raise InputError(f"{path}: a folder, where a file is needed") from None
    except PermissionError:
        raise InputError(f"{path}: permission denied; make the file readable") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: not an image that can be read, whatever its name says; export it again") from None
    except tifffile.TiffFileError as error:
        raise InputError(f"{path}: not an image that can be read ({_short(error)}); export it again") from None
    except MemoryError:
        raise InputError(f"{path}: does not fit into memory; {BY_PARTS}") from None
    except Exception as error:  # decoders fail in ways of their own on damaged files
        raise InputError(f"{path}: damaged or cut short ({_short(error)}); copy or export it again") from None


def read_file(path: Path, wanted: Wanted) -> Picture:
    """What a file holds, whatever it is; floats of labels in the file's own precision, others as float32.

    Raises:
        InputError: when it cannot be read.
    """
    with _named(path):
        file, _ = split_place(path)
        ending = ending_of(file.name)
        if not file.exists():
            raise FileNotFoundError
        if file.is_file() and not file.stat().st_size:
            raise InputError(f"{path}: an empty file; copy or export it again")
        if ending in TIFF or ending in containers.READERS:
            stack = read_tiff(path, wanted) if ending in TIFF else containers.READERS[ending](path, wanted)
            found, spacing = stack.pixels, _possible(path, stack.spacing)
            samples, alpha = stack.samples, stack.alpha
            unit = None if spacing is None else stack.unit
        else:
            found, spacing, unit = Lazy.of(_read_flat(path, wanted)), None, None
            samples, alpha = found.shape[0] > 1, found.shape[0] in (2, 4)
        if not found.size:
            raise InputError(f"{path}: an image without pixels")
        if found.dtype.kind not in "buif":
            raise InputError(f"{path}: pixels of type {found.dtype}; give integers or floats")
        pixels = load_small(path, _plain(path, found, wanted))
        if alpha:
            pixels = _without_alpha(path, pixels)
    colour: Colour = "grey" if pixels.shape[0] == 1 else "rgb" if samples and pixels.shape[0] == 3 else "channels"
    return Picture(pixels, colour, spacing, unit)


def _plain(path: Path, pixels: Lazy, wanted: Wanted) -> Lazy:
    """In native byte order, contiguous; booleans as uint8, floats as float32, but for labels, of which a cast could
    make others. Errors name the file."""
    kinds: dict[str, np.dtype[Any]] = {"b": np.dtype(np.uint8)}
    if wanted != "labels":
        kinds["f"] = np.dtype(np.float32)
    kind = kinds.get(pixels.dtype.kind, pixels.dtype.newbyteorder("="))

    def read(region: Region) -> np.ndarray:
        with _named(path):
            return np.ascontiguousarray(pixels.read(region).astype(kind, copy=False))

    return Lazy(pixels.shape, kind, read, pixels.chunk)


def _read_flat(path: Path, wanted: Wanted) -> np.ndarray:
    data = path.read_bytes()
    with allow_any_size(), Image.open(io.BytesIO(data)) as opened:
        deep = data[1:4] == b"PNG" and data[24:25] == b"\x10"
        channels = len(opened.getbands()) * (2 if deep else 1)
        # what is decoded, its copy as an array, and that with channels first
        check_fits(path, f"an image of {format_shape(opened.size[::-1])}", 3 * math.prod(opened.size) * channels)
        if deep and data[25:26] != b"\x00":
            # 16-bit colours, which Pillow would cut to 8
            return np.moveaxis(imagecodecs.png_decode(data), -1, 0)
        opened.load()
        image: Image.Image = opened
        if opened.getexif().get(ORIENTATION, 1) != 1:
            remark(f"{path}: its EXIF data say that viewers turn it; here it is as stored, and so must its mask be")
        if image.mode == "P" and wanted != "labels":
            image = image.convert("RGBA" if "transparency" in image.info else "RGB")
        if image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
            image = image.convert("RGB")
        pixels = np.array(image)
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)


@contextmanager
def allow_any_size() -> Iterator[None]:
    """Pillow refuses images beyond a number of pixels, whatever the memory; the memory is what is asked here."""
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _possible(path: Path, spacing: tuple[float, ...] | None) -> tuple[float, ...] | None:
    """Distances of pixels, or None where they cannot be those of a microscope."""
    if spacing is None or all(SMALLEST < step < 1 / SMALLEST for step in spacing):
        return spacing
    shown = " x ".join(f"{step:g}" for step in spacing)
    remark(
        f"{path}: says that its pixels are {shown} micrometres apart, which cannot be; their size is taken as unknown"
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


def _short(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) < 120 else text[:117] + "..."


def override_spacing(picture: Picture, pixel_size: Sequence[float] | None) -> Picture:
    """The picture with this distance of pixels, micrometres, in place of the file's, if one is given.

    Raises:
        InputError: as ``pixel_sizes``.
    """
    if pixel_size is None:
        return picture
    return picture.redescribed(spacing=pixel_sizes(pixel_size, len(picture.space)), unit=MICROMETRE)
