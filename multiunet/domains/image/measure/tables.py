"""Measures as tables and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from multiunet.domains.image.measure.figure import draw_figure
from multiunet.domains.image.measure.objects import ObjectRow, ToldClass
from multiunet.domains.image.measure.phases import Measures, PhaseRow
from multiunet.domains.image.measure.quantities import QuantityRow
from multiunet.domains.image.measure.shape import Shape
from multiunet.domains.image.measure.thickness import ThicknessRow
from multiunet.files import check_folder, csv_text, write_atomically, write_text


def write_tables(measures: Measures, folder: Path, overwrite: bool) -> list[Path]:
    """Write ``phases.csv``, ``objects.csv`` and a figure ``phases.png``; return the files.

    Raises:
        InputError: when the folder has files already, unless they may be overwritten, or cannot be written.
    """
    check_folder(folder, overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in ("phases.csv", "objects.csv", "phases.png")]
    write_text(paths[0], _table(*_spread([asdict(phase) for phase in measures.phases], PhaseRow, "intensity_mean")))
    rows, columns = _spread([asdict(part) for part in measures.parts], ObjectRow, "intensity")
    axes = measures.axes
    for row in rows:
        row.update({f"centre_{axis}": at for axis, at in zip(axes, row["centre"])}, **(row["shape"] or {}))
        row.update(row["told"] or {})
    shaped = [item.name for item in fields(Shape)] if any(row["shape"] for row in rows) else []
    told = [item.name for item in fields(ToldClass)] if any(row["told"] for row in rows) else []
    columns = [name for name in columns if name not in ("centre", "shape", "told")]
    write_text(paths[1], _table(rows, columns + told + shaped + [f"centre_{axis}" for axis in axes]))
    write_atomically(paths[2], lambda temporary: draw_figure(measures).savefig(temporary, format="png", dpi=150))
    return paths


def write_quantities(rows: Sequence[QuantityRow], folder: Path) -> Path:
    """Write ``quantities.csv`` into the folder, which is made where it is not there; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "quantities.csv"
    write_text(path, _table([asdict(row) for row in rows], [item.name for item in fields(QuantityRow)]))
    return path


def write_thickness(rows: Sequence[ThicknessRow], folder: Path) -> Path:
    """Write ``thickness.csv`` into the folder, which is made where it is not there; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "thickness.csv"
    write_text(path, _table([asdict(row) for row in rows], [item.name for item in fields(ThicknessRow)]))
    return path


def _spread(rows: list[dict[str, Any]], kind: type, name: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Give each channel of the values ``name`` a column: ``name`` if it is one, else ``name_0``, ``name_1``, ... ."""
    channels = max((len(row[name]) for row in rows), default=0)
    names = [name] if channels == 1 else [f"{name}_{index}" for index in range(channels)]
    columns = [item.name for item in fields(kind) if item.name != name] + names
    spread = [{**row, **dict.fromkeys(names), **dict(zip(names, row[name]))} for row in rows]
    for row, given in zip(spread, rows):
        if channels == 1 and not given[name]:
            row[name] = None
    return spread, columns


def _table(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    return csv_text([columns, *([row[column] for column in columns] for row in rows)])
