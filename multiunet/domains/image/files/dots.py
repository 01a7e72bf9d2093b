"""Dots, one for each counted object: coordinates in CSV files, or the non-zero pixels of images."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from multiunet.domains.image.files.lazy import Pixels, iter_blocks
from multiunet.domains.image.files.listing import list_images, name_files
from multiunet.domains.image.files.readers import read_file
from multiunet.domains.image.files.table import is_table
from multiunet.domains.remarks import remark_file
from multiunet.domains.repeats import find_repeated
from multiunet.domains.rows import read_rows
from multiunet.errors import InputError
from multiunet.wording import are

Places = NDArray[np.float64]
"""Coordinates of dots in pixels, ``(dots, ndim)``, in the order of the image's axes; 0 is the middle of the first."""

AXES = ("z", "y", "x")

PREFIXES = ("axis-", "centroid-")
"""Of columns that number the axes in the images' order: those of napari and of scikit-image."""

MOST_FILLED = 0.5
"""Share of an image's pixels, and of its dots those that touch another, beyond which they are no dots."""


def list_dots(where: Path) -> dict[str, Path]:
    """List the files of dots of a folder or a pattern, or one file, by name.

    They are the CSV files, if there are any, else the images.

    Raises:
        InputError: when there is none, or two have the same name.
    """
    found = [where] if where.is_file() else sorted(where.iterdir()) if where.is_dir() else _match(where)
    tables = [path for path in found if is_table(path) and not path.name.startswith(".")]
    if not tables:
        return list_images(where, "target")
    return dict(zip(name_files(path.with_suffix("") for path in tables), tables))


def _match(pattern: Path) -> list[Path]:
    return sorted(Path(name) for name in glob.glob(str(pattern), recursive=True))


def space_of_dots(path: Path) -> tuple[int, ...] | None:
    """Return the pixels by axis of an image of dots; None for a CSV, which states none.

    Raises:
        InputError: when the image cannot be read.
    """
    return None if is_table(path) else read_file(path, "target").space


def read_dots(path: Path, space: Sequence[int]) -> Places:
    """Read the places of the dots of an image.

    A CSV has the columns ``x`` and ``y`` (of volumes also ``z``), or ``axis-0``, ``axis-1``, ..., in pixels; the middle
    of the first pixel is 0. A CSV without lines, even an empty file, has no dots. Of an image, each pixel that is not 0
    is a dot. Cells may be parted by comma, semicolon or tab.

    Args:
        space: pixels of the image by axis, without its information bar.

    Raises:
        InputError: naming the line of a CSV, or the pixels, that cannot be a dot.
    """
    places = _read_table(path, space) if is_table(path) else _read_pixels(path, space)
    if twice := len(places) - len(np.unique(places, axis=0)):
        remark_file(path, f"{twice} of its {len(places)} dots lie exactly on others, and count, too")
    return places


def _read_table(path: Path, space: Sequence[int]) -> Places:
    lines = read_rows(path, ",;\t")
    if not lines:
        return np.zeros((0, len(space)))
    columns = _find_columns(path, lines[0][1], len(space))
    places = np.zeros((len(lines) - 1, len(space)))
    for row, (number, cells) in enumerate(lines[1:]):
        if len(cells) != len(lines[0][1]):
            raise InputError(f"{path}, line {number}: has {len(cells)} cells, but the header has {len(lines[0][1])}")
        for axis, column in enumerate(columns):
            places[row, axis] = _read_coordinate(f"{path}, line {number}", lines[0][1][column], cells[column])
        _check_inside(f"{path}, line {number}", places[row], space)
    return places


def _find_columns(path: Path, header: Sequence[str], ndim: int) -> list[int]:
    """Return the columns of the coordinates in the order of the image's axes.

    Raises:
        InputError: for a header without them, or of another number of axes.
    """
    names = [name.lower() for name in header]
    if twice := find_repeated(filter(None, names)):
        raise InputError(f"{path}: has the column {twice[0]!r} twice; name each column once")
    numbered = [[name for name in names if name.startswith(prefix)] for prefix in PREFIXES]
    found = next((sorted(own) for own in numbered if own), [axis for axis in AXES if axis in names])
    wanted = [f"{found[0].rsplit('-', 1)[0]}-{axis}" for axis in range(ndim)] if any(numbered) else AXES[-ndim:]
    if found == list(wanted):
        return [names.index(name) for name in found]
    what = f"an image of {ndim} axes needs the columns {','.join(AXES[-ndim:][::-1])} (in pixels), or axis-0 to axis-"
    fix = f"{what}{ndim - 1} as napari writes them"
    if found:
        raise InputError(f"{path}: has the columns {', '.join(found)} of coordinates, but {fix}")
    raise InputError(f"{path}: its first line is {','.join(header)!r}, but {fix}; no dots are a header alone")


def _read_coordinate(where: str, column: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise InputError(f"{where}: {column} is {cell!r}; give a number of pixels") from None
    if not np.isfinite(value):
        raise InputError(f"{where}: {column} is {cell}; leave out what has no place, or give a number of pixels")
    return value


def _check_inside(where: str, place: Places, space: Sequence[int]) -> None:
    for axis, at, side in zip(AXES[-len(space) :], place, space):
        if not -0.5 <= at <= side - 0.5:
            raise InputError(
                f"{where}: {axis} is {at:g}, outside of the image, whose pixels are 0 to {side - 1} along {axis}; "
                "coordinates are in pixels, not micrometres, and none lies on an information bar that is cut off"
            )


def _read_pixels(path: Path, space: Sequence[int]) -> Places:
    pixels = read_file(path, "target").pixels
    marked = _find_marked(path, pixels)
    if (beyond := (marked >= np.asarray(space)).any(axis=1)).any():
        raise InputError(
            f"{path}: {np.count_nonzero(beyond)} of its {len(marked)} dots lie on the information bar of the image, "
            "which is cut off; remove them"
        )
    return marked.astype(np.float64)


def _find_marked(path: Path, pixels: Pixels) -> NDArray[np.intp]:
    """Return the places of pixels that are not 0 in some channel, ``(dots, ndim)``.

    Raises:
        InputError: where pixels are NaN, or they are too many, or too many touch, to be dots.
    """
    parts, touching = [], 0
    for region in iter_blocks(pixels, whole=1):
        block = pixels[region]
        if block.dtype.kind == "f" and (unknown := int(np.count_nonzero(np.isnan(block)))):
            raise InputError(f"{path}: {are(unknown, 'pixel')} NaN; a dot is a pixel that is not 0, all others are 0")
        marks = (block != 0).any(axis=0)
        if 2 * np.count_nonzero(marks) > marks.size:
            raise InputError(
                f"{path}: {np.count_nonzero(marks)} of {marks.size} pixels are not 0; each would be a dot: save one "
                "pixel for each object, and 0 elsewhere, or its coordinates as a CSV (x, y)"
            )
        if marks.any():
            sizes = np.bincount(label(marks, np.ones((3,) * marks.ndim))[0].ravel())[1:]
            touching += int(sizes[sizes > 1].sum())
        parts.append(np.argwhere(marks) + [cut.start for cut in region[1:]])
    found: NDArray[np.intp] = np.concatenate(parts)
    if touching > MOST_FILLED * len(found):
        raise InputError(
            f"{path}: {touching} of the {len(found)} pixels that are not 0 touch another, so objects are drawn as "
            "areas; each pixel would be a dot: save one pixel for each object, or its coordinates as a CSV (x, y)"
        )
    return found
