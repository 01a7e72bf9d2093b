"""Figures of a stated uncertainty: reliability, risk by coverage, sparsification."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from multiunet.tasks.curves import Curves, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ABREAST = 3
"""Panels side by side, one a quantity."""

DRAWN = 12
"""Most quantities that are drawn; the tables have all of them."""

WORDS = {"max_probability": "1 - largest probability", "best": "best order"}
"""Names of curves that are not their columns'."""


def draw_reliability(curves: Sequence[Curves]) -> Figure:
    """Draw how often what is stated comes true, beside the diagonal on which it always does."""
    classes = "sites" in curves[0].reliability
    x, y = ("confidence", "accuracy") if classes else ("share that intervals are to hold", "share that they hold")
    return _draw(curves, "Reliability", x, y, lambda panel, one: _reliability(panel, one.reliability))


def draw_risk_coverage(curves: Sequence[Curves]) -> Figure:
    """Draw the risk of the surest sites by their share, as ordered by each uncertainty."""
    risk = "mean absolute error" if curves[0].name else "share of wrong sites"
    title, x = "Risk by coverage: the surest sites alone", "share of the sites, the surest"
    return _draw(curves, title, x, risk, lambda panel, one: _lines(panel, one.risk_coverage))


def draw_sparsification(curves: Sequence[Curves]) -> Figure:
    """Draw the error of what is left when the most uncertain sites are left out."""
    error = "RMSE" if curves[0].name else "Brier score"
    title = "Sparsification: without the most uncertain sites"
    y = f"{error} of the others, share of that of all"
    return _draw(curves, title, "share of the sites left out", y, lambda panel, one: _lines(panel, one.sparsification))


def _draw(curves: Sequence[Curves], title: str, x: str, y: str, draw: Callable[[Axes, Curves], None]) -> Figure:
    from matplotlib.figure import Figure  # slow to import

    shown = curves[:DRAWN]
    columns = min(ABREAST, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(1.2 + 4 * columns, 0.8 + 3.6 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, one in zip(panels, shown):
        draw(panel, one)
        panel.set_title(one.name, fontsize="medium")
        panel.set_xlim(0, 1)
        panel.grid(alpha=0.3)
    for panel in panels[len(shown) :]:
        panel.set_axis_off()
    panels[0].legend(fontsize="small")
    figure.supxlabel(x)
    figure.supylabel(y)
    figure.suptitle(title)
    return figure


def _reliability(panel: Axes, table: Table) -> None:
    panel.plot([0, 1], [0, 1], color="0.5", linestyle="--", linewidth=1, label="as stated")
    known = [(x, y) for x, y in zip(table["stated"], table["observed"]) if x is not None and y is not None]
    marker = "o" if "sites" in table else ""
    if known:
        panel.plot(*zip(*known), color="C0", marker=marker, markersize=4, label="found")
    if "sites" in table:
        total = sum(count or 0 for count in table["sites"])
        edges = [index / len(table["sites"]) for index in range(len(table["sites"]))]
        shares = [(count or 0) / total if total else 0 for count in table["sites"]]
        panel.bar(edges, shares, 1 / len(edges), align="edge", color="C0", alpha=0.2, label="share of the sites")
    panel.set_ylim(0, 1)


def _lines(panel: Axes, table: Table) -> None:
    """Draw all columns by the first; ``total`` thick, the best order dashed."""
    shares, *others = table
    for place, name in enumerate(others):
        colour, line = ("0.5", "--") if name == "best" else (f"C{place}", "-")
        known = [(x, y) for x, y in zip(table[shares], table[name]) if y is not None]
        if known:
            width = 2 if name == "total" else 1
            panel.plot(*zip(*known), color=colour, linestyle=line, linewidth=width, label=WORDS.get(name, name))
    panel.set_ylim(bottom=0)
