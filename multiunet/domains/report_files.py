"""A report as tables that a spreadsheet opens, and figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from multiunet.domains.result import Report
from multiunet.domains.uncertainty_figures import draw_reliability, draw_risk_coverage, draw_sparsification
from multiunet.files import csv_text, write_atomically, write_text
from multiunet.tasks import Curves


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write ``scores.csv``, a row for each item, ``confusion.csv``, and curves; return the files.

    Scores by class are columns of their own, ``iou NAME``. What is not defined stays empty. A row of ``confusion.csv``
    is a true class, a column a predicted one; quantities have none. A report without items has one row. Of a stated
    uncertainty there are ``reliability``, ``risk_coverage`` and ``sparsification``, CSV and PNG (see ``Curves``). Then
    come the report's own further files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names: list[str] = list(report.metrics.get("classes", []))
    rows = [{"item": item, **dict(_flat(scores, names))} for item, scores in report.items.items()]
    rows = rows or [{"item": report.scored, **dict(_flat(report.metrics, names))}]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    paths = [folder / "scores.csv"]
    write_text(paths[0], csv_text([columns, *([row.get(column) for column in columns] for row in rows)]))
    if (confusion := report.metrics.get("confusion")) is not None:
        paths.append(folder / "confusion.csv")
        write_text(paths[1], csv_text([["true", *names], *([name, *row] for name, row in zip(names, confusion))]))
    for name, write in report.files.items():
        write_atomically(folder / name, write)
    own = [folder / name for name in report.files]
    return paths + (_write_curves(report.curves, folder) if report.curves else []) + own


def _write_curves(curves: Sequence[Curves], folder: Path) -> list[Path]:
    figures = {
        "reliability": draw_reliability,
        "risk_coverage": draw_risk_coverage,
        "sparsification": draw_sparsification,
    }
    paths = []
    for name, draw in figures.items():
        columns = list(getattr(curves[0], name))
        rows = [[one.name, *row] for one in curves for row in zip(*getattr(one, name).values())]
        table = [["quantity", *columns], *rows] if curves[0].name else [columns, *(row[1:] for row in rows)]
        paths += [folder / f"{name}.csv", folder / f"{name}.png"]
        write_text(paths[-2], csv_text(table))
        write_atomically(paths[-1], partial(draw(curves).savefig, format="png", dpi=150))
    return paths


def _flat(scores: Mapping[str, Any], names: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Single scores, and those of each class or quantity; nothing else fits into a cell."""
    for key, value in scores.items():
        if isinstance(value, list) and len(value) == len(names) and key != "classes":
            yield from ((f"{key} {name}", part) for name, part in zip(names, value) if not isinstance(part, list))
        elif isinstance(value, Mapping) and key.endswith("_by"):
            yield from ((f"{key.removesuffix('_by')} {name}", part) for name, part in value.items())
        elif key == "per_track":
            for track in value:
                yield from ((f"{name} {track['track']}", score) for name, score in track.items() if name != "track")
        elif not isinstance(value, (list, Mapping)):
            yield key, value
