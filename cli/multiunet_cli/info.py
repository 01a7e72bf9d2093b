"""multiunet info RUN"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from multiunet_cli.options import AsJson
from multiunet_cli.process import command


@command
def info(
    run: Annotated[Path, typer.Argument(help="a run's folder", show_default=False)], as_json: AsJson = False
) -> None:
    """Show a run: settings, status, best scores, parameters, shapes by level, receptive field, halo, memory."""
    from multiunet.domains.describe import describe
    from multiunet.domains.workflow import open_run

    opened = open_run(run, device="cpu")
    content: dict[str, Any] = {
        "domain": opened.card.name,
        "status": opened.folder.read_status(),
        "network": describe(opened.model, opened.domain.example(opened.model, opened.config, opened.facts)),
        "best": opened.best,
        "facts": opened.facts,
        "config": json.loads(opened.config.model_dump_json()),
    }
    if as_json:
        typer.echo(json.dumps(content))
        return
    for section, values in content.items():
        if not isinstance(values, dict):
            typer.echo(f"{section}: {values}")
            continue
        typer.echo(f"\n{section}")
        for key, value in values.items():
            text = json.dumps(value)
            typer.echo(f"  {key}: {text if len(text) <= 160 else text[:157] + '...'}")
