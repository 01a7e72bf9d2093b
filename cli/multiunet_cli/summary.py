"""Summary of a training before it begins, for a person or, whole, for a program."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from multiunet_cli.tables import print_lines, print_settings

Verbose = Annotated[bool, typer.Option("--verbose", help="of --dry-run: all settings and facts on the data, too")]


def show_plans(plans: Sequence[Any], out: Path, as_json: bool, verbose: bool) -> None:
    """Print what is planned: of several folds the first, and how many there are."""
    from multiunet.domains.info import to_json

    plan = plans[0]
    settings = json.loads(plan.config.model_dump_json())
    if as_json:
        content = {
            "domain": plan.domain,
            "config": settings,
            "dataset": to_json(plan.info),
            "parameters": plan.parameters,
        }
        typer.echo(json.dumps(content))
        return
    lines = plan.summarise()
    if len(plans) > 1:
        lines["folds"] = f"{len(plans)} such trainings, one after the other; shown is the first"
    lines["into"] = str(out)
    typer.echo("The data passed all checks.")
    print_lines(lines)
    if verbose:
        for title, values in (("settings", settings), ("dataset", to_json(plan.info))):
            print_settings(title, values)
        return
    typer.echo("--verbose shows all settings; nothing was written")
