"""Pixel sizes in TIFF files: OME, ImageJ, and electron microscopes of FEI (Thermo Fisher) and Zeiss."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import tifffile

from multiunet.domains.image.files.units import MICROMETRE, micrometres
from multiunet.domains.remarks import remark_file

Spacing = tuple[float | None, float, float]
"""Micrometres along z, y and x; None where the file does not say how far apart sections are."""


def read_spacing(path: Path, tif: tifffile.TiffFile, stack: bool) -> tuple[tuple[float, ...] | None, str | None]:
    """Return distances by axis in micrometres, and their unit, as the microscope or ImageJ wrote them.

    The resolution of plain TIFF is a printer's.

    Args:
        stack: the file holds a volume.
    """
    found = _ome_spacing(tif.ome_metadata) if tif.ome_metadata else _microscope_spacing(tif) or _imagej_spacing(tif)
    if found is None:
        return None, None
    z, y, x = found
    if not stack:
        return (y, x), MICROMETRE
    if z is None:
        remark_file(
            path, "says how large pixels are, but not how far apart sections; their size is unknown unless it is given"
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
    """Read pixel sizes of electron micrographs: FEI and Thermo Fisher in metres, Zeiss with a unit."""
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
