"""TIFF: which axis is which, and how far apart pixels are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

from multiunet.domains.image.lazy import WHOLE, Lazy, Region
from multiunet.errors import InputError

MICROMETRE = "\u00b5m"
"""With the micro sign, not the Greek letter, as OME and ImageJ write it."""

MICROMETRES = {
    "micron": 1.0,
    "microns": 1.0,
    "um": 1.0,
    "\u00b5m": 1.0,
    "\u03bcm": 1.0,
    "nm": 1e-3,
    "mm": 1e3,
    "cm": 1e4,
    "m": 1e6,
}
"""Units of length as ImageJ and OME write them, in micrometres."""


@dataclass(frozen=True)
class Stack:
    """A file's pixels ``(C, *space)``, whether its channels are samples of one pixel, and the pixels' distances as the
    file has them: not checked."""

    pixels: Lazy
    samples: bool
    spacing: tuple[float, ...] | None
    unit: str | None


def read_tiff(path: Path) -> Stack:
    """The one image or stack of a TIFF file. Pages are sections (z), also where the file calls them times or nothing.

    Raises:
        InputError: when the file holds several images of different shapes, or more axes than z, y, x and channels.
    """
    with tifffile.TiffFile(path) as tif:
        if len(tif.series) != 1:
            shapes = ", ".join(str(series.shape) for series in tif.series)
            raise InputError(f"{path}: holds {len(tif.series)} images ({shapes}); save one a file")
        series = tif.series[0]
        axes, pixels = _squeezed(series.axes, _opened(path, series))
        sections = [axis for axis in axes if axis not in "YXSC"]
        if len(sections) > 1 or not {"Y", "X"} <= set(axes):
            raise InputError(f"{path}: axes {axes} {pixels.shape}; needed are y, x, maybe channels, and at most z")
        order = [axes.index(axis) for axis in (*"CS", *sections, "Y", "X") if axis in axes]
        pixels = pixels.transposed(order)
        space = 3 if sections else 2
        spacing, unit = _spacing(tif, bool(sections))
    samples = "S" in axes and "C" not in axes
    if pixels.ndim == space:
        return Stack(pixels.with_channel(), samples, spacing, unit)
    if pixels.ndim > space + 1:  # channels of samples: not worth reading by parts
        pixels = Lazy.of(pixels[...].reshape(-1, *pixels.shape[-space:]))
    return Stack(pixels, samples, spacing, unit)


def colours_of_tiff(colormap: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """A palette ``(n, 3)`` of 8 bits from TIFF's ``(3, n)`` of 16."""
    colours: NDArray[np.uint8] = (colormap.T >> 8).astype(np.uint8)
    return colours


def _opened(path: Path, series: Any) -> Lazy:
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
    array = zarr.open_array(tifffile.TiffFile(path).series[0].aszarr(level=0), mode="r")
    return Lazy(shape, dtype, lambda region: np.asarray(array[region]), array.chunks)


def _squeezed(axes: str, pixels: Lazy) -> tuple[str, Lazy]:
    """Without axes of one site, but for y and x."""
    dropped = tuple(i for i, axis in enumerate(axes) if pixels.shape[i] == 1 and axis not in "YX")
    return "".join(axis for i, axis in enumerate(axes) if i not in dropped), pixels.squeezed(dropped)


def _spacing(tif: tifffile.TiffFile, stack: bool) -> tuple[tuple[float, ...] | None, str | None]:
    """Distances in micrometres by axis, from OME or ImageJ metadata; the resolution of plain TIFF is a printer's."""
    found = _ome_spacing(tif.ome_metadata) if tif.ome_metadata else _imagej_spacing(tif)
    if found is None:
        return None, None
    z, y, x = found
    return ((1.0 if z is None else z, y, x) if stack else (y, x)), MICROMETRE


def _ome_spacing(xml: str) -> tuple[float | None, float, float] | None:
    pixels = next((e for e in ElementTree.fromstring(xml).iter() if e.tag.endswith("}Pixels")), None)
    sizes: dict[str, float] = {}
    for axis in "ZYX":
        value = None if pixels is None else pixels.get(f"PhysicalSize{axis}")
        unit = MICROMETRES.get(MICROMETRE if pixels is None else pixels.get(f"PhysicalSize{axis}Unit", MICROMETRE))
        if value is not None and unit is not None:
            sizes[axis] = _number(value) * unit
    return (sizes.get("Z"), sizes["Y"], sizes["X"]) if {"Y", "X"} <= set(sizes) else None


def _imagej_spacing(tif: tifffile.TiffFile) -> tuple[float | None, float, float] | None:
    metadata: dict[str, Any] = tif.imagej_metadata or {}
    unit = MICROMETRES.get(str(metadata.get("unit", "")).replace("\\u00B5", "\u00b5"))
    tags = tif.pages.first.tags
    if unit is None or not {"XResolution", "YResolution"} <= {tag.name for tag in tags}:
        return None
    apart = []
    for name in ("YResolution", "XResolution"):
        pixels, units = tags[name].value
        apart.append(units / pixels * unit if pixels else math.inf)
    depth = _number(metadata.get("spacing") or 0.0) * unit
    return (depth or None, apart[0], apart[1])


def _number(text: object) -> float:
    """NaN for what is none."""
    try:
        return float(str(text))
    except ValueError:
        return math.nan
