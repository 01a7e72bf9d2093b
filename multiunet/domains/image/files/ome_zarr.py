"""Zarr arrays and groups, and images of OME-Zarr 0.4 and 0.5 (https://ngff.openmicroscopy.org)."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from multiunet.domains.image.files.arrays import choose_array, list_array_times, name_axes, stack_array
from multiunet.domains.image.files.lazy import Lazy
from multiunet.domains.image.files.places import join_place, split_place
from multiunet.domains.image.files.stack import Stack, Wanted, stack_time
from multiunet.domains.image.files.stored_parts import check_stored, warn_of_missing
from multiunet.domains.image.files.times import split_time
from multiunet.domains.image.files.units import micrometres
from multiunet.domains.remarks import remark_file
from multiunet.errors import InputError

ADVICE = 'in Python, with zarr: array.attrs["_ARRAY_DIMENSIONS"] = ["c", "y", "x"]'

META = "zarr.json"

MOST_COUNTED = 100_000
"""Chunks of an array whose files are counted, at most: listing more takes seconds."""


@dataclass(frozen=True)
class _Found:
    """Array that is meant.

    Attributes:
        axes: their names; None where the file does not say.
        steps: micrometres by axis, as OME states them; None of an array that states them itself.
        channels: their names, as OME states them.
    """

    array: Any
    axes: Sequence[str] | None
    steps: Sequence[float | None] | None = None
    channels: tuple[str, ...] = ()


def read_zarr(path: Path, wanted: Wanted) -> Stack:
    """Read an array, the finest level of an OME-Zarr image, or the array of a group with a usual name.

    Where labels are wanted, those inside an OME-Zarr image come before the image itself. Of what bioformats2raw wrote,
    the one image is read. ``FILE.zarr:/t3`` or ``FILE.zarr:/place/t3`` names one of several points in time.

    Raises:
        InputError: when it is not clear which array is meant, or its axes are not y, x; z, y, x; or those and channels.
    """
    path, time = split_time(path, partial(_is_there, path))
    found = _find(path, wanted)
    values = _lazy(path, found.array, wanted)
    if found.steps is None or found.axes is None:
        return stack_array(path, values, dict(found.array.attrs), found.axes or (), wanted, ADVICE, time)
    stack = stack_time(path, values, found.axes, found.steps, time)
    return replace(stack, names=found.channels) if len(found.channels) == stack.pixels.shape[0] else stack


def list_zarr_times(path: Path, wanted: Wanted) -> list[Path]:
    """List the images of a file or a place in it: itself, or a place for each point in time."""
    if names_zarr_time(path):
        return [path]
    try:
        found = _find(path, wanted)
        own = join_place(path, found.array.path) if found.array.path else path
        return list_array_times(path, own, found.array.shape, found.axes, partial(_is_there, path))
    except Exception:  # whatever is wrong with it, its reader says
        return [path]


def names_zarr_time(path: Path) -> bool:
    """Return whether an image is one point in time of an array."""
    return bool(split_time(path, partial(_is_there, path))[1])


def _is_there(path: Path, place: str) -> bool:
    return (split_place(path)[0] / place).exists()


def _find(path: Path, wanted: Wanted) -> _Found:
    """Find the array that is meant."""
    import zarr

    from multiunet.domains.image.files.zarr_store import GuardedStore

    where, inside = split_place(path)
    root: Any = zarr.open(GuardedStore(where / inside, path), mode="r")
    if isinstance(root, zarr.Array):
        return _describe(root)
    attributes: dict[str, Any] = dict(root.attrs)
    ome = attributes.get("ome", attributes)
    if isinstance(ome, Mapping) and "multiscales" in ome:
        own = sorted(root["labels"].group_keys()) if wanted == "labels" and "labels" in root else []
        if len(own) > 1:
            first = join_place(path, f"labels/{own[0]}")
            raise InputError(f"{path}: holds the labels {', '.join(own)}; name one of them, as {first}")
        if own:
            return _find(join_place(path, f"labels/{own[0]}"), wanted)
        channels = _name_channels(attributes.get("omero", ome.get("omero")))
        return replace(_find_finest(path, root, ome["multiscales"]), channels=channels)
    arrays, groups = dict(root.arrays()), sorted(set(root.group_keys()) - {"OME"})
    if not arrays and len(groups) == 1 and any("bioformats2raw.layout" in known for known in (attributes, ome)):
        return _find(join_place(path, groups[0]), wanted)
    if not arrays and groups:
        raise InputError(
            f"{path}: holds the groups {', '.join(groups[:9])}; name what is meant, as {join_place(path, groups[0])}"
        )
    if groups:
        arrays = {name: item for name, item in root.members(max_depth=None) if isinstance(item, zarr.Array)}
    return _describe(choose_array(path, arrays, wanted))


def _describe(array: Any) -> _Found:
    """Return an array with the names that it gives its axes."""
    names = getattr(array.metadata, "dimension_names", None) or ()
    return _Found(array, name_axes(dict(array.attrs), names, len(array.shape)))


def _lazy(path: Path, array: Any, wanted: Wanted) -> Lazy:
    """Return an array that is read by windows; warn of chunks of an image that are not stored."""
    array.store.limit(array)
    if wanted == "image":
        needed = int(array.nchunks)
        if needed <= MOST_COUNTED:
            stored = int(array.nchunks_initialized)
            warn_of_missing(path, needed - stored, needed, array.fill_value)
        else:
            stored = count_files(array.store.root / array.path, MOST_COUNTED)
        check_stored(path, stored, needed, math.prod(array.shape))
    return Lazy(array.shape, array.dtype, lambda region: np.asarray(array[region]), array.chunks)


def _name_channels(omero: Any) -> tuple[str, ...]:
    """Return the names of channels in the transitional metadata ``omero``; none where one has none."""
    channels = omero.get("channels", ()) if isinstance(omero, Mapping) else ()
    names = tuple(str(one.get("label") or "") for one in channels if isinstance(one, Mapping))
    return names if all(names) else ()


def count_files(folder: Path, most: int) -> int:
    """Count the files below a folder of an array that hold its chunks, up to a number."""
    files = (name for _, _, names in os.walk(folder) for name in names if not name.startswith(".") and name != META)
    return sum(1 for _ in itertools.islice(files, most))


def _find_finest(path: Path, root: Any, images: list[Mapping[str, Any]]) -> _Found:
    """Find the finest level of an image, which is the first."""
    if len(images) > 1:
        names = ", ".join(str(image.get("name", index)) for index, image in enumerate(images))
        remark_file(
            path, f"holds {len(images)} images ({names}); the first is read; to read another, save it as a file"
        )
    image = images[0]
    level = image["datasets"][0]
    axes = [axis if isinstance(axis, Mapping) else {"name": axis} for axis in image["axes"]]
    factors = [micrometres(axis.get("unit", "")) for axis in axes]
    scale = [1.0] * len(axes)
    for change in [*level.get("coordinateTransformations", []), *image.get("coordinateTransformations", [])]:
        if change["type"] == "scale":
            scale = [a * float(b) for a, b in zip(scale, change["scale"], strict=True)]
    if None in (factors[i] for i, axis in enumerate(axes) if axis["name"] in ("z", "y", "x") and scale[i] != 1):
        units = ", ".join(str(axis.get("unit", "none")) for axis in axes)
        remark_file(path, f"states the size of its pixels in units that are not known ({units}); their size is unknown")
    steps = [None if factor is None else step * factor for step, factor in zip(scale, factors)]
    return _Found(root[level["path"]], [str(axis["name"]) for axis in axes], steps)
