"""Survey of the stored maps of a segmentation: the share of each class, in the map and in each sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from multiunet.domains.image.files.units import pixel_sizes
from multiunet.domains.image.measure.objects import Scale
from multiunet.domains.reading import reading
from multiunet.errors import InputError
from multiunet.prediction.totals import sum_sites
from multiunet.uncertainty.sums import Totals

ALL = "all"
"""Stands for all images together, unless an image has this name: ``PhaseRow.pooled`` tells."""

OBJECT = "object"
"""The class of objects of numbered masks."""


@dataclass(frozen=True)
class Survey:
    """Classes of an image.

    Attributes:
        fractions: of each class in the image.
        samples: the same in each sample's class map, ``(samples, classes)``.
        area: of the image, in ``unit`` squared (cubed).
        totals: sums of the probabilities of all names that the network knows, and of their variances; a row an image.
        weights: area of a pixel in each of these images.
        pooled: whether this is of all images together.
        separated: whether objects were; they are the second class, and those that follow are theirs.
        overlapping: whether classes may overlap, so that none is the rest.
    """

    image: str
    names: list[str]
    pooled: bool
    separated: bool
    fractions: NDArray[np.float64]
    samples: NDArray[np.float64]
    totals: Totals
    weights: tuple[float, ...]
    area: float
    spacing: tuple[float, ...]
    unit: str
    overlapping: bool = False

    @property
    def scale(self) -> Scale:
        """Distance of pixels, with its unit."""
        return Scale(self.spacing, self.unit)

    def deviations(self) -> list[float | None]:
        """Return the deviation of each class's fraction over the samples, ddof 1."""
        unknown: list[float | None] = [None] * len(self.names)
        if len(self.samples) < 2:
            return unknown
        deviations = self.samples.std(axis=0, ddof=1)
        if self.separated:  # outside and objects are the whole, so one ratio is that of both deviations
            means = self.samples.mean(axis=0)
            if not (self.fractions[1] and means[1]):
                return unknown
            ratios = [f / mean if f and mean else np.nan for f, mean in zip(self.fractions, means)]
            deviations = deviations * [ratios[1], *ratios[1:]]
        return [None if np.isnan(deviation) else float(deviation) for deviation in deviations]


def survey_image(image: str, data: xr.Dataset) -> Survey:
    """Return the classes of an image that is predicted."""
    names = [str(name) for name in data["channel"].values]
    samples, separated = read_variable(data, "fraction"), "instance" in data
    kinds, classes = list_object_classes(data), read_class_map(data)
    if separated:  # inside and boundary are both of an object
        of_kind = [samples[:, 1 + place :: len(kinds)].sum(axis=1) for place in range(len(kinds))]
        samples = np.stack([samples[:, 0], samples[:, 1:].sum(axis=1), *of_kind], axis=1)
        names = [names[0], OBJECT, *kinds]
    counts = np.array([np.count_nonzero(has_class(classes, index, data)) for index in range(len(names))])
    pixels = math.prod(data["total"].shape[1:])
    spacing = tuple(float(step) for step in data.attrs["spacing"])
    return Survey(
        image,
        names,
        pooled=False,
        separated=separated,
        fractions=counts / pixels,
        samples=samples,
        totals=sum_sites(data),
        weights=(math.prod(spacing),),
        area=pixels * math.prod(spacing),
        spacing=spacing,
        unit=str(data.attrs["unit"]),
        overlapping=may_overlap(data),
    )


def list_object_classes(data: xr.Dataset) -> list[str]:
    """Return the names of the classes of an image's objects; none where they have none."""
    return [str(name) for name in data["object_mean"].attrs["classes"]] if "object_mean" in data else []


def read_class_map(data: xr.Dataset) -> NDArray[np.integer[Any]]:
    """Return the class of each pixel, ``space``, in as few bytes as stored.

    Of objects it is 1 in each of them, or, where they have classes, the place of its class, the first being 1. Of
    classes that may overlap, return yes and no of each, ``(classes, *space)``.
    """
    if "instance" in data and not list_object_classes(data):
        return (read_variable(data, "instance") > 0).view(np.uint8)
    return read_variable(data, "class")


def has_class(classes: NDArray[np.integer[Any]], index: int, data: xr.Dataset) -> NDArray[np.bool_]:
    """Return which pixels have a class, ``space``, given the image's ``read_class_map``.

    Args:
        index: of the class; of objects that have classes 1 is all of them, and their classes follow.
    """
    has: NDArray[np.bool_]
    if list_object_classes(data):
        has = classes > 0 if index == 1 else classes == max(0, index - 1)
    else:
        has = classes[index] == 1 if may_overlap(data) else classes == index
    return has


def may_overlap(data: xr.Dataset) -> bool:
    """Return whether the classes of a stored prediction may overlap: each pixel has each of them, or not."""
    return "channel" in data["class"].dims


def read_variable(data: xr.Dataset, variable: str) -> NDArray[Any]:
    """Read a whole variable of an image.

    Raises:
        InputError: naming the store, where a chunk is damaged.
    """
    with reading(f"{data.encoding.get('source', 'prediction')}: {variable}"):
        # of a copy: what is read of an array itself stays in memory as long as the array
        values: NDArray[Any] = data[variable].copy(deep=False).values
    return values


def with_size(item: Survey, pixel_size: Sequence[float] | None) -> Survey:
    """Return the classes at this distance of pixels, micrometres, in place of the file's."""
    if pixel_size is None:
        return item
    spacing = pixel_sizes(pixel_size, len(item.spacing))
    pixel = math.prod(spacing)
    area = item.area / math.prod(item.spacing) * pixel
    return replace(item, spacing=spacing, weights=(pixel,), area=area, unit="µm")


def pool(items: Sequence[Survey]) -> Survey:
    """Return all images as one: the samples share their masks, so the t-th of all belong together.

    Raises:
        InputError: when images have lengths in different units.
    """
    first = items[0]
    other = next((item for item in items if item.unit != first.unit), None)
    if other is not None:
        fix = "pass `pixel_size`" if "pixel" in (other.unit, first.unit) else "predict them apart"
        raise InputError(f"{other.image} is in {other.unit}, but {first.image} in {first.unit}; {fix}")
    areas = [item.area for item in items]
    fractions = np.average([item.fractions for item in items], axis=0, weights=areas)
    samples = np.average([item.samples for item in items], axis=0, weights=areas)
    return replace(
        first,
        image=ALL,
        pooled=True,
        fractions=fractions,
        samples=samples,
        totals=Totals.join([item.totals for item in items]),
        weights=tuple(weight for item in items for weight in item.weights),
        area=sum(areas),
    )
