"""Measures as a figure: for each class its fractions on the left, sizes of objects on the right."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from multiunet.domains.image.measure.objects import ObjectRow
from multiunet.domains.image.measure.phases import Measures, PhaseRow
from multiunet.wording import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED = 20
"""Most images that have their names at the bars; more have numbers."""

WRAP = 44
"""Letters of a name in one line; a longer one goes on below."""

LINE = 30
"""Letters that fit below a panel side by side; longer names are slanted."""

GAP = 0.5
"""Between the images and all of them together, in distances of bars."""

ROWS = 24
"""Most classes that are drawn: those that cover most."""

NARROWEST = 1.5
"""The largest size over the smallest that an axis of sizes shows at least."""

ROUND_TICKS = 4.0
"""The largest size over the smallest, from which on an axis has ticks at 1, 2, 5, 10, ... ."""


def draw_figure(measures: Measures) -> Figure:
    """Draw fractions, sizes of objects off the border, and numbers of objects, with error bars.

    Bars are named after their images, or numbered in the order of ``phases.csv`` where there are more than ``NAMED``
    of them. Sizes are on a logarithmic axis, as shares of the class's sized objects.
    """
    from matplotlib.figure import Figure  # slow to import

    rows = _rows(measures)
    counting = any(phase.objects is not None for row in rows for phase in row.phases)
    height = 1.3 + max(1.6, 2.6 - 0.2 * len(rows)) * len(rows) + _height_of_names(rows[0].phases)
    figure = Figure(figsize=(15 if counting else 11, height), layout="constrained")
    lefts, rights, counts = _make_panels(figure, len(rows), counting)
    for row, left, right in zip(rows, lefts, rights):
        _draw_fractions(left, row.phases)
        _draw_sizes(right, row)
    for row, panel in zip(rows, counts):
        _draw_counts(panel, row.phases)
    _name_bars(lefts[-1], rows[0].phases)
    if counts:
        _name_bars(counts[-1], [phase for phase in rows[0].phases if not phase.pooled])
    _scale_sizes(rights, [size for row in rows for size in row.sizes])
    rights[-1].set_xlabel(f"equivalent diameter, {rows[0].phases[0].length_unit}")
    figure.suptitle(_title(measures, rows))
    return figure


def _make_panels(figure: Figure, rows: int, counting: bool) -> tuple[list[Axes], list[Axes], list[Axes]]:
    """Panels of fractions, of sizes, and of numbers if any are counted; those of a column share their x axis."""
    places = figure.add_gridspec(rows, 3 if counting else 2)
    columns: tuple[list[Axes], list[Axes], list[Axes]] = [], [], []
    order = [(row, column) for row in range(rows) for column in (0, 1)]
    for row, column in order + [(row, 2) for row in range(rows) if counting]:
        own = columns[column]
        panel = figure.add_subplot(places[row, column], sharex=own[0] if own else None)
        panel.tick_params(labelbottom=row == rows - 1)
        own.append(panel)
    return columns


@dataclass(frozen=True)
class _Row:
    """A class: its phases, image by image and then of all together, and its parts that do not touch the border."""

    name: str
    phases: list[PhaseRow]
    whole: list[ObjectRow]

    @property
    def sizes(self) -> list[float]:
        return [part.diameter for part in self.whole]

    def edges(self) -> list[float]:
        """Return the edges of the bins of sizes, at equal ratios: as many as suit the number of objects (Sturges 1926).

        None is narrower than the step from the smallest object to one of a pixel more, or some would stay empty.
        """
        low, high = _range_of(self.sizes, 1.02)
        step = math.log1p(1 / min(part.pixels for part in self.whole)) / len(self.whole[0].centre)
        bins = min(1 + math.ceil(math.log2(len(self.whole))), int(math.log(high / low) / step))
        edges: list[float] = np.geomspace(low, high, 1 + max(1, bins)).tolist()
        return edges

    def caption(self) -> str:
        """Say how many objects are sized, and why others are not."""
        images = [phase for phase in self.phases if not phase.pooled]
        if images[0].objects is None:
            return "objects of this class are not counted"
        total, sized = sum(phase.objects or 0 for phase in images), counted(len(self.whole), "object")
        if total == len(self.whole):
            return sized if total else "no objects"
        if not self.whole:
            who = "the only object touches" if total == 1 else f"all {total} objects touch"
            return f"{who} the border: none is sized"
        return f"{sized}, and {total - len(self.whole)} at the border, which are not sized"


def _rows(measures: Measures) -> list[_Row]:
    """Select the classes that cover most, in their order."""
    names = list(dict.fromkeys(phase.phase for phase in measures.phases))
    last = measures.phases[-len(names) :]  # of all images together, if there are several
    drawn = sorted(last, key=lambda phase: -phase.fraction)[:ROWS]
    return [
        _Row(
            name,
            [phase for phase in measures.phases if phase.phase == name],
            [part for part in measures.parts if name in _phases_of(part) and not part.touches_border],
        )
        for name in names
        if name in {phase.phase for phase in drawn}
    ]


def _phases_of(part: ObjectRow) -> tuple[str, ...]:
    """Return the phases that a part counts as: that which it was counted as, and its class."""
    return (part.phase,) if part.told is None else (part.phase, part.told.object_class)


def _title(measures: Measures, rows: Sequence[_Row]) -> str:
    phases, classes = measures.phases, len({phase.phase for phase in measures.phases})
    images = len({phase.image for phase in phases if not phase.pooled})
    largest = f"the {len(rows)} largest of {classes} classes" if len(rows) < classes else "the classes"
    of = f"each of {images} images, and of all together" if images > 1 else "1 image"
    known = any(phase.fraction_low is not None for phase in phases)
    bars = "error bars: intervals of 90%" if known else "no error bars: predicted without a calibration of sums"
    return f"Fractions of {largest} in {of}\n{bars}"


def _draw_fractions(panel: Axes, phases: Sequence[PhaseRow]) -> None:
    for place, phase in zip(_places(phases), phases):
        colour = "C1" if phase.pooled else "C0"
        panel.bar(place, 100 * phase.fraction, 0.8, color=colour)
        if phase.pooled:
            panel.axhline(100 * phase.fraction, color=colour, linewidth=0.8, linestyle="--")
        if phase.fraction_low is not None and phase.fraction_high is not None:
            centre, half = (
                50 * (phase.fraction_high + phase.fraction_low),
                50 * (phase.fraction_high - phase.fraction_low),
            )
            panel.errorbar(place, centre, half, fmt="none", ecolor="black", elinewidth=1, capsize=2)
    panel.set_ylim(bottom=0, top=None if any(phase.fraction or phase.fraction_high for phase in phases) else 1)
    panel.set_ylabel(_label(phases[0].phase))


def _draw_counts(panel: Axes, phases: Sequence[PhaseRow]) -> None:
    """Bars of images; of all together a number, since a bar of the sum would dwarf them."""
    from matplotlib.ticker import MaxNLocator

    images = [phase for phase in phases if not phase.pooled]
    if images[0].objects is None:
        panel.set_yticks([])
        panel.text(0.5, 0.5, "not counted", transform=panel.transAxes, ha="center", va="center")
        return
    for place, phase in enumerate(images):
        count = phase.objects or 0
        panel.bar(place, count, 0.8, color="C0")
        if phase.objects_low is not None and phase.objects_high is not None:
            centre = 0.5 * (phase.objects_low + phase.objects_high)
            panel.errorbar(place, centre, phase.objects_high - centre, fmt="none", ecolor="black", capsize=2)
    last = phases[-1]
    between = ""
    if last.objects_low is not None and last.objects_high is not None:
        between = f" ({last.objects_low:.0f} to {last.objects_high:.0f})"
    panel.set_title(f"{counted(last.objects or 0, 'object')}{between}", fontsize="medium")
    panel.set_ylim(bottom=0, top=None if any(phase.objects or phase.objects_high for phase in images) else 1)
    panel.yaxis.set_major_locator(MaxNLocator(integer=True))
    panel.set_ylabel("objects, each image")


def _label(phase: str) -> str:
    """Axis label of a class's fractions; a class without a name is called by its mask value.

    >>> _label("ferrite"), _label("255"), _label("#ff0000")
    ('ferrite, %', 'mask value 255, %', 'mask colour #ff0000, %')
    """
    what = "mask value " if phase.lstrip("-").isdecimal() else "mask colour " if phase.startswith("#") else ""
    return f"{_wrapped(what + phase)}, %"


def _places(phases: Sequence[PhaseRow]) -> Iterator[float]:
    return (index + (GAP if phase.pooled else 0) for index, phase in enumerate(phases))


def _name_bars(panel: Axes, phases: Sequence[PhaseRow]) -> None:
    """Below the lowest panel, for all of them."""
    places = list(_places(phases))
    names = [_wrapped(phase.image) for phase in phases if not phase.pooled]
    if len(names) > NAMED:
        step = -(-len(names) // NAMED)
        kept = [*range(0, len(names), step), *range(len(names), len(phases))]
        places, names = [places[index] for index in kept], [str(index + 1) for index in kept if index < len(names)]
        panel.set_xlabel("image, in the order of phases.csv")
    names += ["all" for phase in phases if phase.pooled]
    long = _are_slanted(names)
    panel.set_xticks(
        places, names, fontsize="small" if long else None, rotation=45 if long else 0, ha="right" if long else "center"
    )
    margin = max(0.6, 2 - len(phases) / 2)  # a few bars need not fill the panel
    panel.set_xlim(-margin, places[-1] + margin)


def _wrapped(name: str) -> str:
    """Return a name in full, in as many lines as it needs.

    >>> _wrapped("micrograph 07"), _wrapped("0280fa8f60f6bcae0f97d93c28f60be194f9309f")
    ('micrograph 07', '0280fa8f60f6bcae0f97d93c28f60be194f9309f')
    """
    return "\n".join(name[first : first + WRAP] for first in range(0, len(name), WRAP))


def _height_of_names(phases: Sequence[PhaseRow]) -> float:
    """Inches that slanted names take below the panels."""
    longest = max(min(len(phase.image), WRAP) for phase in phases)
    return 0.05 * longest if _are_slanted([phase.image for phase in phases]) else 0.0


def _are_slanted(names: Sequence[str]) -> bool:
    return max(map(len, names)) * len(names) > LINE


def _draw_sizes(panel: Axes, row: _Row) -> None:
    if not row.whole:
        panel.text(0.5, 0.5, row.caption(), transform=panel.transAxes, ha="center", va="center")
        panel.set_yticks([])
        return
    weights = np.full(len(row.whole), 100 / len(row.whole))
    panel.hist(row.sizes, row.edges(), weights=weights, color="C0", edgecolor="white", linewidth=0.5)
    panel.set_title(row.caption(), fontsize="medium")
    panel.set_ylabel("share of them, %")


def _scale_sizes(panels: Sequence[Axes], sizes: Sequence[float]) -> None:
    """One logarithmic axis for all classes, with plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    last = panels[-1]  # they share their axes
    if not sizes:
        last.set_xticks([])
        return
    low, high = _range_of(sizes, NARROWEST)
    last.set_xscale("log")
    last.set_xlim(low / 1.05, high * 1.05)
    last.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if high > ROUND_TICKS * low else MaxNLocator(6))
    last.xaxis.set_minor_locator(NullLocator())
    last.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size:g}"))


def _range_of(sizes: Sequence[float], least: float) -> tuple[float, float]:
    """A range that holds all sizes, and whose ends have at least this ratio."""
    low, high = min(sizes) / 1.001, max(sizes) * 1.001  # rounding leaves none outside
    wider = max(1.0, math.sqrt(least * low / high))
    return low / wider, high * wider
