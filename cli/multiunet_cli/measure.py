"""Command ``multiunet measure DOMAIN``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from multiunet.domains.spec import DomainSpec
from multiunet.wording import alike
from multiunet_cli.options import AsJson, command_for
from multiunet_cli.process import command
from multiunet_cli.settings import resolve
from multiunet_cli.tables import print_whole

SHOWN = 20
"""Most rows that are printed of a table that may have thousands."""

SHAPE = {"feret_max_mean": "Feret diameter, {}", "length_mean": "length, {}", "elongation_mean": "elongation"}
"""Means of shapes, and their words in the table."""

UNSTATED = (
    "no intervals: predicted raw, or with a run that is not calibrated (multiunet calibrate), or on one item alone"
)

Out = Annotated[
    Path | None, typer.Option("--out", help="folder for tables and a figure; default: only print", show_default=False)
]


def measure_command(spec: DomainSpec) -> Callable[..., None]:
    """Make the command that measures predictions of this domain."""
    settings = spec.measure
    assert settings is not None

    def body(given: dict[str, Any], out: Out = None, as_json: AsJson = False) -> None:
        options = resolve(settings, None, None, given)
        from multiunet.domains.inference import measure

        found = measure(spec.name, options, out)
        if as_json:
            typer.echo(json.dumps(found))
            return
        if "phases" in found:
            show(found["phases"])
        if "thickness" in found:
            show_thickness(found["thickness"])
        if "rows" in found:
            show_rows(found["rows"])
        for file in found["files"]:
            typer.echo(f"wrote {file}")

    return command(command_for(settings, body, f"Measure a prediction, with error bars: {spec.summary}."))


def show(phases: list[dict[str, Any]]) -> None:
    """Print a table of phases."""
    from rich.box import SIMPLE
    from rich.markup import escape
    from rich.table import Table

    unit, stated = phases[0]["length_unit"], any(phase["fraction_low"] is not None for phase in phases)
    title = "90% interval: holds the true fraction in 9 of 10 images"
    if not stated:
        title = UNSTATED
    elif any(_lies_outside(phase) for phase in phases):
        title += ".\nIts middle is the sum of probabilities, less the error common to held-out images; the fraction is "
        title += "of the class map"
    if phases[0]["separated"]:
        title += "; the fraction is the objects' area"
    table = Table(title=title, title_justify="left", box=SIMPLE, pad_edge=False, collapse_padding=True)
    for column in ("image", "class"):
        table.add_column(column)
    shapes = [name for name in SHAPE if any(phase.get(name) is not None for phase in phases)]
    of_objects = (
        "objects",
        "off the border",
        f"mean diameter, {escape(unit)}",
        *(SHAPE[name].format(escape(unit)) for name in shapes),
    )
    for column in ("fraction, %", *(("90% interval",) if stated else ()), *of_objects):
        table.add_column(column, justify="right")
    sizes = [alike([phase.get(name) for phase in phases], 3) for name in ("diameter_mean", *shapes)]
    for number, phase in enumerate(phases):
        interval = _text(100, "{:.2f}", phase["fraction_low"], phase["fraction_high"])
        table.add_row(
            escape(phase["image"]),
            escape(phase["phase"]),
            _text(100, "{:.2f}", phase["fraction"]),
            *((interval,) if stated else ()),
            _text(1, "{}", phase["objects"]) + _between(phase.get("objects_low"), phase.get("objects_high")),
            _text(1, "{}", phase["whole"]),
            *(column[number] for column in sizes),
        )
    print_whole(table)


def show_thickness(rows: list[dict[str, Any]]) -> None:
    """Print a table of the thickness of classes."""
    from rich.box import SIMPLE
    from rich.markup import escape
    from rich.table import Table

    title = "thickness" + (f"; the first {SHOWN} of {len(rows):,} rows" if len(rows) > SHOWN else "")
    table = Table(title=title, title_justify="left", box=SIMPLE, pad_edge=False, collapse_padding=True)
    for column in ("image", "class", "measured"):
        table.add_column(column)
    for column in (f"mean, {rows[0]['length_unit']}" if rows else "mean", "sd", "median", "90% of places between"):
        table.add_column(column, justify="right")
    shown = rows[:SHOWN]
    columns = [alike([row[name] for row in shown], 3) for name in ("mean", "sd", "median", "low", "high")]
    for row, *numbers, low, high in zip(shown, *columns):
        kind = "largest ball" if row["kind"] == "local" else f"along {row['kind']}"
        table.add_row(
            escape(row["image"]), escape(row["phase"]), kind, *numbers, low if low == high else f"{low} to {high}"
        )
    print_whole(table)


def _lies_outside(phase: dict[str, Any]) -> bool:
    """Return whether the share of the class map lies outside of the interval."""
    low, high = phase["fraction_low"], phase["fraction_high"]
    return low is not None and high is not None and not low <= phase["fraction"] <= high


def show_rows(rows: list[dict[str, Any]]) -> None:
    """Print the first rows of a table of sums or means with their intervals, ``low`` and ``high``.

    Columns that say nothing in any of these rows are left out.
    """
    from rich.box import SIMPLE
    from rich.markup import escape
    from rich.table import Table

    stated = any(row["low"] is not None for row in rows)
    title = "low to high: 90% interval, holds the truth in 9 of 10 cases" if stated else UNSTATED
    if len(rows) > SHOWN:
        title += f"; the first {SHOWN} of {len(rows):,} rows"
    table = Table(title=title, title_justify="left", box=SIMPLE, pad_edge=False, collapse_padding=True)
    shown = rows[:SHOWN]
    columns = [name for name in rows[0] if any(row[name] not in (None, "", False) for row in shown)]
    for name in columns:
        table.add_column(name, justify="left" if isinstance(rows[0][name], str) else "right")
    for cells in zip(*(_cells([row[name] for row in shown], escape) for name in columns)):
        table.add_row(*cells)
    print_whole(table)


def _cells(values: Sequence[Any], escape: Callable[[str], str]) -> list[str]:
    """Return the cells of a column; its numbers with as many decimals each."""
    if any(isinstance(value, float) for value in values):
        return alike(values)
    return [
        "yes" if value is True else "" if value is False else "-" if value is None else escape(str(value))
        for value in values
    ]


def _between(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" ({low:.0f} to {high:.0f})"


def _text(times: float, form: str, *values: float | None) -> str:
    """Return numbers as text, the ends of an interval with a word between them."""
    return " to ".join("-" if value is None else form.format(times * value) for value in dict.fromkeys(values))
