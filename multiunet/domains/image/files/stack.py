"""Pixels of a file with what the file states of them: channels, spacing, orientation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from multiunet.domains.image.files.geotiff import Georeference
from multiunet.domains.image.files.lazy import Lazy
from multiunet.domains.image.files.times import find_time
from multiunet.domains.image.files.units import MICROMETRE
from multiunet.domains.remarks import remark_file
from multiunet.errors import InputError

Wanted = Literal["image", "labels", "target"]
"""Purpose of reading: labels are the indices of a palette; of several arrays, each purpose has names of its own."""

MOST_CHANNELS = 4
"""Channels of an array that does not name its axes, at most."""

SHORTEST = 16
"""Sides of an image have at least so many pixels, where axes are told apart by their lengths."""

DOUBTFUL = 10
"""Sections of a volume, at most, that may as well be channels."""

MEANINGS = {
    **dict.fromkeys(("c", "channel", "channels", "s", "sample", "samples", "band", "bands"), "c"),
    **dict.fromkeys(("z", "depth", "plane", "section"), "z"),
    **dict.fromkeys(("y", "row", "rows", "height"), "y"),
    **dict.fromkeys(("x", "col", "column", "columns", "width"), "x"),
    **dict.fromkeys(("t", "time", "times", "frame", "frames"), "t"),
}
"""Names of axes, lower case, by what they mean here."""


@dataclass(frozen=True)
class Stack:
    """Pixels of a file.

    Attributes:
        pixels: ``(C, *space)``; space is y, x or z, y, x.
        samples: the channels are samples of one pixel, such as red, green and blue.
        spacing: distance of neighbouring pixels by axis in ``unit``, as the file states it: not checked.
        alpha: the last sample is opacity.
        orientation: where the axes x, y, z point, such as ``RAS`` (NIfTI).
        missing: the number that stands for not measured.
        names: of the channels; None where the file does not say.
        georeference: where the pixels lie on the earth (GeoTIFF).
    """

    pixels: Lazy
    samples: bool
    spacing: tuple[float, ...] | None
    unit: str | None
    alpha: bool = False
    orientation: str | None = None
    missing: float | None = None
    names: tuple[str, ...] | None = None
    georeference: Georeference | None = None


def stack_time(path: Path, values: Lazy, names: Sequence[str], steps: Sequence[float | None], time: str) -> Stack:
    """Arrange one point in time of an array whose file names its axes.

    Args:
        path: of the array, without the time.
        names, steps: as of ``stack_named``.
        time: ``t3``, ``z`` for times that are sections, or empty, where there is but one.

    Raises:
        InputError: as ``find_time`` and ``stack_named``.
    """
    names, steps = list(names), list(steps)
    meanings = [mean_axis(name) for name in names]
    axis = meanings.index("t") if "t" in meanings else -1
    place = find_time(path, time, 0 if axis < 0 else values.shape[axis], "z" in meanings)
    if axis >= 0 and place is None:
        names[axis], steps[axis : axis + 1] = "z", [None] if steps else []
    elif axis >= 0 and place is not None:
        values = values.pick(axis, place)
        del names[axis], steps[axis : axis + 1]
    return stack_named(path, values, names, steps)


def mean_axis(name: str) -> str:
    """Return what the name of an axis means, or the name itself, lower case."""
    return MEANINGS.get(name.lower(), name.lower())


def stack_named(path: Path, values: Lazy, names: Sequence[str], steps: Sequence[float | None]) -> Stack:
    """Arrange an array whose file names its axes.

    Args:
        names: of the axes, as in the file; axes of length 1 may have any name.
        steps: micrometres by axis; None where unknown. Empty where nothing is known.

    Raises:
        InputError: for axes other than y, x, and at most z and channels.
    """
    steps = list(steps) or [None] * values.ndim
    meanings = [mean_axis(name) for name in names]
    single = [i for i, name in enumerate(meanings) if values.shape[i] == 1 and name not in "yx"]
    kept = [i for i in range(values.ndim) if i not in single]
    axes = [meanings[i] for i in kept]
    values = values.squeeze(single)
    if not {"y", "x"} <= set(axes) <= {"c", "z", "y", "x"} or len(set(axes)) < len(axes):
        raise InputError(
            f"{path}: axes {', '.join(axes)} {values.shape}; needed are y, x, maybe z and c, and one point in time"
        )
    order = [axes.index(name) for name in "czyx" if name in axes]
    values = values.transpose(order)
    known = [step for step in (steps[kept[i]] for i in order if axes[i] != "c") if step is not None]
    pixels = values if "c" in axes else values.add_channel()
    spacing, unit = _spacing_of(known, pixels.ndim - 1)
    if known and spacing is None:
        remark_file(
            path, f"states the size of a pixel along {len(known)} of {pixels.ndim - 1} axes only; it is unknown"
        )
    return Stack(pixels, axes[-1] == "c", spacing, unit)


def stack_unnamed(path: Path, values: Lazy, spacing: Sequence[float], wanted: Wanted, advice: str) -> Stack:
    """Arrange an array whose file does not name its axes, by their lengths.

    It is ``(y, x)``, ``(z, y, x)``, or either with a short axis of channels: the last, or the first of four. What is
    in doubt is said.

    Args:
        spacing: micrometres by axis, those of channels left out; empty where unknown.
        advice: how to name the axes in a file of this format.

    Raises:
        InputError: for fewer or more axes, or four of which neither the first nor the last is short.
    """
    values, spacing = _drop_single(values, spacing)
    shape, samples = values.shape, False
    fix = f"if this is wrong, name the axes: {advice}"
    if values.ndim == 4 and min(shape[0], shape[-1]) <= MOST_CHANNELS:
        first = shape[0] <= shape[-1]
        if first and shape[1] <= MOST_CHANNELS:
            remark_file(path, f"the first is taken for channels, the second for sections; {fix}", f"axes {shape}")
        pixels = values if first else values.transpose((3, 0, 1, 2))
    elif values.ndim == 3 and shape[-1] <= MOST_CHANNELS and min(shape[:2]) >= SHORTEST:
        remark_file(path, f"the last is taken for the {shape[-1]} channels of an image; {fix}", f"axes {shape}")
        pixels, samples, spacing = values.transpose((2, 0, 1)), True, spacing[:2]
    elif values.ndim in (2, 3):
        if (
            wanted == "image"
            and values.ndim == 3
            and shape[0] <= DOUBTFUL
            and min(shape[1:]) >= SHORTEST
            and len(spacing) < 3
        ):
            remark_file(path, f"the first is taken for the sections of a volume; {fix}", f"axes {shape}")
        pixels = values.add_channel()
    else:
        raise InputError(
            f"{path}: axes {shape}; give y, x; z, y, x; or a volume with its channels, and name the axes: {advice}"
        )
    steps, unit = _spacing_of(spacing, pixels.ndim - 1)
    if spacing and steps is None:
        remark_file(path, f"states {len(spacing)} sizes of a pixel for {pixels.ndim - 1} axes; its size is unknown")
    return Stack(pixels, samples, steps, unit)


def _spacing_of(spacing: Sequence[float], axes: int) -> tuple[tuple[float, ...] | None, str | None]:
    """Return distances and their unit, where there is one for each axis."""
    return (tuple(spacing), MICROMETRE) if len(spacing) == axes else (None, None)


def _drop_single(values: Lazy, spacing: Sequence[float]) -> tuple[Lazy, Sequence[float]]:
    """Drop axes of length 1 and their distances, as long as two axes are left."""
    single = [axis for axis, n in enumerate(values.shape) if n == 1][: max(0, values.ndim - 2)]
    if len(spacing) == values.ndim:
        spacing = [step for axis, step in enumerate(spacing) if axis not in single]
    return (values.squeeze(single) if single else values), spacing
