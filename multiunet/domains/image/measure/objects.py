"""Objects of a predicted image: their places, sizes and confidence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from skimage.measure import regionprops

from multiunet.domains.image.files.lazy import Pixels
from multiunet.domains.image.measure.intensity import mean_intensities
from multiunet.domains.image.measure.shape import Shape, describe_shape
from multiunet.domains.reading import reading

BLOCK = 1 << 22
"""Probabilities that are in memory at once."""

DIGITS = 6
"""Of shares and probabilities: stored ones have 32 bits."""


@dataclass(frozen=True)
class ToldClass:
    """Class of an object, with its probability and that probability's variances.

    ``class_total = class_epistemic + class_aleatoric = class_probability (1 - class_probability)``.
    """

    object_class: str
    class_probability: float
    class_epistemic: float
    class_aleatoric: float
    class_total: float


@dataclass(frozen=True)
class ObjectRow:
    """Connected part of a class, or an object: a row of ``objects.csv``.

    Diameter and centre are in ``length_unit``, the area is in ``area_unit``.

    Attributes:
        confidence: share of the Monte-Carlo samples in which it is found: an object there (of the same class) overlaps
            it by an IoU above 0.5. None of a single sample, or of a prediction without confidence.
        probability: mean probability of its class (of separated objects, of lying in one) over its pixels.
        shape: axes, Feret diameters and lengths; None where they were not asked for.
        intensity: mean of each channel of the image under it; empty where the image is not read.
        told: its class; None where objects have none.
    """

    image: str
    phase: str
    number: int
    pixels: int
    area: float
    diameter: float
    centre: tuple[float, ...]
    length_unit: str
    area_unit: str
    touches_border: bool
    confidence: float | None
    probability: float
    shape: Shape | None = None
    intensity: tuple[float, ...] = ()
    told: ToldClass | None = None


@dataclass(frozen=True)
class Scale:
    """Distance of neighbouring pixels by axis, and its unit."""

    spacing: tuple[float, ...]
    unit: str

    @property
    def area_unit(self) -> str:
        """Unit of areas, or of volumes."""
        return self.unit if self.unit == "pixel" else f"{self.unit}{'²' if len(self.spacing) == 2 else '³'}"


@dataclass(frozen=True)
class Sureness:
    """Confidence and mean probability by the number of an object, ``(n + 1,)``.

    The confidence is None where the prediction has none.
    """

    confidence: NDArray[np.float64] | None
    probability: NDArray[np.float64]


def read_sureness(data: xr.Dataset, numbered: NDArray[np.integer], channel: int | None) -> Sureness:
    """Read how sure the objects of an image are, a block of rows at a time.

    Args:
        data: the stored prediction of the image.
        numbered: its objects, numbered from 1, 0 outside; ``space``.
        channel: class of the objects; None: they are all that is not outside, the first class.

    Raises:
        InputError: naming the store, where a chunk is damaged.
    """
    count = int(numbered.max()) + 1
    sizes, sums = np.zeros(count), np.zeros((2, count))
    known = "confidence" in data
    rows = str(data["mean"].dims[1])
    step = max(1, BLOCK * len(numbered) // data["mean"].size)
    for first in range(0, len(numbered), step):
        part = slice(first, first + step)
        numbers = numbered[part].ravel()
        with reading(f"{data.encoding.get('source', 'prediction')}: mean, confidence"):
            block = data.isel({rows: part})
            mean = block["mean"].isel(channel=channel or 0).copy(deep=False).values.ravel()
            share = block["confidence"].copy(deep=False).values.ravel() if known else None
        sizes += np.bincount(numbers, minlength=count)
        sums[0] += np.bincount(numbers, 1 - mean if channel is None else mean, minlength=count)
        if share is not None:
            sums[1] += np.bincount(numbers, np.nan_to_num(share), minlength=count)
    probability, confidence = np.round(sums / np.maximum(sizes, 1), DIGITS)
    return Sureness(confidence if known else None, probability)


def read_told(data: xr.Dataset) -> list[ToldClass]:
    """Read the class of each object of an image; none where they have none.

    Raises:
        InputError: naming the store, where a chunk is damaged.
    """
    if "object_mean" not in data:
        return []
    with reading(f"{data.encoding.get('source', 'prediction')}: object_mean"):
        mean, epistemic, aleatoric, total = (
            np.round(data[f"object_{name}"].copy(deep=False).values.astype(float), DIGITS)
            for name in ("mean", "epistemic", "aleatoric", "total")
        )
    names = data["object_mean"].attrs["classes"]
    chosen = mean.argmax(axis=1)
    return [
        ToldClass(names[k], *(float(part[row, k]) for part in (mean, epistemic, aleatoric, total)))
        for row, k in enumerate(chosen)
    ]


def find_rows(
    image: str,
    phase: str,
    numbered: NDArray[np.integer],
    scale: Scale,
    sureness: Sureness,
    min_size: int,
    shapes: bool = False,
    pixels_of: Pixels | None = None,
    told: Sequence[ToldClass] = (),
) -> Iterator[ObjectRow]:
    """Yield the objects of at least ``min_size`` pixels, numbered in their order.

    Args:
        numbered: the objects, ``space``, 0 outside.
        shapes: whether to describe their shapes.
        pixels_of: the image's, ``(C, *space)``, for their intensities.
        told: class of each object; empty where they have none.
    """
    intensities = None if pixels_of is None else mean_intensities(pixels_of, numbered)
    ndim, number = numbered.ndim, 0
    # of a unit ball: the diameter of a circle of area a is 2 sqrt(a / pi), of a ball of volume v 2 (3 v / 4 pi)^(1/3)
    unit_ball = math.pi ** (ndim / 2) / math.gamma(ndim / 2 + 1)
    for region in regionprops(numbered):
        pixels = int(region.num_pixels)
        if pixels < min_size:
            continue
        number += 1
        area = pixels * math.prod(scale.spacing)
        starts, ends = region.bbox[:ndim], region.bbox[ndim:]
        yield ObjectRow(
            image=image,
            phase=phase,
            number=number,
            pixels=pixels,
            area=area,
            diameter=2 * (area / unit_ball) ** (1 / ndim),
            centre=tuple(float(c * step) for c, step in zip(region.centroid, scale.spacing)),
            length_unit=scale.unit,
            area_unit=scale.area_unit,
            touches_border=min(starts) == 0 or any(end == side for end, side in zip(ends, numbered.shape)),
            confidence=None if sureness.confidence is None else float(sureness.confidence[region.label]),
            probability=float(sureness.probability[region.label]),
            shape=describe_shape(region.image, scale.spacing) if shapes else None,
            intensity=() if intensities is None else tuple(intensities[:, region.label].tolist()),
            told=told[region.label - 1] if told else None,
        )
