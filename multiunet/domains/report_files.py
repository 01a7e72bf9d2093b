"""A report as tables that a spreadsheet opens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from multiunet.domains.domain import Report
from multiunet.files import csv_text, write_text


def write_report(report: Report, folder: Path) -> list[Path]:
    """``scores.csv``, a row for each item, and of classes ``confusion.csv``; returns the files.

    Scores by class are columns of their own, ``iou NAME``. What is not defined stays empty. A row of ``confusion.csv``
    is a true class, a column a predicted one. A report without items has one row.
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
    return paths


def _flat(scores: Mapping[str, Any], names: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Single scores, and those of each class or quantity; nothing else fits into a cell."""
    for key, value in scores.items():
        if isinstance(value, list) and len(value) == len(names) and key != "classes":
            yield from ((f"{key} {name}", part) for name, part in zip(names, value) if not isinstance(part, list))
        elif key == "per_track":
            for track in value:
                yield from ((f"{name} {track['track']}", score) for name, score in track.items() if name != "track")
        elif not isinstance(value, (list, Mapping)):
            yield key, value
