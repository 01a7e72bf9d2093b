"""Pictures of scored images: image, truth, prediction, error and uncertainty side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.cases import Album, Case, Panel, Scale
from multiunet.domains.image.evaluation.labelled import LabelledImage
from multiunet.domains.image.evaluation.shown import Decide, Sketch, join_labels
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.labelled import Piece
from multiunet.domains.report.colours import color_classes, css, pick_colours
from multiunet.domains.report.rasters import MISSED, WRONG, encode, encode_labels, encode_scaled, paint, stretch
from multiunet.metrics.instances import overlaps
from multiunet.wording import percent

FOUND = 0.5
"""IoU above which an object counts as found."""

Picture = NDArray[np.uint8]


class ImageAlbum(Album):
    """Collector of truth and prediction of images, thinned to what a page shows.

    Args:
        images: that are scored, by name.
        names: of the classes or quantities.
        decide: returns the classes of probabilities, as predictions do.
    """

    def __init__(
        self, images: Mapping[str, LabelledImage], info: ImageInfo, names: Sequence[str], decide: Decide
    ) -> None:
        super().__init__()
        self.images, self.info, self.names = images, info, names
        self._decide = None if info.regression or info.instances is not None else decide
        self._combine = None if info.overlapping is None else join_labels
        self._sketches: dict[str, Sketch] = {}
        self._classes: dict[str, Sketch] = {}

    def add(self, piece: Piece) -> None:
        name = piece.item
        assert name is not None  # images have names
        if name not in self._sketches:
            space = self.images[name].load().picture.space
            self._sketches[name] = Sketch(space, self._decide, self._combine)
            self._classes[name] = Sketch(space, None)
        if self._named:  # objects and their classes
            numbers, classes = (
                replace(piece, predicted=piece.predicted[:, [place]], target=piece.target[:, place]) for place in (0, 1)
            )
            self._classes[name].add(classes)
            piece = numbers
        self._sketches[name].add(piece)

    def drop(self, name: str) -> None:
        del self._sketches[name], self._classes[name]

    @property
    def _named(self) -> tuple[str, ...]:
        """Classes of the objects; empty where they have none."""
        own = None if self.info.instances is None else self.info.instances.classes
        return () if own is None else own.names

    def draw(self, names: Sequence[str]) -> list[Case]:
        return [self._draw(name, self._sketches[name]) for name in names]

    def _draw(self, name: str, sketch: Sketch) -> Case:
        picture = stretch(self._pixels(name, sketch))
        legend: dict[str, str] = {}
        if self.info.instances is not None:
            drawn, legend = draw_objects(sketch, picture), {"false": css(WRONG), "missed": css(MISSED)}
            if self._named:
                drawn = chain(draw_object_classes(self._classes[name], len(self._named)), drawn)
                legend = color_labels(self._named) | legend
        elif self.info.overlapping is not None:
            drawn, legend = draw_labels(sketch, picture, len(self.names)), color_labels(self.names)
        elif self.info.regression:
            drawn = draw_quantity(sketch, "" if len(self.names) == 1 else self.names[0])
        else:
            drawn, legend = draw_classes(sketch, picture, len(self.names)), color_classes(self.names)
        panels = [Panel("image", encode(picture)), *drawn]
        return Case(name, panels, sketch.window.describe(), legend)

    def _pixels(self, name: str, sketch: Sketch) -> NDArray[np.generic]:
        """Return the pixels that are shown, ``(C, height, width)``."""
        pixels = self.images[name].load().picture.pixels
        taken = sketch.window.take(pixels[...], None)
        assert taken is not None  # of the whole image there is always a part
        return taken[0]


def draw_classes(sketch: Sketch, picture: Picture, count: int) -> Iterator[Panel]:
    """Draw the truth, the prediction, wrong pixels and the uncertainty of classes."""
    colours = pick_colours(count)
    truth, predicted = (np.nan_to_num(part, nan=-1).astype(np.int64) for part in (sketch.truth, sketch.predicted))
    known = truth >= 0
    wrong = known & (predicted != truth)
    share = f"{percent(float(wrong.sum() / max(1, known.sum())))} of these pixels are wrong"
    yield Panel("truth", encode_labels(truth, colours))
    yield Panel("prediction", encode_labels(predicted, colours))
    yield Panel("error", encode(paint(picture, [(wrong, WRONG)])), share)
    yield from draw_spread(sketch.spread, count)


def draw_labels(sketch: Sketch, picture: Picture, count: int) -> Iterator[Panel]:
    """Draw truth, prediction, wrong pixels and uncertainty of classes that may overlap."""
    truth, predicted = (np.nan_to_num(part, nan=-1).astype(np.int64) for part in (sketch.truth, sketch.predicted))
    known = truth >= 0
    wrong = known & (predicted != truth)
    share = f"{percent(float(wrong.sum() / max(1, known.sum())))} of these pixels have a wrong class"
    yield Panel("truth", encode(paint_labels(truth, count)), "colours of classes that overlap are mixed")
    yield Panel("prediction", encode(paint_labels(predicted, count)))
    yield Panel("error", encode(paint(picture, [(wrong, WRONG)])), share)
    yield from draw_spread(sketch.spread, None)


def paint_labels(bits: NDArray[np.int64], count: int) -> Picture:
    """Return the mean colour of the classes of each pixel, ``(height, width, 3)``; of none, black.

    Args:
        bits: of the classes, ``(height, width)``; -1 where unknown.
        count: classes.
    """
    colours = pick_colours(count + 1)[1:].astype(np.float64)
    has = (np.maximum(bits, 0)[..., None] >> np.arange(count) & 1).astype(np.float64)
    painted: Picture = (has @ colours / np.maximum(has.sum(axis=-1, keepdims=True), 1)).round().astype(np.uint8)
    return painted


def color_labels(names: Sequence[str]) -> dict[str, str]:
    """Return the colour of each class that may overlap others, as CSS has it."""
    return dict(list(color_classes(["", *names]).items())[1:])


def draw_objects(sketch: Sketch, picture: Picture) -> Iterator[Panel]:
    """Draw true and predicted objects, those that are false or missed, and the uncertainty of the pixels."""
    truth, found = sketch.truth.astype(np.int64), sketch.predicted.astype(np.int64)
    pairs = overlaps(np.where(truth < 0, 0, found), np.maximum(truth, 0))
    hits = pairs.iou > FOUND
    false = (found > 0) & (truth >= 0) & ~np.isin(found, pairs.predicted[hits])
    missed = (truth > 0) & ~np.isin(truth, pairs.true[hits])
    counts = [len(np.unique(numbers[numbers > 0])) for numbers in (truth, found)]
    yield Panel("truth", encode(color_numbers(truth)), f"{counts[0]} objects")
    yield Panel("prediction", encode(color_numbers(found)), f"{counts[1]} objects")
    yield Panel("error", encode(paint(picture, [(missed, MISSED), (false, WRONG)])), f"found: overlap above {FOUND}")
    yield from draw_spread(sketch.spread, None)


def draw_object_classes(sketch: Sketch, count: int) -> Iterator[Panel]:
    """Draw true and predicted objects in the colours of their classes; all else is black.

    Args:
        count: classes.
    """
    colours = pick_colours(count + 1)
    for title, classes in (("true classes", sketch.truth), ("predicted classes", sketch.predicted)):
        shown = np.nan_to_num(classes, nan=-1).astype(np.int64)
        yield Panel(title, encode(np.where(shown[..., None] < 0, 0, colours[shown + 1]).astype(np.uint8)))


def draw_quantity(sketch: Sketch, name: str) -> Iterator[Panel]:
    """Draw the truth, the prediction, their difference and the standard deviation of a quantity.

    Args:
        name: of the first of several quantities, which is shown; empty: there is one.
    """
    truth, mean = sketch.truth.astype(np.float64), sketch.predicted.astype(np.float64)
    known = truth[np.isfinite(truth)]
    low, high = np.percentile(known if known.size else mean, (0.5, 99.5))
    scale, of = Scale("grey", f"{low:.4g}", f"{high:.4g}"), f" of {name}" if name else ""
    most = float(np.nanpercentile(np.abs(mean - truth), 99.5)) if known.size else 1.0
    ends = Scale("difference", f"-{most:.3g}", f"+{most:.3g}")
    yield Panel(f"truth{of}", encode_scaled(truth, low, high, "grey"), scale=scale)
    yield Panel(f"prediction{of}", encode_scaled(mean, low, high, "grey"), scale=scale)
    yield Panel("error", encode_scaled(mean - truth, -most, most, "difference"), "prediction - truth", ends)
    if np.isfinite(sketch.spread).any():
        deviation = np.sqrt(sketch.spread.clip(0))
        widest = float(np.nanpercentile(deviation, 99.5))
        shown = Scale("uncertainty", "0", f"{widest:.3g}")
        yield Panel("uncertainty", encode_scaled(deviation, 0, widest, "uncertainty"), "standard deviation", shown)


def draw_spread(total: NDArray[np.float32], classes: int | None) -> Iterator[Panel]:
    """Draw the total variance of classes.

    Args:
        classes: number of them, which says how large it can be; None: the scale ends at the largest there is.
    """
    if np.isfinite(total).any():
        most = 1 - 1 / classes if classes else float(np.nanmax(total))
        scale = Scale("uncertainty", "0", f"{most:.3g}")
        yield Panel("uncertainty", encode_scaled(total, 0, most, "uncertainty"), "variance, all classes", scale)


def color_numbers(numbers: NDArray[np.int64]) -> Picture:
    """Return objects ``(height, width)`` in seven colours in turn; what lies outside is black."""
    picked: Picture = pick_colours(8)[np.where(numbers > 0, numbers % 7 + 1, 0)]
    return picked
