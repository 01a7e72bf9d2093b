"""Choice of an array in HDF5 and Zarr files, and the axes and pixel sizes that its attributes state."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from multiunet.domains.image.files.lazy import Lazy
from multiunet.domains.image.files.places import join_place
from multiunet.domains.image.files.stack import MEANINGS, Stack, Wanted, mean_axis, stack_time, stack_unnamed
from multiunet.domains.image.files.times import find_time, name_times
from multiunet.domains.image.files.units import micrometres
from multiunet.domains.remarks import remark_file
from multiunet.errors import InputError

LABELS = ("label", "labels", "mask", "masks", "segmentation", "seg", "gt", "ground_truth")
NAMES: dict[Wanted, tuple[str, ...]] = {
    "image": ("raw", "image", "images", "data", "volume", "exported_data"),
    "labels": LABELS,
    "target": ("target", "targets", "prediction", "predictions", *LABELS),
}
"""Usual names of arrays by purpose, lower case, the likelier first."""

SIZES = ("resolution", "voxel_size", "pixel_size")
"""Attributes that state the size of a pixel in the unit of the attribute ``units`` (CREMI, funlib)."""


def choose_array(path: Path, arrays: Mapping[str, Any], wanted: Wanted) -> Any:
    """Return the only array of two axes or more, or the one with a usual name.

    Others that have a usual name, too, are said.

    Args:
        arrays: by their place in the file.

    Raises:
        InputError: when it is not clear which array is meant.
    """
    candidates = {name: array for name, array in arrays.items() if len(array.shape) >= 2}
    if not candidates:
        raise InputError(f"{path}: holds no array of two axes or more")
    if len(candidates) == 1:
        return next(iter(candidates.values()))
    usual = NAMES[wanted]
    found = sorted((usual.index(own), name) for name in candidates if (own := _last(name)) in usual)
    if found and [rank for rank, _ in found].count(found[0][0]) == 1:
        chosen, others = found[0][1], [name for _, name in found[1:]]
        if others and not (wanted == "target" and _last(chosen) not in LABELS):
            remark_file(path, f"holds {', '.join([chosen, *others][:5])}; {chosen} is read; to read another, name it")
        return candidates[chosen]
    raise InputError(
        f"{path}: holds {len(candidates)} arrays ({', '.join(sorted(candidates)[:5])}); name one, as "
        f"{join_place(path, min(candidates))}, or call the {wanted} {usual[0]!r}"
    )


def _last(name: str) -> str:
    return name.rpartition("/")[2].lower()


def stack_array(
    path: Path,
    values: Lazy,
    attributes: Mapping[str, Any],
    names: Sequence[Any],
    wanted: Wanted,
    advice: str,
    time: str,
) -> Stack:
    """Arrange an array by the axes and pixel sizes that its file states, or by the lengths of its axes.

    Args:
        attributes: of the array. ``axistags`` (ilastik) and ``_ARRAY_DIMENSIONS`` (xarray) name axes;
            ``element_size_um`` states the size of a pixel, as do ``SIZES`` with ``units``; ``_FillValue`` (netCDF)
            states the number that stands for not measured.
        names: of the axes, in the format's own way; None or empty where an axis has none.
        advice: how to name the axes in a file of this format.
        time: name of a point in time, or empty.

    Raises:
        InputError: as ``stack_time`` and ``stack_unnamed``.
    """
    spacing = _spacing(path, attributes)
    missing = parse_number(attributes.get("_FillValue"))
    axes = name_axes(attributes, names, values.ndim)
    if axes is None:
        find_time(path, time, 0, volume=False)
        return replace(stack_unnamed(path, values, spacing, wanted, advice), missing=missing)
    steps: list[float | None] = []
    if len(spacing) == values.ndim:
        steps = [*spacing]
    elif len(spacing) == sum(MEANINGS.get(name) in ("z", "y", "x") for name in axes):
        left = iter(spacing)
        steps = [next(left) if MEANINGS.get(name) in ("z", "y", "x") else None for name in axes]
    elif spacing:
        remark_file(path, f"states {len(spacing)} sizes of a pixel for the axes {', '.join(axes)}; its size is unknown")
    return replace(stack_time(path, values, axes, steps, time), missing=missing)


def parse_number(value: object) -> float | None:
    """Return a number that a file states, alone or as text; None where it is not a finite one."""
    try:
        number = float(np.ravel(value)[0])  # type: ignore[call-overload]
    except (TypeError, ValueError, IndexError):
        return None
    return number if math.isfinite(number) else None


def name_axes(attributes: Mapping[str, Any], names: Sequence[Any], ndim: int) -> list[str] | None:
    """Return the stated names of all axes, lower case; None where y and x are not among them."""
    tags = attributes.get("axistags")
    if tags is not None:
        keys = json.loads(tags)["axes"] if isinstance(tags, str | bytes) else tags
        names = [axis["key"] for axis in keys]
    elif "_ARRAY_DIMENSIONS" in attributes:
        names = attributes["_ARRAY_DIMENSIONS"]
    axes = [str(name or "").lower() for name in names]
    known = {MEANINGS.get(name) for name in axes}
    return axes if len(axes) == ndim and {"y", "x"} <= known else None


def list_array_times(
    path: Path, own: Path, shape: Sequence[int], axes: Sequence[str] | None, is_there: Callable[[str], bool]
) -> list[Path]:
    """List the images of an array: itself, or a place for each of several points in time.

    Args:
        path: as the user named it.
        own: file and place of the array itself.
        axes: their names; None where the file does not say.
        is_there: as of ``split_time``.
    """
    meanings = [mean_axis(name) for name in axes or ()]
    count = shape[meanings.index("t")] if "t" in meanings else 1
    return name_times(path, count, "z" in meanings, own, is_there)


def _spacing(path: Path, attributes: Mapping[str, Any]) -> list[float]:
    """Return the stated size of a pixel by axis, micrometres; empty where it is not stated."""
    if "element_size_um" in attributes:
        return [float(step) for step in np.ravel(attributes["element_size_um"])]
    name = next((name for name in SIZES if name in attributes), None)
    if name is None:
        return []
    sizes = [float(size) for size in np.ravel(attributes[name])]
    units = [unit.decode() if isinstance(unit, bytes) else unit for unit in np.ravel(attributes.get("units", []))]
    factors = [micrometres(unit) for unit in (units if len(units) == len(sizes) else units * len(sizes))]
    if len(factors) != len(sizes) or None in factors:
        remark_file(
            path,
            f"states {name} without a known unit of length, so the size of its pixels is unknown; state it in "
            "micrometres as the attribute element_size_um",
        )
        return []
    return [size * factor for size, factor in zip(sizes, factors) if factor is not None]
