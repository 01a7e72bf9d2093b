"""Measures as tables and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from multiunet.domains.image.measure.figure import draw_figure
from multiunet.domains.image.measure.objects import ObjectRow
from multiunet.domains.image.measure.phases import Measures, PhaseRow
from multiunet.domains.image.measure.quantities import QuantityRow
from multiunet.files import check_folder, csv_text, write_atomically, write_text


def write_tables(measures: Measures, folder: Path, overwrite: bool) -> list[Path]:
    """Write ``phases.csv``, ``objects.csv`` and a figure ``phases.png``; return the files.

    Raises:
        InputError: when the folder has files already, unless they may be overwritten, or cannot be written.
    """
    check_folder(folder, overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in ("phases.csv", "objects.csv", "phases.png")]
    write_text(paths[0], _table([asdict(phase) for phase in measures.phases], [item.name for item in fields(PhaseRow)]))
    axes = measures.axes
    rows = [
        {**asdict(part), **{f"centre_{axis}": at for axis, at in zip(axes, part.centre)}} for part in measures.parts
    ]
    columns = [item.name for item in fields(ObjectRow) if item.name != "centre"] + [f"centre_{axis}" for axis in axes]
    write_text(paths[1], _table(rows, columns))
    write_atomically(paths[2], lambda temporary: draw_figure(measures).savefig(temporary, format="png", dpi=150))
    return paths


def write_quantities(rows: Sequence[QuantityRow], folder: Path) -> Path:
    """Write ``quantities.csv`` into the folder, which is made where it is not there; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "quantities.csv"
    write_text(path, _table([asdict(row) for row in rows], [item.name for item in fields(QuantityRow)]))
    return path


def _table(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    return csv_text([columns, *([row[column] for column in columns] for row in rows)])
