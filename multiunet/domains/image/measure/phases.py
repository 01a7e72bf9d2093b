"""Phase fractions with intervals, and objects, of a predicted segmentation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from skimage.measure import label

from multiunet.domains.image.config import ImageMeasure
from multiunet.domains.image.data.inputs import AXES
from multiunet.domains.image.files.lazy import check_fits, format_shape
from multiunet.domains.image.measure.intensity import open_pixels
from multiunet.domains.image.measure.objects import ObjectRow, find_rows, read_sureness, read_told
from multiunet.domains.image.measure.shares import Share, state_count, state_shares
from multiunet.domains.image.measure.survey import (
    OBJECT,
    Survey,
    has_class,
    pool,
    read_class_map,
    read_variable,
    survey_image,
    with_size,
)
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.prediction import open_datasets
from multiunet.prediction.totals import open_sums
from multiunet.uncertainty.sums import SumCalibration, Totals
from multiunet.wording import counted, listing

SPECK = 5
"""Pixels: objects that are smaller are mostly noise."""

SEEN = 30
"""Expected pixels of a class from which it is said that no class map shows it."""


@dataclass(frozen=True)
class PhaseRow:
    """Class in an image, or in all images: a row of ``phases.csv``.

    Attributes:
        separated: whether objects were separated, by a watershed of the mean probabilities.
        fraction: of the pixels, those that the class map gives the class; of separated objects, those that lie in one
            (in none, for the outside).
        fraction_estimate: mean probability of the class, less the error common to all held-out images: nearer to the
            truth where a class is rare, or never the likeliest.
        fraction_low, fraction_high: the truth is between them with a probability of 90 %.
        fraction_sd: half the width of the interval of 68 %. These four are None in predictions of a run that is not
            calibrated (``multiunet calibrate``), or that validated on fewer than two images.
        samples_sd: standard deviation of the fraction over the Monte-Carlo samples (ddof 1); None of a single sample.
            It says how much the model's own answer depends on its samples, not how wrong it is, which is far more. No
            watershed exists for a sample, only the share of objects in its class map. So the fraction of separated
            objects is taken to vary by the same ratio: sample t stands for ``fraction * share_t / mean(share)``. None
            where fraction or shares are 0.
        pooled: whether this is of all images together.
        area: of the class in its map (of volumes, its volume), in ``area_unit``; ``area_low`` and ``area_high`` as of
            the fraction.
        length_unit, area_unit: ``µm`` and ``µm²`` (of volumes ``µm³``), or ``pixel`` both.
        objects: connected parts, or separated objects, of at least ``min_size`` pixels; None where they were not
            counted.
        objects_low, objects_high: the true number is between them with a probability of 90 %; of separated objects, if
            ``min_size`` is 1, of predictions of a calibrated run.
        whole: of them, those that do not touch the border: only their sizes count below.
        diameter_mean, diameter_median, diameter_sd: of the circle (ball) of the object's area (volume), in
            ``length_unit``; the deviation has ddof 1, and is None of a single object.
        feret_max_mean, feret_min_mean, length_mean, elongation_mean: means of their shapes (see ``Shape``); None
            without `shapes`.
        intensity_mean: by channel, of all objects of at least ``min_size`` pixels alike, whatever their size.
    """

    image: str
    pooled: bool
    phase: str
    separated: bool
    fraction: float
    fraction_estimate: float | None
    fraction_low: float | None
    fraction_high: float | None
    fraction_sd: float | None
    samples_sd: float | None
    area: float
    area_low: float | None
    area_high: float | None
    length_unit: str
    area_unit: str
    objects: int | None
    objects_low: float | None
    objects_high: float | None
    whole: int | None
    diameter_mean: float | None
    diameter_median: float | None
    diameter_sd: float | None
    feret_max_mean: float | None = None
    feret_min_mean: float | None = None
    length_mean: float | None = None
    elongation_mean: float | None = None
    intensity_mean: tuple[float, ...] = ()


@dataclass(frozen=True)
class Measures:
    """Phases and objects of the images of a prediction; of several, phases of all together, too.

    Attributes:
        axes: of the images, ``("y", "x")`` for example.
    """

    phases: list[PhaseRow]
    parts: list[ObjectRow]
    axes: tuple[str, ...]


def measure(options: ImageMeasure) -> Measures:
    """Measure a stored segmentation.

    Raises:
        InputError: for a store without classes of pixels, or classes that it does not have.
    """
    images = open_datasets(options.prediction)
    for name, data in images.items():
        if "fraction" not in data or "class" not in data:
            raise InputError(
                f"{options.prediction}: {name} holds no classes of pixels; measure what `multiunet predict image` "
                "wrote with a run of `task=segmentation`"
            )
    if not images:
        raise InputError(f"{options.prediction}: holds no image")
    for name, data in images.items():
        size, what = data["class"].size, f"the class map of {name}, {format_shape(data['class'].shape)},"
        # the map, where it is of a class, and the numbers of objects, which the search takes twice
        check_fits(options.prediction, what, 18 * size, "predict and measure it in parts")
    # maps are read image by image, once for fractions and once for parts: only those of one are in memory
    surveyed = [with_size(survey_image(name, data), options.pixel_size) for name, data in images.items()]
    _warn_of_missed(surveyed)
    sums = open_sums(options.prediction)
    chosen = _counted(options, surveyed)
    parts = {item.image: list(_parts(item, images[item.image], chosen, options)) for item in surveyed}
    if options.min_size > 1:  # what was learnt is how many objects of any size are missed
        sums = {name: fit for name, fit in sums.items() if name != "objects"}
    phases = [phase for item in surveyed for phase in _phases(item, chosen, [parts[item.image]], sums)]
    everything = [part for found in parts.values() for part in found]
    if len(surveyed) > 1:
        phases += _phases(pool(surveyed), chosen, list(parts.values()), sums)
    _warn_of_specks(everything)
    return Measures(phases, everything, AXES[len(surveyed[0].spacing)])


def _warn_of_missed(items: Sequence[Survey]) -> None:
    """Say which classes are likely somewhere and decided nowhere: their fraction of 0 says little."""
    if items[0].separated:
        return
    decided = np.sum([item.fractions for item in items], axis=0)
    likely = Totals.join([item.totals for item in items]).mean.sum(axis=0)
    classes = zip(items[0].names, decided, likely)
    missed = [f"{name} ({pixels:,.0f})" for name, share, pixels in classes if not share and pixels >= SEEN]
    if missed:
        remark(
            f"no pixel of any class map is of a class whose probabilities add up to so many pixels: {listing(missed)}; "
            "its fraction and objects are 0, and the column fraction_estimate tells more"
        )


def _warn_of_specks(parts: Sequence[ObjectRow]) -> None:
    specks = sum(part.pixels < SPECK for part in parts)
    if 2 * specks > len(parts):
        remark(
            f"{specks} of {counted(len(parts), 'object')} have fewer than {SPECK} pixels, which is mostly noise; leave "
            "such objects out with `min_size`"
        )


def _counted(options: ImageMeasure, items: Sequence[Survey]) -> list[str]:
    """The classes whose objects are counted: by default all but the one that covers most, the matrix.

    Of classes that may overlap all: none is what the others leave.
    """
    names = items[0].names
    for name in options.objects or []:
        if name not in names:
            raise InputError(f"`objects={name}`: the classes of {options.prediction} are {', '.join(names)}")
    if options.objects is not None:
        return options.objects
    if items[0].separated:
        return [OBJECT]
    if items[0].overlapping:
        return names
    matrix = int(np.argmax(sum(item.fractions * item.area for item in items)))
    return [name for index, name in enumerate(names) if index != matrix]


def _phases(
    item: Survey, counted: Sequence[str], parts: Sequence[Sequence[ObjectRow]], sums: Mapping[str, SumCalibration]
) -> Iterator[PhaseRow]:
    """Yield a row for each class; ``parts`` are those of each image."""
    shares = state_shares(sums, item.totals, item.weights)
    if item.separated:  # inside and boundary are both of an object
        kinds = item.names[2:]
        # the sum of a class's parts has no interval of its own
        of_kinds = shares[1:] if len(shares) == 1 + len(kinds) else [Share()] * len(kinds)
        shares = [shares[0], shares[0].rest(), *(of_kinds if kinds else [])]
    for index, (name, sd, share) in enumerate(zip(item.names, item.deviations(), shares)):
        by_image = [_choose(of_image, name, counted) for of_image in parts]
        own = [part for of_image in by_image for part in of_image]
        is_counted = name in counted or (item.separated and index > 1 and OBJECT in counted)
        told_apart = item.separated and index > 0 and is_counted
        low, high = state_count(sums, list(map(len, by_image)) if told_apart else [], max(0, index - 1))
        whole = [part for part in own if not part.touches_border]
        sizes, shapes = [part.diameter for part in whole], [part.shape for part in whole if part.shape is not None]
        fraction = float(item.fractions[index])
        yield PhaseRow(
            image=item.image,
            pooled=item.pooled,
            phase=name,
            separated=item.separated,
            fraction=fraction,
            fraction_estimate=share.estimate,
            fraction_low=share.low,
            fraction_high=share.high,
            fraction_sd=share.deviation,
            samples_sd=sd,
            area=fraction * item.area,
            area_low=None if share.low is None else share.low * item.area,
            area_high=None if share.high is None else share.high * item.area,
            length_unit=item.unit,
            area_unit=item.scale.area_unit,
            objects=len(own) if is_counted else None,
            objects_low=low,
            objects_high=high,
            whole=len(sizes) if is_counted else None,
            diameter_mean=float(np.mean(sizes)) if sizes else None,
            diameter_median=float(np.median(sizes)) if sizes else None,
            diameter_sd=float(np.std(sizes, ddof=1)) if len(sizes) > 1 else None,
            feret_max_mean=_mean([shape.feret_max for shape in shapes]),
            feret_min_mean=_mean([shape.feret_min for shape in shapes]),
            length_mean=_mean([shape.length for shape in shapes]),
            elongation_mean=_mean([shape.elongation for shape in shapes]),
            intensity_mean=tuple(np.mean([part.intensity for part in own], axis=0).tolist()) if own else (),
        )


def _choose(parts: Sequence[ObjectRow], name: str, counted: Sequence[str]) -> list[ObjectRow]:
    """Return the parts of a phase: those that were counted as it, or all objects of this class."""
    if name in counted:
        return [part for part in parts if part.phase == name]
    return [part for part in parts if part.phase == OBJECT and part.told and part.told.object_class == name]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _parts(item: Survey, data: xr.Dataset, counted: Sequence[str], options: ImageMeasure) -> Iterator[ObjectRow]:
    """The numbered objects; else, pixels that touch, at a corner too, are one part."""
    classes = read_class_map(data)
    pixels = open_pixels(item.image, data, options.prediction) if options.intensity else None
    for name in counted:
        channel, told = item.names.index(name), []
        own = has_class(classes, channel, data)
        if apart := item.separated and channel > 0:
            numbered, told = np.where(own, read_variable(data, "instance"), 0), read_told(data)
        else:
            numbered = label(own, connectivity=own.ndim)
        sureness = read_sureness(data, numbered, None if apart else channel)
        how = options.min_size, options.shapes, pixels, told
        yield from find_rows(item.image, name, numbered, item.scale, sureness, *how)
