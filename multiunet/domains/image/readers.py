"""Images, masks and target images from files: PNG, TIFF (pages are a stack), JPEG, BMP, NIfTI, HDF5, Zarr."""

from __future__ import annotations

import glob
import io
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import imagecodecs
import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError

from multiunet.domains.image import containers
from multiunet.domains.image.pairs import is_table, read_pairs
from multiunet.domains.image.tiff import read_tiff
from multiunet.errors import InputError

TIFF = (".tif", ".tiff")
SUFFIXES = (".png", *TIFF, ".jpg", ".jpeg", ".bmp", *containers.READERS)
MOST_CLASSES = 256

Colour = Literal["grey", "rgb", "channels"]

LARGEST = 1e18
"""Intensities are below this: the square of a difference must be a finite float32."""


@dataclass(frozen=True)
class Picture:
    """What an image file holds.

    Attributes:
        pixels: ``(C, *space)`` in the file's own type; space is y, x or z, y, x.
        colour: ``rgb`` for three samples of one pixel, ``channels`` for other channels, ``grey`` for one.
        spacing: distance of neighbouring pixels by axis, and its unit; None where the file does not say.
    """

    pixels: np.ndarray
    colour: Colour
    spacing: tuple[float, ...] | None = None
    unit: str | None = None

    @property
    def space(self) -> tuple[int, ...]:
        """Pixels by axis."""
        return tuple(self.pixels.shape[1:])


def list_images(where: Path) -> dict[str, Path]:
    """The image files of a folder, of a glob pattern, of a CSV, or one file, by stem, sorted.

    Raises:
        InputError: when there is none, or two have the same stem.
    """
    if is_table(where):
        return by_stem(row.image for row in read_pairs(where))
    if _is_image(where) or where.is_file():
        found = [where]
    elif where.is_dir():
        found = [path for path in where.iterdir() if _is_image(path) and not path.name.startswith(".")]
        found = found or [path for path in where.iterdir() if path.is_file()]
    else:
        found = [Path(name) for name in glob.glob(str(where)) if _is_image(Path(name)) or Path(name).is_file()]
        if not found:
            raise InputError(f"{where}: no such file or folder, and as a pattern it matches no file")
    known = sorted(path for path in found if _is_image(path))
    if not known:
        others = sorted({path.suffix or path.name for path in found})
        there = f"it holds {', '.join(others[:5])}" if others else "it is empty"
        raise InputError(f"{where}: no image here ({there}); known are {', '.join(SUFFIXES)}")
    return by_stem(known)


def stem_of(name: str) -> str:
    """A file's name without what says its format: ``a.png`` and ``a.ome.tif`` are both ``a``."""
    ending = _ending(name)
    return name if ending is None else Path(name).name[: -len(ending)].removesuffix(".ome")


def _ending(name: str) -> str | None:
    """Which of ``SUFFIXES`` a name ends in."""
    return next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), None)


def _is_image(path: Path) -> bool:
    """Whether the name says so; Zarr is a folder, all others are files."""
    ending = _ending(path.name)
    return path.is_dir() if ending == ".zarr" else ending is not None and path.is_file()


def by_stem(paths: Iterable[Path]) -> dict[str, Path]:
    """Files by stem.

    Raises:
        InputError: when two have the same.
    """
    stems: dict[str, Path] = {}
    for path in paths:
        stem = stem_of(path.name)
        if stem in stems:
            raise InputError(f"{path} and {stems[stem]} have the same name but for the suffix; keep one of them")
        stems[stem] = path
    return stems


def read_image(path: Path) -> Picture:
    """An image of numbers that are all finite; a constant alpha channel is dropped.

    Raises:
        InputError: when the file cannot be read, or holds NaN, or its alpha channel says something.
    """
    picture = _read(path, indexed=False)
    _refuse_infinite(path, picture.pixels)
    if picture.pixels.dtype.kind == "f" and np.nanmax(np.abs(picture.pixels), initial=0) > LARGEST:
        raise InputError(f"{path}: holds values beyond {LARGEST:g}, whose spread 32 bits cannot hold; scale them")
    bad = np.count_nonzero(np.isnan(picture.pixels)) if picture.pixels.dtype.kind == "f" else 0
    if bad:
        raise InputError(f"{path}: {bad} pixels are NaN; fill them (say, with the median) before training")
    return picture


def read_target(path: Path) -> Picture:
    """An image of quantities to predict, float32; NaN means not measured.

    Raises:
        InputError: when the file cannot be read or holds infinities.
    """
    picture = _read(path, indexed=False)
    _refuse_infinite(path, picture.pixels)
    return Picture(picture.pixels.astype(np.float32), picture.colour, picture.spacing, picture.unit)


class ColouredMask(InputError):
    """A mask whose channels differ, read as if it held one number a pixel."""


def read_mask(path: Path, coloured: bool = False, numbered: bool = False) -> np.ndarray:
    """The labels of an index image, integers ``space``.

    Args:
        coloured: the masks are painted: a label is a colour, ``65536 red + 256 green + blue``; a grey is one, too.
        numbered: the masks number their objects, so there may be any number of values.

    Raises:
        ColouredMask: for an image in 8-bit colours, if it may not be.
        InputError: when the file cannot be read, is lossy, of floats or other channels, or looks like a photograph.
    """
    if path.suffix.lower() in (".jpg", ".jpeg"):
        raise InputError(f"{path}: JPEG changes values near edges, so labels are lost; save masks as PNG or TIFF")
    pixels = _read(path, indexed=True).pixels
    if pixels.dtype.kind == "f":
        raise InputError(
            f"{path}: a mask of {pixels.dtype}; save labels as integers, or use --task regression --targets"
        )
    if coloured and (pixels.dtype != np.uint8 or pixels.shape[0] not in (1, 3)):
        raise InputError(f"{path}: {pixels.shape[0]} channels of {pixels.dtype}, but other masks are in 8-bit colours")
    if not coloured and not is_grey(pixels):
        kind = ColouredMask if pixels.shape[0] == 3 and pixels.dtype == np.uint8 else InputError
        raise kind(
            f"{path}: a mask with {pixels.shape[0]} different channels of {pixels.dtype}; save one integer for each "
            "pixel (0, 1, 2, ...), or 8-bit colours"
        )
    labels: np.ndarray = packed(pixels) if coloured else pixels[0]
    if labels.dtype == np.uint64 and labels.max() > np.iinfo(np.int64).max:
        raise InputError(f"{path}: holds the value {labels.max()}; mask values must fit 64-bit signed integers")
    values = np.unique(labels)
    changes = np.mean(labels[..., 1:] != labels[..., :-1]) if labels.shape[-1] > 1 else 0.0
    if (len(values) > MOST_CLASSES and not numbered) or (len(values) > 16 and changes > 0.5):
        raise InputError(
            f"{path}: {len(values)} different values ({values[0]} to {values[-1]}) look like an image, not like labels "
            f"of at most {MOST_CLASSES} classes; are --images and --masks swapped? Numbered objects need --instances"
        )
    return labels


def packed(colours: np.ndarray) -> np.ndarray:
    """Colours ``(3, *space)``, or greys ``(1, *space)``, 8 bits a channel, as one integer a pixel."""
    red, green, blue = np.broadcast_to(colours, (3, *colours.shape[1:])).astype(np.int64)
    whole: np.ndarray = (red << 16) | (green << 8) | blue
    return whole


def unpacked(labels: np.ndarray) -> np.ndarray:
    """The colours ``(*space, 3)`` that ``packed`` took."""
    return np.stack([(labels >> shift) & 255 for shift in (16, 8, 0)], axis=-1).astype(np.uint8)


def colour_name(label: int) -> str:
    """``#rrggbb``."""
    return f"#{label:06x}"


def is_grey(pixels: np.ndarray) -> bool:
    """Whether all channels ``(C, *space)`` are equal."""
    return bool((pixels[1:] == pixels[:1]).all())


def _refuse_infinite(path: Path, pixels: np.ndarray) -> None:
    if pixels.dtype.kind == "f" and np.isinf(pixels).any():
        raise InputError(
            f"{path}: {np.count_nonzero(np.isinf(pixels))} pixels are infinite; give finite numbers or NaN"
        )


def _read(path: Path, indexed: bool) -> Picture:
    """``indexed``: labels are wanted, as the indices of a palette image are, in place of its colours."""
    try:
        ending = _ending(path.name)
        if not path.exists():
            raise FileNotFoundError
        if ending in TIFF or ending in containers.READERS:
            stack = read_tiff(path) if ending in TIFF else containers.READERS[ending](path, indexed)
            pixels, samples, spacing, unit = stack.pixels, stack.samples, stack.spacing, stack.unit
        else:
            pixels, spacing, unit = _read_flat(path, indexed), None, None
            samples = pixels.shape[0] > 1
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except PermissionError:
        raise InputError(f"{path}: may not be read; change its permissions") from None
    except (UnidentifiedImageError, tifffile.TiffFileError) as error:
        raise InputError(f"{path}: not an image that can be read ({_short(error)}); export it again") from None
    except Image.DecompressionBombError:
        raise InputError(f"{path}: too large for its format; convert it to TIFF") from None
    except Exception as error:  # decoders fail in ways of their own on damaged files
        raise InputError(f"{path}: damaged or cut short ({_short(error)}); copy or export it again") from None
    if not pixels.size:
        raise InputError(f"{path}: an image without pixels")
    if pixels.dtype.kind not in "buif":
        raise InputError(f"{path}: pixels of type {pixels.dtype}; give integers or floats")
    pixels = _settled(pixels)
    if samples and pixels.shape[0] in (2, 4):
        pixels = _without_alpha(path, pixels)
    colour: Colour = "grey" if pixels.shape[0] == 1 else "rgb" if samples and pixels.shape[0] == 3 else "channels"
    return Picture(pixels, colour, spacing, unit)


def _read_flat(path: Path, indexed: bool) -> np.ndarray:
    data = path.read_bytes()
    if data[1:4] == b"PNG" and data[24:25] == b"\x10" and data[25:26] != b"\x00":
        # 16-bit colours, which Pillow would cut to 8
        return np.moveaxis(imagecodecs.png_decode(data), -1, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(data)) as opened:
            opened.load()
            image: Image.Image = opened
            if image.mode == "P" and not indexed:
                image = image.convert("RGBA" if "transparency" in image.info else "RGB")
            if image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
                image = image.convert("RGB")
            pixels = np.array(image)
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)


def _settled(pixels: np.ndarray) -> np.ndarray:
    """In native byte order, contiguous; booleans as uint8, half and double floats as float32."""
    if pixels.dtype.kind == "b":
        return np.ascontiguousarray(pixels.astype(np.uint8))
    if pixels.dtype.kind == "f":
        return np.ascontiguousarray(pixels.astype(np.float32))
    return np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder("=")))


def _without_alpha(path: Path, pixels: np.ndarray) -> np.ndarray:
    alpha = pixels[-1]
    if alpha.min() != alpha.max():
        raise InputError(
            f"{path}: its alpha channel varies ({alpha.min()} to {alpha.max()}), so its colours depend on a "
            "background; flatten the image and save it without transparency"
        )
    return pixels[:-1]


def _short(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) < 120 else text[:117] + "..."
