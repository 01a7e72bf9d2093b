"""Picture of a training: its losses and its score by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from multiunet.domains.score_words import name_score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRAINED, VALIDATED = "#0072b2", "#d55e00"
"""Colours of what was measured in training and in validation, told apart by all (Okabe & Ito 2008)."""


def draw_curves(rows: Sequence[Mapping[str, Any]], monitor: str | None, best: int | None) -> Figure:
    """Draw the losses and the score that chooses, by epoch.

    Args:
        rows: of a run's log.
        monitor: the score that chooses the best epoch; None: the loss.
        best: number of that epoch, which a line marks; None: unknown.
    """
    from matplotlib.figure import Figure  # slow to import
    from matplotlib.ticker import MaxNLocator

    scored = [] if monitor is None else _points(rows, f"val_{monitor}")
    panels = 2 if scored else 1
    figure = Figure(figsize=(1 + 4.5 * panels, 3.4), layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False).ravel()
    _draw(axes[0], _points(rows, "loss"), "training", TRAINED)
    _draw(axes[0], _points(rows, "val_loss"), "validation", VALIDATED)
    axes[0].set_ylabel("loss")
    if axes[0].lines:
        axes[0].legend()
    if scored:
        _draw(axes[1], scored, "validation", VALIDATED)
        axes[1].set_ylabel(name_score(str(monitor)))
    for panel in axes:
        panel.set_xlabel("epoch")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(alpha=0.3)
        if best is not None:
            panel.axvline(best, color="0.5", linewidth=1, linestyle=":")
    if best is not None:
        axes[-1].set_title(f"best epoch {best}", fontsize="medium")
    return figure


def _points(rows: Sequence[Mapping[str, Any]], name: str) -> list[tuple[int, float]]:
    return [(row["epoch"], row[name]) for row in rows if isinstance(row.get(name), (int, float))]


def _draw(panel: Axes, points: Sequence[tuple[int, float]], label: str, colour: str) -> None:
    if points:
        epochs, values = zip(*points)
        dashes = "--" if colour == VALIDATED else "-"
        panel.plot(epochs, values, dashes, label=label, color=colour, marker="." if len(points) < 60 else None)
