"""Line charts as data that a template draws as SVG: readable in the dark, and without colours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 380, 236
"""Of a chart, in units of its own; about a pixel of a phone each."""

WIDE = 1000
"""Width of a chart along a whole chromosome."""

LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 40
"""Margins for ticks and titles of axes."""

MOST_POINTS = 1000
"""Of a line; more are not seen."""

LOG_FROM = 30.0
"""Ratio of the largest value to the smallest from which an axis of losses is logarithmic."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """Line of a chart.

    Attributes:
        points: x and y; a None leaves a gap.
        style: 0, 1, ...: colour and dashes; 5: thin and dark, what is measured; -1: thin and grey, for comparison.
        dots: a mark at each point.
        spread: half the height of a band around each point; empty: there is no band.
    """

    name: str
    points: Sequence[tuple[float | None, float | None]]
    style: int = 0
    dots: bool = False
    spread: Sequence[float] = ()


@dataclass(frozen=True)
class Axis:
    """Axis of a chart.

    Attributes:
        low, high: ends; None: those of the data.
        logarithmic: may be so, where the data span far.
        whole: ticks are whole numbers.
    """

    title: str
    low: float | None = None
    high: float | None = None
    logarithmic: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Tick:
    """Tick of an axis: its place, in the chart's units, and its text."""

    place: float
    text: str


@dataclass(frozen=True)
class Drawn:
    """Line in the chart's units: the text of an SVG path, that of its band, and the places of its dots."""

    name: str
    style: int
    path: str
    dots: Sequence[Point]
    band: str = ""


@dataclass(frozen=True)
class Bar:
    """Bar of a histogram in the chart's units."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Chart:
    """Chart whose places are computed, ready to be drawn.

    Attributes:
        mark: x of a vertical line, in the chart's units, with its name; None: none.
    """

    title: str
    x_title: str
    y_title: str
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    lines: Sequence[Drawn]
    bars: Sequence[Bar] = ()
    mark: Tick | None = None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def make_chart(
    title: str,
    lines: Sequence[Line],
    x: Axis,
    y: Axis,
    bars: Sequence[float] = (),
    mark: tuple[float, str] | None = None,
    wide: bool = False,
) -> Chart | None:
    """Compute the places of a chart; None where no line has a point.

    Args:
        bars: heights of bars of equal width along the whole x axis, shares of the chart's height.
        mark: x of a vertical line, and its name.
        wide: as wide as a page.
    """
    known = [(a, b) for line in lines for a, b in line.points if is_known(a) and is_known(b)]
    known += [
        (a, b + s * w)
        for line in lines
        for (a, b), w in zip(line.points, line.spread)
        if b is not None
        for s in (-1, 1)
    ]
    if not known:
        return None
    width = WIDE if wide else WIDTH
    across = _Scale(x, [a for a, _ in known if a is not None], LEFT, width - RIGHT)
    up = _Scale(y, [b for _, b in known if b is not None], HEIGHT - BOTTOM, TOP)
    each = (width - RIGHT - LEFT) / max(1, len(bars))
    tall = HEIGHT - BOTTOM - TOP
    return Chart(
        title,
        x.title,
        y.title,
        across.ticks(),
        up.ticks(),
        [_draw(line, across, up) for line in lines],
        [Bar(LEFT + n * each, TOP + tall * (1 - h), each, tall * h) for n, h in enumerate(bars)],
        None if mark is None else Tick(across.place(mark[0]), mark[1]),
        width=width,
        right=width - RIGHT,
    )


def is_known(value: float | None) -> bool:
    """Return whether a number is there, and finite."""
    return value is not None and math.isfinite(value)


class _Scale:
    """Way from numbers to places on an axis."""

    def __init__(self, axis: Axis, values: Sequence[float], start: float, end: float) -> None:
        low, high = min(values), max(values)
        self.logarithmic = axis.logarithmic and low > 0 and high / low >= LOG_FROM
        if not self.logarithmic:
            step = find_step(low, high)
            low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
        self.low = low if axis.low is None else axis.low
        self.high = high if axis.high is None else axis.high
        if self.low == self.high:
            self.low, self.high = self.low - 0.5, self.high + 0.5
        self.start, self.end = start, end
        self.smallest = 1.0 if axis.whole else 0.0

    def place(self, value: float) -> float:
        """Return the place of a number, within the axis."""
        low, high = self._of(self.low), self._of(self.high)
        share = min(1.0, max(0.0, (self._of(value) - low) / (high - low)))
        return round(self.start + share * (self.end - self.start), 2)

    def _of(self, value: float) -> float:
        return math.log(max(value, 1e-300)) if self.logarithmic else value

    def ticks(self) -> list[Tick]:
        if self.logarithmic:
            places = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            values: Iterable[float] = (10.0**n * m for n in places for m in (1, 2, 5))
        else:
            step = max(find_step(self.low, self.high), self.smallest)
            first = math.ceil(self.low / step - 1e-9)
            values = (n * step for n in range(first, math.floor(self.high / step + 1e-9) + 1))
        return [
            Tick(self.place(value), f"{value:.6g}") for value in values if self.low <= value <= self.high * (1 + 1e-9)
        ]


def find_step(low: float, high: float, most: int = 6) -> float:
    """Return the step of ticks, 1, 2 or 5 times a power of ten, that gives at most this many.

    >>> find_step(0, 1), find_step(0, 30)
    (0.2, 5.0)
    """
    if not high > low:
        return 1.0
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def _draw(line: Line, across: _Scale, up: _Scale) -> Drawn:
    step = max(1, math.ceil(len(line.points) / MOST_POINTS))
    parts, dots, pen = [], [], "M"
    for a, b in line.points[::step] if not line.dots else line.points:
        if a is None or b is None or not (math.isfinite(a) and math.isfinite(b)):
            pen = "M"
            continue
        point = across.place(a), up.place(b)
        parts.append(f"{pen}{point[0]:g} {point[1]:g}")
        pen = "L"
        if line.dots:
            dots.append(point)
    return Drawn(line.name, line.style, "".join(parts), dots, _draw_band(line, across, up))


def _draw_band(line: Line, across: _Scale, up: _Scale) -> str:
    """Return the path of a line's band: there along its upper edge, back along its lower one; gaps are bridged."""
    edges = [(a, b, w) for (a, b), w in zip(line.points, line.spread) if a is not None and b is not None]
    there = [f"{across.place(a):g} {up.place(b + w):g}" for a, b, w in edges]
    back = [f"{across.place(a):g} {up.place(b - w):g}" for a, b, w in reversed(edges)]
    return f"M{'L'.join([*there, *back])}Z" if edges else ""
