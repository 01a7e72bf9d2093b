"""PNG, JPEG and BMP: one image a file."""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image, UnidentifiedImageError

from multiunet.domains.expansion import check_promise
from multiunet.domains.image.files.lazy import Lazy, check_fits, format_shape
from multiunet.domains.image.files.orientation import ORIENTATION, turn_upright
from multiunet.domains.image.files.stack import Stack, Wanted
from multiunet.domains.remarks import remark_file
from multiunet.errors import InputError

FLAT = (".png", ".jpg", ".jpeg", ".bmp")

KINDS = ("PNG", "JPEG", "BMP")
"""What is read, as Pillow calls it, whatever a file is called: others of its decoders run programs (EPS)."""

PNG = b"\x89PNG\r\n\x1a\n"

OBEYED = (b"tRNS", b"eXIf")
"""Chunks of PNG that are read, beside the critical ones, whose names begin with a capital."""

HEADER = ((16, 4), (20, 4), (24, 1), (25, 1))
"""Places and bytes of width, height, bits of a sample and kind of colour in a PNG, whose first chunk is IHDR."""

SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Of a pixel, by the kind of colour of a PNG."""

LOSSY = "JPEG changes values near edges, so labels are lost; save masks as PNG or TIFF"


def read_flat(path: Path, wanted: Wanted) -> Stack:
    """Read an image, turned as viewers show it.

    A palette gives the colours of images and the indices of labels.

    Raises:
        InputError: when it is damaged, cut short or an animation, or labels are compressed as JPEG.
    """
    pixels, orientation = _decode(path, wanted)
    upright = turn_upright(path, Lazy.of(pixels), orientation)
    return Stack(upright, len(pixels) > 1, None, None, alpha=len(pixels) in (2, 4))


def _decode(path: Path, wanted: Wanted) -> tuple[np.ndarray, object]:
    """Return the pixels ``(C, y, x)`` as stored, and the value of the orientation tag."""
    data = path.read_bytes()
    if data.startswith(PNG):
        _check_png(path, data)
    with allow_any_size(), _identified(path), Image.open(io.BytesIO(data), formats=KINDS) as image:
        deep = data.startswith(PNG) and data[24] == 16
        channels = len(image.getbands()) * (2 if deep else 1)
        # what is decoded, its copy as an array, and that with channels first
        check_fits(path, f"an image of {format_shape(image.size[::-1])}", 3 * math.prod(image.size) * channels)
        _check_single(path, image)
        if wanted == "labels" and image.format in ("JPEG", "MPO"):
            raise InputError(f"{path}: {LOSSY}")
        image.load()
        orientation = image.getexif().get(ORIENTATION, 1)
        if deep and data[25] != 0:
            # 16-bit colours, which Pillow would cut to 8
            return np.moveaxis(imagecodecs.png_decode(data), -1, 0), orientation
        pixels = np.array(_as_colours(image, wanted))
    return (pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)), orientation


def _as_colours(image: Image.Image, wanted: Wanted) -> Image.Image:
    """Convert palettes and other models of colour to grey or red, green and blue, with opacity where it is stated."""
    if wanted != "labels" and image.mode == "P":
        return image.convert("RGBA" if "transparency" in image.info else "RGB")
    if wanted != "labels" and image.mode in ("L", "RGB") and "transparency" in image.info:
        return image.convert("LA" if image.mode == "L" else "RGBA")
    return image.convert("RGB") if image.mode in ("CMYK", "YCbCr", "LAB", "HSV") else image


def _check_single(path: Path, image: Image.Image) -> None:
    """Check that a file holds one image; pictures that cameras add to a JPEG are said."""
    count = getattr(image, "n_frames", 1)
    if count > 1 and image.format == "MPO":
        remark_file(path, f"holds {count} images, of which the first is read")
    elif count > 1:
        raise InputError(f"{path}: an animation of {count} images; save each as a file, or all as a TIFF stack")


def _check_png(path: Path, data: bytes) -> None:
    """Check that all chunks are there and have their checksums, which Pillow does not ask for.

    Raises:
        InputError: when it is damaged or cut short.
    """
    place, name, stored = len(PNG), b"", 0
    while name != b"IEND":
        length, name = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        end = place + 12 + length
        if end > len(data):
            raise InputError(f"{path}: cut short: it ends after {len(data):,} bytes; copy or export it again")
        checked = zlib.crc32(memoryview(data)[place + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big")
        if not checked and (name[:1].isupper() or name in OBEYED):
            raise InputError(f"{path}: damaged: its checksum is wrong at byte {place:,}; copy or export it again")
        stored += length if name == b"IDAT" else 0
        place = end
    width, height, bits, colour = (int.from_bytes(data[at : at + size], "big") for at, size in HEADER)
    check_promise(
        path, f"an image of {height:,} x {width:,}", stored, height * (1 + width * bits * SAMPLES.get(colour, 1) // 8)
    )


@contextmanager
def _identified(path: Path) -> Iterator[None]:
    try:
        yield
    except UnidentifiedImageError:
        raise InputError(f"{path}: not an image that can be read, whatever its name says; export it again") from None


@contextmanager
def allow_any_size() -> Iterator[None]:
    """Lift Pillow's limit on the number of pixels; ``check_fits`` asks the memory instead."""
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit
