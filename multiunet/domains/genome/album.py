"""Pictures of scored chromosomes: a signal with its band, or classes as strips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.cases import Album, Case, Panel, Scale
from multiunet.domains.genome.info import GenomeInfo
from multiunet.domains.labelled import Piece
from multiunet.domains.report.charts import Axis, Chart, Line, make_chart
from multiunet.domains.report.colours import color_classes, pick_colours
from multiunet.domains.report.rasters import encode, encode_labels, encode_scaled

POINTS = 800
"""Of a line along a chromosome; more bins are averaged."""

CLOSE = 200
"""Bins of the stretch that is shown bin by bin."""

TRACKS = 3
"""Most tracks that are drawn."""

STRIP = 14
"""Height of a strip of classes, pixels."""

Floats = NDArray[np.float32]


class GenomeAlbum(Album):
    """Collector of charts along chromosomes.

    Args:
        names: of the tracks or classes.
    """

    def __init__(self, info: GenomeInfo, names: Sequence[str]) -> None:
        super().__init__()
        self.info, self.names = info, list(names)
        self._cases: dict[str, Case] = {}

    def add(self, piece: Piece) -> None:
        assert piece.item is not None  # chromosomes have names
        mean, truth = piece.predicted[0].cpu().numpy(), piece.target[0].cpu().numpy()
        total = np.zeros_like(mean)
        if piece.moments is not None:
            total = (piece.moments.epistemic + piece.moments.aleatoric)[0].cpu().numpy()
        if truth.ndim < mean.ndim:
            panels, legend = list(self._strips(mean, truth, total)), color_classes(self.names)
            self._cases[piece.item] = Case(piece.item, panels, f"bins of {self.info.bin_size:,} bases", legend)
        else:
            words = f"bins of {self.info.bin_size:,} bases; band: one standard deviation, total"
            self._cases[piece.item] = Case(piece.item, list(self._lines(mean, truth, total)), words)

    def drop(self, name: str) -> None:
        del self._cases[name]

    def draw(self, names: Sequence[str]) -> list[Case]:
        return [self._cases[name] for name in names]

    def _lines(self, mean: Floats, truth: Floats, total: Floats) -> Iterator[Panel]:
        """Yield two charts of each track: all of the chromosome, and the stretch where it errs most."""
        for place, name in enumerate(self.names[:TRACKS]):
            rows = truth[place], mean[place], np.sqrt(total[place].clip(0))
            step = max(1, -(-mean.shape[1] // POINTS))
            coarse = tuple(average(row, step) for row in rows)
            if (chart := self._chart(f"{name}, whole chromosome", coarse, 0, step)) is not None:
                yield Panel(name, chart, wide=True)
            first = find_worst(np.abs(rows[1] - rows[0]), CLOSE)
            close = tuple(row[first : first + CLOSE] for row in rows)
            if (
                mean.shape[1] > CLOSE
                and (chart := self._chart(f"{name}, where it errs most", close, first, 1)) is not None
            ):
                yield Panel(name, chart, wide=True)

    def _chart(self, title: str, rows: Sequence[Floats], first: int, step: int) -> Chart | None:
        truth, mean, deviation = rows
        places = ((first + (np.arange(len(mean)) + 0.5) * step) * self.info.bin_size / 1e6).tolist()
        lines = [
            Line("prediction", list(zip(places, mean.tolist())), 0, spread=deviation.tolist()),
            Line("truth", list(zip(places, truth.tolist())), 5),
        ]
        return make_chart(title, lines, Axis("position, million bases", places[0], places[-1]), Axis(""), wide=True)

    def _strips(self, mean: Floats, truth: NDArray[np.integer], total: Floats) -> Iterator[Panel]:
        """Yield true and predicted classes and the uncertainty as strips, where most of them are wrong."""
        predicted, colours = mean.argmax(axis=0), pick_colours(len(self.names))
        wrong = (truth >= 0) & (predicted != truth)
        first = find_worst(wrong.astype(np.float32), POINTS)
        part = slice(first, first + POINTS)
        size = self.info.bin_size
        where = f"bases {first * size + 1:,} to {min(len(truth), first + POINTS) * size:,}, where it errs most"
        most = 1 - 1 / len(self.names)
        yield Panel("truth", encode_labels(as_strip(truth[part]), colours), where, wide=True)
        yield Panel("prediction", encode_labels(as_strip(predicted[part]), colours), wide=True)
        marked = np.where(wrong[part], 213, 235), np.where(wrong[part], 94, 235), np.where(wrong[part], 0, 235)
        yield Panel("error", encode(np.stack([as_strip(one) for one in marked], axis=-1).astype(np.uint8)), wide=True)
        spread = encode_scaled(as_strip(total.sum(axis=0)[part]), 0, most, "uncertainty")
        yield Panel("uncertainty", spread, "variance, all classes", Scale("uncertainty", "0", f"{most:.3g}"), wide=True)


def average(values: Floats, step: int) -> Floats:
    """Return the mean of each ``step`` values ``(bins,)``, of those that are known."""
    padded = np.pad(values.astype(np.float64), (0, -len(values) % step), constant_values=np.nan).reshape(-1, step)
    known = np.isfinite(padded)
    with np.errstate(invalid="ignore"):
        means: Floats = (np.where(known, padded, 0).sum(axis=1) / known.sum(axis=1)).astype(np.float32)
    return means


def find_worst(errors: Floats, width: int) -> int:
    """Return the first of so many neighbouring bins ``(bins,)`` whose errors have the largest sum.

    >>> find_worst(np.array([0.0, 1.0, 3.0, 0.0, 2.0]), 2)
    1
    """
    sums = np.concatenate([[0.0], np.nan_to_num(errors.astype(np.float64)).cumsum()])
    return int((sums[width:] - sums[:-width]).argmax()) if len(errors) > width else 0


def as_strip(values: NDArray[Any]) -> NDArray[Any]:
    """Return values ``(bins,)`` as a picture ``(STRIP, bins)``."""
    return np.broadcast_to(values, (STRIP, len(values)))
