"""Points in time of a file, each an image of its own: ``FILE.tif:/t3``, ``FILE.h5:/raw/t3``."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from multiunet.domains.image.files.places import join_place, split_place
from multiunet.domains.remarks import remark_file
from multiunet.errors import InputError

TIME = re.compile(r"t(\d+)")
"""Names of points in time, counted from 1."""

SECTIONS_PLACE = "z"
"""Name of all of them, where what a file calls times are the sections of a volume."""


def split_time(path: Path, is_there: Callable[[str], bool]) -> tuple[Path, str]:
    """Split the name of an image into that of an array or file, and that of a point in time or none.

    What a file holds under a name comes first: ``a.h5:/t3`` is the array ``t3``, if there is one. Below an array there
    is none, so ``a.h5:/raw/t3`` is always a time.

    Args:
        is_there: tells whether a file holds an array or group at a place.
    """
    file, inside = split_place(path)
    above, _, last = inside.rpartition("/")
    if not (TIME.fullmatch(last) or last == SECTIONS_PLACE) or is_there(inside):
        return path, ""
    return (join_place(file, above) if above else file), last


def name_times(path: Path, count: int, volume: bool, own: Path, is_there: Callable[[str], bool]) -> list[Path]:
    """List the images of a file or array: itself, or a place for each of several points in time.

    Args:
        volume: each of them is one, so that times cannot be sections.
        own: place of the array itself, below which times are named where those of ``path`` have another meaning.
        is_there: as of ``split_time``.
    """
    if count == 1:
        return [path]
    width = len(str(count))
    names = [f"t{time:0{width}}" for time in range(1, count + 1)]
    if any(is_there(split_place(join_place(path, name))[1]) for name in names):
        path = own
    file, inside = split_place(path)
    sections = f"FILE{file.suffix}:/{'/'.join(filter(None, (inside, SECTIONS_PLACE)))}"
    remark_file(
        path,
        "holds points in time, as it states, so each is an image of its own, and all are of one group"
        + ("" if volume else f"; if they are sections (z) of a volume, name them {sections}"),
    )
    return [join_place(path, name) for name in names]


def find_time(path: Path, time: str, count: int, volume: bool) -> int | None:
    """Return the index of the named point in time; None where the name says that times are sections.

    Args:
        path: of the image, without the time.
        time: ``t3``, ``z`` for times that are sections, or empty.
        count: points in time that there are; 0 where there is no axis of time.
        volume: each of them is one.

    Raises:
        InputError: when it names none of several, or one that is not there.
    """
    if time == SECTIONS_PLACE and count and not volume:
        return None
    if not time and count > 1:
        sections = "" if volume else f", or, if they are sections of a volume, {join_place(path, SECTIONS_PLACE)}"
        raise InputError(f"{path}: holds {count} points in time; name one, as {join_place(path, 't1')}{sections}")
    found = TIME.fullmatch(time)
    if time and (found is None or not 1 <= int(found[1]) <= max(count, 1)):
        there = f"are points in time t1 to t{count}" if count > 1 else "is one image and no others"
        raise InputError(f"{join_place(path, time)}: no such image; there {there}")
    return int(found[1]) - 1 if found else 0
