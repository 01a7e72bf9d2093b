"""Scores as tables of text, ready to be shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from multiunet.domains.result import Report
from multiunet.domains.score_words import GOALS, RANKINGS, UNSHOWN, explain_score, name_score, show_ranking
from multiunet.domains.verdict import HIGHER, LOWER
from multiunet.wording import figure

MOST_ITEMS = 200
"""Rows of the table of items; ``evaluate`` with a folder writes all of them."""

MOST_CLASSES = 30
"""Most classes of a confusion matrix that fit on a page."""

MOST_COLUMNS = 6
"""Scores of an item that are shown."""

SAME = ("mse",)
"""Scores of which less is better, which say what another of ``LOWER`` does and so are not judged in words."""

FOLDS = {"mean_of_folds": "mean of folds", "sd_of_folds": "± over folds"}

Scores = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """Row of a table.

    Attributes:
        key: name of the score, as ``evaluate`` prints it.
        best: index of the cell that is the best; None: no direction is known, or several are.
        goal: what the score is at best, in words.
    """

    key: str
    title: str
    words: str
    cells: Sequence[str]
    best: int | None = None
    goal: str = ""


@dataclass(frozen=True)
class Table:
    """Table with a title for each column of cells."""

    columns: Sequence[str]
    rows: Sequence[Row]


@dataclass(frozen=True)
class Confused:
    """Row of a confusion matrix: a true class, its sites by predicted class, and their shares of the row."""

    name: str
    sites: Sequence[int]
    shares: Sequence[float]


def show(value: Any) -> str:
    """Return a score as one reads it; an undefined one as a dash."""
    if value is None or isinstance(value, bool):
        return "-"
    return f"{value:,}" if isinstance(value, int) else figure(float(value))


def tabulate_scores(report: Report) -> Table | None:
    """Return the scores of the network beside those of trivial methods; None where there are none."""
    columns = {"network": report.metrics}
    columns |= {words: report.metrics[name] for name, words in FOLDS.items() if name in report.metrics}
    columns |= {name.replace("_", " "): scores for name, scores in report.baselines.items()}
    rows = [
        _row(name, [scores.get(name) for scores in columns.values()], len(columns) - len(report.baselines))
        for name, value in report.metrics.items()
        if _is_single(value) and name not in GOALS and name not in UNSHOWN
    ]
    return Table(list(columns), rows) if rows else None


def tabulate_parts(report: Report) -> Table | None:
    """Return the network's scores of each class, or of each quantity; None where there are none."""
    metrics = report.metrics
    if tracks := metrics.get("per_track"):
        names = [name for name, value in tracks[0].items() if _is_single(value)]
        kept = [name for name in names if name not in UNSHOWN]
        rows = [Row("", str(track["track"]), "", [show(track.get(name)) for name in kept]) for track in tracks]
        return Table([name_score(name) for name in kept], rows)
    classes = metrics.get("classes", [])
    lists = {k: v for k, v in metrics.items() if isinstance(v, list) and len(v) == len(classes) and k not in NOT_SCORES}
    if not classes or not lists:
        return None
    named = [
        Row("", str(name), "", [show(values[place]) for values in lists.values()]) for place, name in enumerate(classes)
    ]
    return Table([name_score(name).removesuffix(" per class") for name in lists], named)


NOT_SCORES = ("classes", "confusion")
"""Lists in the scores that have other things than scores by class."""


def tabulate_uncertainty(report: Report) -> Table | None:
    """Return the scores of the stated uncertainty, and what each is at best; None where none is stated."""
    rows = [
        Row(name, name_score(name), explain_score(name), [_show_stated(name, report)], goal=goal)
        for name, goal in GOALS.items()
        if _is_single(report.metrics.get(name))
    ]
    return Table(["network"], rows) if rows else None


def _show_stated(name: str, report: Report) -> str:
    return show_ranking(report.metrics[name], len(report.items)) if name in RANKINGS else show(report.metrics[name])


def tabulate_items(report: Report) -> Table | None:
    """Return the main scores of each item, the worst first; None where items have no scores of their own."""
    if not report.items:
        return None
    first = next(iter(report.items.values()))
    shown = [name for name, value in first.items() if _is_single(value) and name in (*HIGHER, *LOWER)]
    by = report.main or ""
    names = list(dict.fromkeys(name for name in (by, *shown, "mean_total") if name in first))[:MOST_COLUMNS]
    ordered = sorted(report.items, key=lambda item: _order(report.items[item].get(by)))
    rows = [Row("", item, "", [show(report.items[item].get(name)) for name in names]) for item in ordered[:MOST_ITEMS]]
    return Table(["mean uncertainty" if name == "mean_total" else name_score(name) for name in names], rows)


def confuse(report: Report) -> list[Confused]:
    """Return the rows of the confusion matrix; empty where there is none, or too many classes."""
    matrix, names = report.metrics.get("confusion"), report.metrics.get("classes", [])
    if matrix is None or len(names) > MOST_CLASSES:
        return []
    return [Confused(str(name), row, [count / max(1, sum(row)) for count in row]) for name, row in zip(names, matrix)]


def _row(name: str, values: Sequence[Any], others: int) -> Row:
    """Make a row, whose best cell is among the network's and those from ``others`` on."""
    places = [0, *range(others, len(values))]
    known = {place: float(values[place]) for place in places if _is_known(values[place])}
    best = None
    if name in HIGHER and len(known) > 1:
        best = max(known, key=lambda place: known[place])
    elif name in (*LOWER, *SAME) and len(known) > 1:
        best = min(known, key=lambda place: known[place])
    return Row(name, name_score(name), explain_score(name), [show(value) for value in values], best)


def _order(value: Any) -> tuple[bool, float]:
    return (True, 0.0) if not _is_known(value) else (False, float(value))


def _is_single(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_known(value: Any) -> bool:
    return _is_single(value) and math.isfinite(value)
