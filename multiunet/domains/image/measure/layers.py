"""Thickness of the classes of a prediction, image by image."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from multiunet.domains.image.config import ImageMeasure
from multiunet.domains.image.files.lazy import check_fits
from multiunet.domains.image.files.units import pixel_sizes
from multiunet.domains.image.measure.phases import Measures
from multiunet.domains.image.measure.survey import OBJECT, has_class, list_object_classes, read_class_map, read_variable
from multiunet.domains.image.measure.thickness import (
    ThicknessRow,
    local_thickness,
    summarise_thickness,
    thickness_along,
)
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.prediction import open_datasets

LOCAL = "local"
"""Kind of thickness: of the largest ball that fits in."""

BYTES = 40
"""A pixel, of a local thickness."""


def check_kinds(kinds: Iterable[str], axes: Iterable[Hashable]) -> None:
    """Check that images with these axes have these kinds of thickness.

    Raises:
        InputError: naming the first that they do not have.
    """
    known = (LOCAL, *map(str, axes))
    for kind in kinds:
        if kind not in known:
            raise InputError(f"`thickness={kind}`: give {', '.join(known[:-1])} or {known[-1]}")


def measure_layers(options: ImageMeasure, measures: Measures) -> list[ThicknessRow]:
    """Return the thickness of each class whose objects are counted, in each image, of each kind asked for.

    Raises:
        InputError: for a kind that the images do not have, or too little memory.
    """
    kinds = list(dict.fromkeys(options.thickness or []))
    check_kinds(kinds, measures.axes)
    counted = list(dict.fromkeys(phase.phase for phase in measures.phases if phase.objects is not None))
    rows: list[ThicknessRow] = []
    for name, data in open_datasets(options.prediction).items():
        if LOCAL in kinds:
            check_fits(
                options.prediction, f"the thickness of {name}", BYTES * data["class"].size, "measure it in parts"
            )
        spacing, unit = tuple(float(step) for step in data.attrs["spacing"]), str(data.attrs["unit"])
        if options.pixel_size is not None:
            spacing, unit = pixel_sizes(options.pixel_size, len(spacing)), "µm"
        for phase in counted:
            masks = list(_masks(data, phase))
            for kind in kinds:
                row = _describe(name, phase, kind, masks, spacing, unit, measures.axes)
                rows += [] if row is None else [row]
    return rows


def _masks(data: xr.Dataset, phase: str) -> Iterator[NDArray[np.bool_]]:
    """Yield the mask of a class; of separated objects, the surroundings of each."""
    kinds = list_object_classes(data)
    if "instance" not in data or phase not in (OBJECT, *kinds):
        names = [str(name) for name in data["channel"].values]
        yield has_class(read_class_map(data), names.index(phase), data)
        return
    numbered = read_variable(data, "instance")
    if phase != OBJECT:
        numbered = np.where(read_class_map(data) == 1 + kinds.index(phase), numbered, 0)
    for number, box in enumerate(find_objects(numbered), start=1):
        if box is not None:
            around = tuple(slice(max(0, cut.start - 1), cut.stop + 1) for cut in box)
            yield numbered[around] == number


def _describe(
    image: str,
    phase: str,
    kind: str,
    masks: Sequence[NDArray[np.bool_]],
    spacing: Sequence[float],
    unit: str,
    axes: Sequence[str],
) -> ThicknessRow | None:
    """The row of one kind; None where there is nothing of the class."""
    if kind == LOCAL:
        endless = sum(mask.all() for mask in masks)
        if endless:
            remark("%s: %s fills the image from border to border, so it has no local thickness", image, phase)
        values = [local_thickness(mask, spacing)[mask] for mask in masks if not mask.all()]
    else:
        axis = list(axes).index(kind)
        values = [thickness_along(mask, axis, spacing[axis]) for mask in masks]
    together = np.concatenate(values) if values else np.zeros(0)
    return summarise_thickness(image, phase, kind, together, unit)
