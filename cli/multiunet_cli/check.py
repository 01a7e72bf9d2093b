"""Command ``multiunet check DOMAIN``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import typer

from multiunet.domains.spec import DomainSpec
from multiunet_cli.heap import load
from multiunet_cli.options import AsJson, ConfigFile, SetValues, command_for
from multiunet_cli.process import command
from multiunet_cli.settings import resolve
from multiunet_cli.wording import as_options

SHOWN = 30
"""Most chromosomes, and most tracks, that are printed."""


def check_command(spec: DomainSpec) -> Callable[..., None]:
    """Make the command that looks at all data of a training of this domain, without training."""

    def body(given: dict[str, Any], config: ConfigFile = None, set_: SetValues = None, as_json: AsJson = False) -> None:
        settings = resolve(spec.train, config, set_, given)
        load(spec)
        from multiunet.domains import training

        found = training.check(spec.name, settings)
        if as_json:
            typer.echo(json.dumps(found))
        else:
            show(found)
        if not found["usable"]:
            raise typer.Exit(3)

    help = f"Look at all data of a training, without training: {spec.summary}."
    return command(command_for(spec.train, body, help))


def show(found: Mapping[str, Any]) -> None:
    """Print tables of sequences and tracks, and the warnings."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    letters, count = found["letters"], len(found["chroms"])
    typer.echo(
        f"{found['fasta']}: {count} sequences, {letters['bases']:,} bases, of which "
        f"{letters['unknown']:,} unknown (N), {letters['ambiguous']:,} IUPAC, {letters['lower_case']:,} in lower case"
    )
    chroms = [f"{name} {length:,}" for name, length in found["chroms"].items()]
    more = f", ... ({len(chroms)} in all)" if len(chroms) > SHOWN else ""
    typer.echo(", ".join(chroms[:SHOWN]) + more)
    if found["tracks"]:
        columns = list(found["tracks"][0])
        table = Table(*columns, box=SIMPLE)
        for track in found["tracks"][:SHOWN]:
            table.add_row(*(escape(_text(track[column])) for column in columns))
        Console().print(table)
    typer.echo(f"the network looks at {found['receptive_field']:,} bases")
    for warning in found["warnings"]:
        typer.echo(f"warning: {as_options(warning)}")
    if not found["warnings"]:
        typer.echo("nothing strange was found")


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
