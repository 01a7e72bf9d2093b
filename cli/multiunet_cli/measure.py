"""Command ``multiunet measure DOMAIN``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from multiunet.domains.spec import DomainSpec
from multiunet_cli.options import AsJson, command_for
from multiunet_cli.process import command
from multiunet_cli.settings import resolve

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
        show(found["phases"])
        for file in found["files"]:
            typer.echo(f"wrote {file}")

    return command(command_for(settings, body, f"Measure a prediction, with error bars: {spec.summary}."))


def show(phases: list[dict[str, Any]]) -> None:
    """Print a table of phases."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    unit = phases[0]["length_unit"]
    title = "±: one standard deviation over the Monte-Carlo samples"
    if phases[0]["separated"]:
        title += "; the fraction is the objects' area, the ± the relative deviation of their share in the class maps"
    table = Table(title=title, title_justify="left", box=SIMPLE)
    for column in ("image", "class"):
        table.add_column(column)
    for column in ("fraction, %", "objects", "off the border", f"mean diameter, {escape(unit)}"):
        table.add_column(column, justify="right")
    for phase in phases:
        table.add_row(
            escape(phase["image"]),
            escape(phase["phase"]),
            _text(phase["fraction"], phase["fraction_sd"], 100, "{:.2f}"),
            *("-" if phase[name] is None else str(phase[name]) for name in ("objects", "whole")),
            _text(phase["diameter_mean"], None, 1, "{:.3g}"),
        )
    Console().print(table)


def _text(value: float | None, sd: float | None, times: float, form: str) -> str:
    if value is None:
        return "-"
    shown = form.format(times * value)
    return shown if sd is None else f"{shown} ± {form.format(times * sd)}"
