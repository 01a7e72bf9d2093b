"""Points in time of TIFF files: ``FILE.tif:/t3``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tifffile

from multiunet.domains.image.files.lazy import Lazy
from multiunet.domains.image.files.places import split_place
from multiunet.domains.image.files.stack import Wanted
from multiunet.domains.image.files.tiff_structure import check_structure
from multiunet.domains.image.files.times import TIME, find_time, name_times


def list_tiff_times(path: Path, wanted: Wanted) -> list[Path]:
    """List the images of a file: itself, or a place in it for each of several points in time."""
    try:
        check_structure(path)
        with tifffile.TiffFile(path, _multifile=False) as tif:
            stated = len(tif.pages) > 1 or tif.is_imagej or tif.is_ome or tif.is_shaped
            count, axes = (count_times(tif.series[0]), tif.series[0].axes) if stated else (1, "")
    except Exception:  # whatever is wrong with it, its reader says
        return [path]
    return name_times(path, count, "Z" in axes, path, lambda place: False)


def names_tiff_time(path: Path) -> bool:
    """Return whether a place in a file is one of its points in time."""
    return TIME.fullmatch(split_place(path)[1]) is not None


def count_times(series: Any) -> int:
    """Return the points in time of a series of pages, 1 where it has no such axis."""
    axes: str = series.axes
    return int(series.shape[axes.index("T")]) if "T" in axes else 1


def choose_time(file: Path, time: str, axes: str, pixels: Lazy) -> tuple[str, Lazy]:
    """Return the axes and pixels of the point in time that is named; axes of sections where it says so.

    Raises:
        InputError: as ``find_time``.
    """
    axis = axes.find("T")
    place = find_time(file, time, 0 if axis < 0 else pixels.shape[axis], "Z" in axes)
    if axis < 0:
        return axes, pixels
    return (axes.replace("T", "Z"), pixels) if place is None else (axes.replace("T", ""), pixels.pick(axis, place))
