"""Charts of a report: how training went, and what the stated uncertainty is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from multiunet.domains.report.charts import Axis, Chart, Line, make_chart
from multiunet.domains.score_words import name_score
from multiunet.tasks import Curves

Rows = Sequence[Mapping[str, Any]]
"""Rows of ``metrics.jsonl``."""

MOST_QUANTITIES = 4
"""Of which curves are drawn; ``evaluate`` with a folder draws more."""

UNCERTAINTIES = {
    "total": "total variance",
    "epistemic": "epistemic",
    "aleatoric": "aleatoric",
    "max_probability": "1 - largest probability",
    "entropy": "entropy",
}


def draw_training(runs: Mapping[str, Rows], best: Mapping[str, int], monitor: str | None) -> list[Chart]:
    """Return the loss and the score that chose the best epoch, by epoch.

    Args:
        runs: rows by the run's name; several are folds.
        best: the best epoch of each run that has one.
    """
    several = len(runs) > 1
    losses, scores = [], []
    for place, (name, rows) in enumerate(runs.items()):
        style = place % 5
        if several:
            losses.append(Line(f"validation, {name}", _points(rows, "val_loss"), style))
        else:
            losses.append(Line("training", _points(rows, "loss"), 0, dots=len(rows) == 1))
            losses.append(Line("validation", _points(rows, "val_loss"), 1, dots=len(rows) < 3))
        points = _points(rows, f"val_{monitor}")
        scores.append(Line(name if several else "validation", points, style if several else 1, dots=len(points) < 30))
    first = next(iter(best.values()), None) if len(best) == 1 and not several else None
    mark = None if first is None else (float(first), f"best: {first}")
    epochs = Axis("epoch", whole=True)
    charts = [
        make_chart("Loss", [line for line in losses if line.points], epochs, Axis("", logarithmic=True), mark=mark)
    ]
    if monitor is not None:
        title = f"{name_score(monitor)} on validation"
        charts.append(make_chart(title, [line for line in scores if line.points], epochs, Axis(""), mark=mark))
    return [chart for chart in charts if chart is not None]


def _points(rows: Rows, name: str) -> list[tuple[float | None, float | None]]:
    return [(float(row["epoch"]), float(row[name])) for row in rows if row.get(name) is not None]


def draw_uncertainty(curves: Sequence[Curves]) -> list[Chart]:
    """Return reliability, risk by coverage and sparsification of classes, or of the first few quantities."""
    charts = [chart for one in curves[:MOST_QUANTITIES] for chart in _of_one(one)]
    return [chart for chart in charts if chart is not None]


def _of_one(one: Curves) -> list[Chart | None]:
    found, of = one.reliability, f", {one.name}" if one.name else ""
    classes = "sites" in found
    sites = [float(count or 0) for count in found.get("sites", ())]
    whole = Axis("confidence" if classes else "share that intervals are to hold", 0, 1)
    held = Axis("accuracy" if classes else "share that they hold", 0, 1)
    diagonal = Line("as stated", [(0.0, 0.0), (1.0, 1.0)], -1)
    points = list(zip(found["stated"], found["observed"]))
    risk, sparse = one.risk_coverage, one.sparsification
    by = [Line(words, list(zip(risk["coverage"], risk[name])), n) for n, (name, words) in _known(risk)]
    best = [Line("best order", list(zip(risk["coverage"], risk["best"])), -1)] if "best" in risk else []
    wrong = "share of wrong sites" if classes else "mean absolute error"
    error = "Brier score" if classes else "RMSE"
    without = [
        Line("by total variance", list(zip(sparse["removed"], sparse["total"])), 0),
        Line("best order", list(zip(sparse["removed"], sparse["best"])), -1),
    ]
    return [
        make_chart(
            f"Reliability{of}",
            [diagonal, Line("found", points, 0, dots=classes)],
            whole,
            held,
            [count / max(1.0, sum(sites)) for count in sites],
        ),
        make_chart(f"Risk by coverage{of}", [*best, *by], Axis("share of the sites, the surest", 0, 1), Axis(wrong, 0)),
        make_chart(
            f"Sparsification{of}",
            without,
            Axis("share of the sites left out", 0, 1),
            Axis(f"{error} of the others, share", 0),
        ),
    ]


def _known(table: Mapping[str, Any]) -> list[tuple[int, tuple[str, str]]]:
    """Return the uncertainties of a table, each with its own style wherever it is drawn."""
    return [(place, (name, words)) for place, (name, words) in enumerate(UNCERTAINTIES.items()) if name in table]
