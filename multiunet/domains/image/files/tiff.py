"""TIFF files: axes, colours, orientation; the rest is in ``tiff_spacing`` and ``tiff_structure``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray
from tifffile import COMPRESSION, PHOTOMETRIC

from multiunet.domains.entities import check_entities
from multiunet.domains.image.files.arrays import parse_number
from multiunet.domains.image.files.flat import LOSSY
from multiunet.domains.image.files.geotiff import read_georeference
from multiunet.domains.image.files.lazy import WHOLE, Lazy, Region
from multiunet.domains.image.files.orientation import turn_spacing, turn_upright
from multiunet.domains.image.files.places import split_place
from multiunet.domains.image.files.stack import Stack, Wanted
from multiunet.domains.image.files.tiff_channels import read_names
from multiunet.domains.image.files.tiff_spacing import read_spacing
from multiunet.domains.image.files.tiff_structure import check_planes, check_structure
from multiunet.domains.image.files.tiff_times import choose_time, count_times
from multiunet.domains.image.files.units import MICROMETRE
from multiunet.domains.remarks import remark_file
from multiunet.errors import InputError

ALPHA = (1, 2)
"""Extra samples of TIFF that are opacity; any others are channels."""

NODATA = 42113
"""Tag of the number that stands for not measured, as text (GDAL)."""

SECTIONS = "ZIQ"
"""Axes of sections: stated as such, or pages of no stated meaning."""

JPEG = (COMPRESSION.OJPEG, COMPRESSION.JPEG)

MODELS = (PHOTOMETRIC.SEPARATED, PHOTOMETRIC.YCBCR, PHOTOMETRIC.CIELAB, PHOTOMETRIC.ICCLAB, PHOTOMETRIC.ITULAB)
"""Models of colour other than grey and red, green, blue."""


def open_tiff(path: Path) -> tifffile.TiffFile:
    """Open a file; of an image that lies in several files (OME), what lies in this one."""
    return tifffile.TiffFile(path, _multifile=False)


def read_tiff(path: Path, wanted: Wanted) -> Stack:
    """Read the one image or stack of a file, turned as viewers show it. Pages are sections (z).

    Of several points in time, ``FILE.tif:/t3`` names one.

    Raises:
        InputError: when the file is cut short, holds several images of different shapes, or more axes than z, y, x and
            channels.
    """
    file, time = split_place(path)
    orientation = _common_orientation(path, check_structure(file))
    with open_tiff(file) as tif:
        for tag in tif.pages.first.tags:
            check_entities(path, tag.value)
        series = tif.series[0]
        page = series.keyframe
        check_planes(file, tif)
        _warn_of_meaning(path, tif)
        if wanted == "labels" and page.compression in JPEG:
            raise InputError(f"{path}: {LOSSY}")
        pages = _as_sections(file, tif)
        axes, pixels = ("ZYX", pages) if pages is not None else (series.axes, _read(file, series))
        pixels, axes = _order(path, *choose_time(file, time, axes, pixels))
        sections = [axis for axis in axes if axis not in "YXSC"]
        space = 3 if sections else 2
        spacing, unit = read_spacing(path, tif, bool(sections))
        alpha = any(extra in ALPHA for extra in page.extrasamples[-1:])
        missing = parse_number(page.tags.valueof(NODATA))
        georeference = None if sections or orientation != 1 else read_georeference(path, page)
        names = read_names(tif, math.prod(pixels.shape[:-space]))
        palette = None if wanted == "labels" else page.colormap
        coloured = page.photometric not in MODELS or (
            page.photometric == PHOTOMETRIC.YCBCR and page.compression in JPEG
        )
    samples = "S" in axes and "C" not in axes
    if samples and not coloured:
        remark_file(path, f"its colours are {page.photometric.name}, not RGB; they are read as channels, as stored")
    if palette is not None and pixels.ndim == space and pixels.dtype.kind == "u":
        pixels, samples, alpha = _coloured(pixels, tiff_palette(palette)), True, False
    elif pixels.ndim == space:
        pixels, alpha = pixels.add_channel(), False
    elif pixels.ndim > space + 1:  # channels of samples: not worth reading by parts
        pixels = Lazy.of(pixels[...].reshape(-1, *pixels.shape[-space:]))
    upright = turn_upright(path, pixels, orientation)
    spacing, alpha = turn_spacing(spacing, orientation), samples and alpha
    if georeference is not None and spacing is None:
        spacing = georeference.pixel_size()
        unit = None if spacing is None else MICROMETRE
    names = names if names is not None and len(names) == upright.shape[0] else None
    return Stack(
        upright,
        samples and coloured,
        spacing,
        unit,
        alpha,
        missing=missing,
        names=names,
        georeference=georeference,
    )


def _common_orientation(path: Path, orientations: Sequence[int]) -> int:
    """Return the orientation of all pages.

    Raises:
        InputError: when they differ.
    """
    found = sorted(set(orientations)) or [1]
    if len(found) > 1:
        raise InputError(
            f"{path}: its pages are turned in different ways (orientation tags {found}); save them upright"
        )
    return found[0]


def _warn_of_meaning(path: Path, tif: tifffile.TiffFile) -> None:
    """Warn of pages and values that are not what they seem."""
    if tif.is_ome and tif.series[0].kind != "ome" and len(tif.pages) > 1:
        remark_file(
            path,
            f"is one of several files of an image (OME); its own {len(tif.pages)} pages are taken for "
            "sections of a volume; if they are channels or times, export it as one file",
        )
    if tif.series[0].keyframe.photometric == PHOTOMETRIC.MINISWHITE:
        remark_file(
            path,
            "says that 0 is white (WhiteIsZero), so viewers show it inverted; its numbers are read as they "
            "are stored: invert it if other images are stored the other way",
        )
    facts = tif.imagej_metadata or {}
    if tif.is_imagej and (facts.get("c0", 0), facts.get("c1", 1)) != (0, 1):
        remark_file(path, f"ImageJ's calibration of its values ({facts.get('vunit', 'c0, c1')}) is not applied")


def _order(path: Path, axes: str, pixels: Lazy) -> tuple[Lazy, str]:
    """Return pixels in the order channels, samples, sections, y, x, and the axes that there are.

    Raises:
        InputError: for other axes, or more.
    """
    axes, pixels = _squeeze(axes, pixels)
    sections = [axis for axis in axes if axis not in "YXSC"]
    if len(sections) > 1 or not {"Y", "X"} <= set(axes):
        raise InputError(f"{path}: axes {axes} {pixels.shape}; needed are y, x, maybe channels, and at most z")
    _warn_of_axis(path, "".join(sections))
    found = [axis for axis in (*"CS", *sections, "Y", "X") if axis in axes]
    return pixels.transpose([axes.index(axis) for axis in found]), "".join(found)


def _warn_of_axis(path: Path, axis: str) -> None:
    """Warn of an axis that is read as sections, though the file says that it is something else."""
    if axis and axis not in SECTIONS:
        remark_file(path, f"its pages are an axis {axis}, as it states; they are read as the sections (z) of a volume")


def _as_sections(path: Path, tif: tifffile.TiffFile) -> Lazy | None:
    """Join pages that were saved as images of their own, but are alike, as the sections ``(z, y, x)`` of one volume.

    Returns:
        None of a single image.

    Raises:
        InputError: when they are not alike, or OME names them as images.
    """
    series: Sequence[Any] = tif.series
    if len(series) == 1:
        return None
    one = series[0]
    if one.kind == "ome" or any(
        (other.axes, other.shape, other.dtype, len(other)) != ("YX", one.shape, one.dtype, 1) for other in series
    ):
        shapes = ", ".join(str(other.shape) for other in series)
        raise InputError(f"{path}: holds {len(series)} images ({shapes}); save one a file")

    def read(region: Region) -> np.ndarray:
        with open_tiff(path) as tif:
            pages = [tif.series[index].asarray()[region[1:]] for index in range(region[0].start, region[0].stop)]
            return np.stack(pages)

    return Lazy((len(series), *one.shape), np.dtype(one.dtype), read, (1, *one.shape))


def _coloured(indices: Lazy, palette: NDArray[np.uint8]) -> Lazy:
    """Look up the colours ``(3, *space)`` of indices ``space``."""

    def read(region: Region) -> np.ndarray:
        colours: np.ndarray = np.moveaxis(palette[indices.read(region[1:])], -1, 0)[region[0]]
        return colours

    return Lazy((3, *indices.shape), palette.dtype, read, (3, *indices.chunk))


def tiff_palette(colormap: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Return a palette ``(n, 3)`` of 8 bits from TIFF's ``(3, n)`` of 16."""
    colours: NDArray[np.uint8] = (colormap.T >> 8).astype(np.uint8)
    return colours


def _read(path: Path, series: Any) -> Lazy:
    """Read a series: small ones in one piece, as one strip or tile after the other is slower; others by windows.

    Times are read by windows, too, as each is an image of its own.
    """
    shape, dtype = tuple(series.shape), np.dtype(series.dtype)
    if series.size <= WHOLE and count_times(series) == 1:
        return Lazy(shape, dtype, lambda region: _decode(path)[region], shape)
    if series.dataoffset is not None:  # plain numbers, one after the other: any row is found by counting
        kind = dtype.newbyteorder(series.keyframe.parent.byteorder)

        def read(region: Region) -> np.ndarray:
            # mapped anew each time: pages that stay mapped count as memory
            return np.array(np.memmap(path, kind, "r", series.dataoffset, shape)[region])

        return Lazy(shape, dtype, read, (*(1,) * (len(shape) - 1), shape[-1]))
    # a handle of its own, that stays open as long as the array
    array = zarr.open_array(open_tiff(path).series[0].aszarr(level=0), mode="r")
    return Lazy(shape, dtype, lambda region: np.asarray(array[region]), array.chunks)


def _decode(path: Path) -> np.ndarray:
    with open_tiff(path) as tif:
        values: np.ndarray = tif.series[0].asarray()
        return values


def _squeeze(axes: str, pixels: Lazy) -> tuple[str, Lazy]:
    """Drop axes of length 1, but for y and x."""
    dropped = tuple(i for i, axis in enumerate(axes) if pixels.shape[i] == 1 and axis not in "YX")
    return "".join(axis for i, axis in enumerate(axes) if i not in dropped), pixels.squeeze(dropped)
