"""TIFF: which axis is which, and how far apart pixels are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

from multiunet.domains.image.files.lazy import WHOLE, Lazy, Region
from multiunet.domains.image.files.units import MICROMETRE, micrometres
from multiunet.domains.remarks import remark
from multiunet.errors import InputError

Wanted = Literal["image", "labels", "target"]
"""What a file is read for: of a palette, labels are the indices; of several arrays, each has names of its own."""

ALPHA = (1, 2)
"""Extra samples of TIFF that are opacity; any others are channels."""


@dataclass(frozen=True)
class Stack:
    """A file's pixels ``(C, *space)``, and what they are.

    Attributes:
        samples: whether its channels are samples of one pixel.
        spacing: the pixels' distances as the file has them: not checked.
        alpha: whether the last sample is opacity.
    """

    pixels: Lazy
    samples: bool
    spacing: tuple[float, ...] | None
    unit: str | None
    alpha: bool = False


def open_tiff(path: Path) -> tifffile.TiffFile:
    """The file, to be closed. Of an image that lies in several files (OME), it holds what lies in this one."""
    return tifffile.TiffFile(path, _multifile=False)


def read_tiff(path: Path, wanted: Wanted) -> Stack:
    """The one image or stack of a TIFF file. Pages are sections (z), also where the file calls them times or nothing.

    Raises:
        InputError: when the file holds several images of different shapes, or more axes than z, y, x and channels.
    """
    with open_tiff(path) as tif:
        series = tif.series[0]
        _tell_of(path, tif)
        pages = _as_sections(path, tif.series)
        axes, pixels = ("ZYX", pages) if pages is not None else _squeezed(series.axes, _read(path, series))
        sections = [axis for axis in axes if axis not in "YXSC"]
        if len(sections) > 1 or not {"Y", "X"} <= set(axes):
            raise InputError(f"{path}: axes {axes} {pixels.shape}; needed are y, x, maybe channels, and at most z")
        order = [axes.index(axis) for axis in (*"CS", *sections, "Y", "X") if axis in axes]
        pixels = pixels.transpose(order)
        space = 3 if sections else 2
        spacing, unit = _spacing(path, tif, bool(sections))
        alpha = any(extra in ALPHA for extra in series.keyframe.extrasamples[-1:])
        palette = None if wanted == "labels" else series.keyframe.colormap
    samples = "S" in axes and "C" not in axes
    if palette is not None and pixels.ndim == space and pixels.dtype.kind == "u":
        return Stack(_coloured(pixels, tiff_palette(palette)), True, spacing, unit)
    if pixels.ndim == space:
        return Stack(pixels.add_channel(), samples, spacing, unit)
    if pixels.ndim > space + 1:  # channels of samples: not worth reading by parts
        pixels = Lazy.of(pixels[...].reshape(-1, *pixels.shape[-space:]))
    return Stack(pixels, samples, spacing, unit, samples and alpha)


def _tell_of(path: Path, tif: tifffile.TiffFile) -> None:
    """Remarks on pages that are not what they seem."""
    if tif.is_ome and tif.series[0].kind != "ome" and len(tif.pages) > 1:
        remark(
            f"{path}: is one of several files of an image (OME); its own {len(tif.pages)} pages are taken for "
            "sections of a volume; if they are channels or times, export it as one file"
        )
    if tif.series[0].keyframe.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        remark(
            f"{path}: says that 0 is white (WhiteIsZero), so viewers show it inverted; its numbers are read as they "
            "are stored: invert it if other images are stored the other way"
        )


def _as_sections(path: Path, series: Sequence[Any]) -> Lazy | None:
    """Pages that were saved as images of their own but are alike, as the sections ``(z, y, x)`` of one volume; None of
    a single image.

    Raises:
        InputError: when they are not alike.
    """
    if len(series) == 1:
        return None
    first = series[0]
    if any((one.axes, one.shape, one.dtype, len(one)) != ("YX", first.shape, first.dtype, 1) for one in series):
        shapes = ", ".join(str(one.shape) for one in series)
        raise InputError(f"{path}: holds {len(series)} images ({shapes}); save one a file")

    def read(region: Region) -> np.ndarray:
        with open_tiff(path) as tif:
            pages = [tif.series[index].asarray()[region[1:]] for index in range(region[0].start, region[0].stop)]
            return np.stack(pages)

    return Lazy((len(series), *first.shape), np.dtype(first.dtype), read, (1, *first.shape))


def _coloured(indices: Lazy, palette: NDArray[np.uint8]) -> Lazy:
    """The colours ``(3, *space)`` of indices ``space``."""

    def read(region: Region) -> np.ndarray:
        colours: np.ndarray = np.moveaxis(palette[indices.read(region[1:])], -1, 0)[region[0]]
        return colours

    return Lazy((3, *indices.shape), palette.dtype, read, (3, *indices.chunk))


def tiff_palette(colormap: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """A palette ``(n, 3)`` of 8 bits from TIFF's ``(3, n)`` of 16."""
    colours: NDArray[np.uint8] = (colormap.T >> 8).astype(np.uint8)
    return colours


def _read(path: Path, series: Any) -> Lazy:
    """The series: small ones at once, as one strip or tile after the other is slower; others when they are read."""
    shape, dtype = tuple(series.shape), np.dtype(series.dtype)
    if series.size <= WHOLE:
        return Lazy.of(series.asarray())
    if series.dataoffset is not None:  # plain numbers, one after the other: any row is found by counting
        kind = dtype.newbyteorder(series.keyframe.parent.byteorder)

        def read(region: Region) -> np.ndarray:
            # mapped anew each time: pages that stay mapped count as memory
            return np.array(np.memmap(path, kind, "r", series.dataoffset, shape)[region])

        return Lazy(shape, dtype, read, (*(1,) * (len(shape) - 1), shape[-1]))
    # a handle of its own, that stays open as long as the array
    array = zarr.open_array(open_tiff(path).series[0].aszarr(level=0), mode="r")
    return Lazy(shape, dtype, lambda region: np.asarray(array[region]), array.chunks)


def _squeezed(axes: str, pixels: Lazy) -> tuple[str, Lazy]:
    """Without axes of one site, but for y and x."""
    dropped = tuple(i for i, axis in enumerate(axes) if pixels.shape[i] == 1 and axis not in "YX")
    return "".join(axis for i, axis in enumerate(axes) if i not in dropped), pixels.squeeze(dropped)


Spacing = tuple[float | None, float, float]
"""Micrometres along z, y and x; None where the file does not say how far apart sections are."""


def _spacing(path: Path, tif: tifffile.TiffFile, stack: bool) -> tuple[tuple[float, ...] | None, str | None]:
    """Distances in micrometres by axis, as the microscope's program or ImageJ wrote them; the resolution of plain TIFF
    is a printer's."""
    found = _ome_spacing(tif.ome_metadata) if tif.ome_metadata else _microscope_spacing(tif) or _imagej_spacing(tif)
    if found is None:
        return None, None
    z, y, x = found
    if not stack:
        return (y, x), MICROMETRE
    if z is None:
        remark(
            f"{path}: says how large pixels are, but not how far apart sections; their size is unknown unless "
            "--pixel-size says it"
        )
        return None, None
    return (z, y, x), MICROMETRE


def _ome_spacing(xml: str) -> Spacing | None:
    pixels = next((e for e in ElementTree.fromstring(xml).iter() if e.tag.endswith("}Pixels")), None)
    sizes: dict[str, float] = {}
    for axis in "ZYX":
        value = None if pixels is None else pixels.get(f"PhysicalSize{axis}")
        unit = micrometres(MICROMETRE if pixels is None else pixels.get(f"PhysicalSize{axis}Unit", MICROMETRE))
        if value is not None and unit is not None:
            sizes[axis] = _number(value) * unit
    return (sizes.get("Z"), sizes["Y"], sizes["X"]) if {"Y", "X"} <= set(sizes) else None


def _microscope_spacing(tif: tifffile.TiffFile) -> Spacing | None:
    """Of scanning-electron micrographs: FEI and Thermo Fisher in metres, Zeiss with a unit."""
    scan = (tif.fei_metadata or {}).get("Scan", {})
    if {"PixelHeight", "PixelWidth"} <= set(scan):
        return None, _number(scan["PixelHeight"]) * 1e6, _number(scan["PixelWidth"]) * 1e6
    zeiss: dict[str, Any] = tif.sem_metadata or {}
    for name in ("ap_image_pixel_size", "ap_pixel_size"):
        size = zeiss.get(name, ())
        unit = micrometres(size[2]) if len(size) == 3 else None
        if unit is not None:
            return None, _number(size[1]) * unit, _number(size[1]) * unit
    return None


def _imagej_spacing(tif: tifffile.TiffFile) -> Spacing | None:
    metadata: dict[str, Any] = tif.imagej_metadata or {}
    unit = micrometres(metadata.get("unit", ""))
    tags = tif.pages.first.tags
    if unit is None or not {"XResolution", "YResolution"} <= {tag.name for tag in tags}:
        return None
    apart = []
    for name in ("YResolution", "XResolution"):
        pixels, units = tags[name].value
        apart.append(units / pixels * unit if pixels else math.inf)
    # ImageJ writes the depth of a section unless it is one unit
    return _number(metadata.get("spacing") or 1.0) * unit, apart[0], apart[1]


def _number(text: object) -> float:
    """NaN for what is none."""
    try:
        return float(str(text))
    except ValueError:
        return math.nan
