"""Sums and means of predicted quantities with intervals that cover: of images, and of regions of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from multiunet.domains.image.config import ImageMeasure
from multiunet.domains.image.files.info_bar import drop_rows
from multiunet.domains.image.files.lazy import Pixels, format_shape
from multiunet.domains.image.files.listing import list_images
from multiunet.domains.image.files.masks import read_mask
from multiunet.domains.image.files.pairing import match_names
from multiunet.domains.image.measure.survey import ALL
from multiunet.domains.reading import reading
from multiunet.errors import InputError
from multiunet.prediction import open_datasets
from multiunet.prediction.totals import LEVEL, least_value, open_sums, sum_sites
from multiunet.uncertainty.sums import ItemSums, SumCalibration, SumInterval, Totals, design_effect
from multiunet.wording import listing

BLOCK = 1 << 22
"""Numbers that are in memory at once."""


@dataclass(frozen=True)
class QuantityRow:
    """Quantity in an image, in a region of it, or in all images: a row of ``quantities.csv``.

    Of a density of dots, the sum is the number of objects. Of classes, the quantity is the probability of each.

    Attributes:
        pooled: whether this is of all images together.
        region: number of the region in the mask of ``regions``; None: the whole image.
        pixels: those that were predicted, which count.
        sum, mean: of the predicted quantity over these pixels, as it is.
        estimate: the sum, less the error common to all held-out images.
        low, high: the true sum is between them with a probability of 90 %; cut at 0 where it cannot be less, as of
            dots. ``mean_low`` and ``mean_high`` are those of the mean.
        sd: half the width of the sum's interval of 68 %. All of these are None in predictions of a run that is not
            calibrated (``multiunet calibrate``), or that validated on fewer than two images.
    """

    image: str
    pooled: bool
    region: int | None
    quantity: str
    pixels: int
    sum: float
    estimate: float | None
    low: float | None
    high: float | None
    sd: float | None
    mean: float
    mean_low: float | None
    mean_high: float | None


def measure_quantities(options: ImageMeasure) -> list[QuantityRow]:
    """Measure stored quantities, or the probabilities of classes: of images, of all together, of regions.

    Pixels are read a block of rows at a time.

    Raises:
        InputError: for a store without images, or masks of regions that do not fit them.
    """
    images = open_datasets(options.prediction)
    if not images:
        raise InputError(f"{options.prediction}: holds no image")
    sums = open_sums(options.prediction)
    least = least_value(options.prediction)
    masks = None if options.regions is None else _find_masks(options.regions, images)
    rows: list[QuantityRow] = []
    whole: list[Totals] = []
    for name, data in images.items():
        names = [str(channel) for channel in data["channel"].values]
        whole.append(sum_sites(data))
        limits = (0.0, 1.0) if "class" in data else (least, math.inf)  # of a site
        rows += _state(_Place(name), names, whole[-1], _interval(sums, whole[-1]), limits)
        if masks is not None:
            for region, totals in sum_regions(data, _read_regions(masks[name], data)).items():
                interval = _interval(sums, totals, whole[-1].sites)
                rows += _state(_Place(name, region), names, totals, interval, limits)
    if len(images) > 1:
        joined = Totals.join(whole)
        rows += _state(_Place(ALL, pooled=True), names, joined, _interval(sums, joined), limits)
    return rows


def _find_masks(where: Path, images: Mapping[str, xr.Dataset]) -> dict[str, Path]:
    known = list_images(where, "labels")
    found = match_names({name: Path(name) for name in images}, known)
    if found is None:
        missing = [name for name in images if name not in known] or list(images)
        raise InputError(f"{where}: no mask of regions for {listing(missing)}; name it like the predicted image")
    return {image: known[mask] for image, mask in found.items()}


def _read_regions(path: Path, data: xr.Dataset) -> Pixels:
    """Read the numbered regions of an image, ``space``, without its information bar."""
    labels, space = read_mask(path, numbered=True, checked=True), data["mean"].shape[1:]
    bar = int(data.attrs.get("crop_bar", 0))
    if bar and labels.shape == (*space[:-2], space[-2] + bar, space[-1]):
        labels = drop_rows(labels, bar)
    if labels.shape != space:
        raise InputError(
            f"{path}: is {format_shape(labels.shape)}, but the predicted image is {format_shape(space)}; regions are "
            "pixels of the image, numbered from 1, 0 elsewhere"
        )
    return labels


def sum_regions(data: xr.Dataset, regions: Pixels) -> dict[int, Totals]:
    """Sum one stored input over each region, by its number: a row of ``Totals`` each.

    Args:
        regions: number of each pixel's region, ``space``; 0 or less is none.

    Raises:
        InputError: naming the store, where a chunk is damaged.
    """
    found: dict[int, NDArray[np.float64]] = {}
    axis, names = str(data["mean"].dims[1]), data.sizes["channel"]
    step = max(1, BLOCK * data.sizes[axis] // data["mean"].size)
    for first in range(0, data.sizes[axis], step):
        numbers, index = np.unique(regions[first : first + step], return_inverse=True)
        with reading(f"{data.encoding.get('source', 'prediction')}: mean, total"):
            block = data.isel({axis: slice(first, first + step)})
            parts = [block[part].copy(deep=False).values.reshape(names, -1) for part in ("mean", "total")]
        known = np.isfinite(parts[0])
        for channel in range(names):
            sites = known[channel]
            values = [np.ones(sites.sum()), *(part[channel, sites] for part in parts)]
            summed = [np.bincount(index.ravel()[sites], value, minlength=len(numbers)) for value in values]
            for number, sums in zip(numbers.tolist(), np.transpose(summed)):
                if number > 0:
                    found.setdefault(number, np.zeros((3, 1, names)))[:, 0, channel] += sums
    return {number: Totals(*found[number]) for number in sorted(found)}


def _interval(
    sums: Mapping[str, SumCalibration], totals: Totals, image_sites: NDArray[np.float64] | None = None
) -> SumInterval | None:
    """Return the interval of a sum over images, or over a region of an image of so many sites."""
    fit = sums.get("sites")
    if fit is None:
        return None
    if image_sites is not None and isinstance(fit, ItemSums):
        fit = widen(fit, totals.sites[0], image_sites[0])
    return fit.interval(totals, LEVEL)


def widen(fit: ItemSums, sites: NDArray[np.float64], image_sites: NDArray[np.float64]) -> ItemSums:
    """Return intervals of sums over a region that are no narrower than its errors may be.

    Near pixels err more alike than those of a whole image, on which the correlation was fitted. But the smaller the
    region, the fewer of its pixels err alike: its design effect is at most that of the image, and at most its size.

    Args:
        sites: pixels of the region, one number a quantity.
        image_sites: those of its image.
    """
    effect = np.minimum(design_effect(image_sites, fit.correlation), np.maximum(sites, 1))
    deviation = np.array(fit.deviation) * np.sqrt(effect)
    return replace(fit, correlation=(0.0,) * len(deviation), deviation=tuple(deviation.tolist()))


@dataclass(frozen=True)
class _Place:
    image: str
    region: int | None = None
    pooled: bool = False


def _state(
    place: _Place, names: list[str], totals: Totals, interval: SumInterval | None, limits: tuple[float, float]
) -> Iterator[QuantityRow]:
    """Yield a row for each quantity, its estimate and interval cut at what each site can be at least and at most."""
    if interval is not None:
        count = totals.sites.sum(axis=0)
        least, most = ((limit * count if math.isfinite(limit) else limit) for limit in limits)
        interval = interval.cut(least, most)
    for k, name in enumerate(names):
        sites, total = float(totals.sites[:, k].sum()), float(totals.mean[:, k].sum())
        estimate, low, high, sd = (None,) * 4 if interval is None else _finite(interval, k)
        yield QuantityRow(
            image=place.image,
            pooled=place.pooled,
            region=place.region,
            quantity=name,
            pixels=int(sites),
            sum=total,
            estimate=estimate,
            low=low,
            high=high,
            sd=sd,
            mean=total / sites if sites else 0.0,
            mean_low=None if low is None or not sites else low / sites,
            mean_high=None if high is None or not sites else high / sites,
        )


def _finite(interval: SumInterval, k: int) -> list[float | None]:
    """Return estimate, low, high and deviation of a quantity; all None where one is not known."""
    values = [float(part[k]) for part in (interval.estimate, interval.low, interval.high, interval.deviation)]
    return list(values) if np.isfinite(values).all() else [None] * 4
