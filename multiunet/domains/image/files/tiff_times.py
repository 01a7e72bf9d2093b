"""Points in time of TIFF files, each of which is an image of its own: ``FILE.tif:/t3``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import tifffile

from multiunet.domains.image.files.lazy import Lazy
from multiunet.domains.image.files.places import join_place, split_place
from multiunet.domains.image.files.tiff_structure import check_structure
from multiunet.domains.remarks import remark_file
from multiunet.errors import InputError

TIME = re.compile(r"t(\d+)")
"""Names of points in time, counted from 1."""

SECTIONS_PLACE = "z"
"""Name of all pages, where what a file calls times are the sections of a volume."""


def list_times(path: Path) -> list[Path]:
    """List the images of a file: itself, or a place in it for each of several points in time."""
    try:
        check_structure(path)
        with tifffile.TiffFile(path, _multifile=False) as tif:
            stated = len(tif.pages) > 1 or tif.is_imagej or tif.is_ome or tif.is_shaped
            count, axes = (count_times(tif.series[0]), tif.series[0].axes) if stated else (1, "")
    except Exception:  # whatever is wrong with it, its reader says
        return [path]
    if count == 1:
        return [path]
    volume = f"; if they are sections (z) of a volume, name them {join_place(Path('FILE.tif'), SECTIONS_PLACE)}"
    remark_file(
        path,
        "its pages are points in time, as it states, so each is an image of its own, and all are of one group"
        f"{'' if 'Z' in axes else volume}",
    )
    width = len(str(count))
    return [join_place(path, f"t{time:0{width}}") for time in range(1, count + 1)]


def count_times(series: Any) -> int:
    """Return the points in time of a series of pages, 1 where it has no such axis."""
    axes: str = series.axes
    return int(series.shape[axes.index("T")]) if "T" in axes else 1


def is_time(place: str) -> bool:
    """Return whether a place in a file is one of its points in time."""
    return TIME.fullmatch(place) is not None


def choose_time(path: Path, axes: str, pixels: Lazy) -> tuple[str, Lazy]:
    """Return the axes and pixels of the point in time that ``path`` names.

    Args:
        path: ``FILE.tif``, ``FILE.tif:/t3``, or ``FILE.tif:/z`` for times that are sections.

    Raises:
        InputError: when it names none of several, or one that is not there.
    """
    file, place = split_place(path)
    axis = axes.find("T")
    count = 1 if axis < 0 else pixels.shape[axis]
    if place == SECTIONS_PLACE and axis >= 0 and "Z" not in axes:
        return axes.replace("T", "Z"), pixels
    if not place and count > 1:
        volume = (
            f", or, if they are sections of a volume, {join_place(file, SECTIONS_PLACE)}" if "Z" not in axes else ""
        )
        raise InputError(f"{path}: holds {count} points in time; name one, as {join_place(file, 't1')}{volume}")
    found = TIME.fullmatch(place)
    if place and (found is None or not 1 <= int(found[1]) <= count):
        there = f"points in time t1 to t{count}" if count > 1 else "one image and no others"
        raise InputError(f"{path}: no such image; the file holds {there}")
    if axis < 0:
        return axes, pixels
    return axes.replace("T", ""), pixels.pick(axis, int(found[1]) - 1 if found else 0)
