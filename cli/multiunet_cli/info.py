"""multiunet info RUN"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multiunet_cli.options import AsJson
from multiunet_cli.process import command

if TYPE_CHECKING:
    from multiunet.training.run_folder import RunFolder


@command
def info(
    run: Annotated[Path, typer.Argument(help="a run's folder", show_default=False)], as_json: AsJson = False
) -> None:
    """Show a run: settings, status, best scores, parameters, shapes by level, receptive field, halo, memory."""
    from multiunet.training.run_folder import RunFolder

    folder = RunFolder.open(run)
    content = _trained(run) if folder.started() else _begun(folder)
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


def _trained(run: Path) -> dict[str, Any]:
    from multiunet.domains.describe import describe
    from multiunet.domains.runs import open_run

    opened = open_run(run, device="cpu")
    return {
        "domain": opened.card.name,
        "status": opened.folder.read_status(),
        "network": describe(opened.model, opened.domain.example(opened.model, opened.config, opened.facts)),
        "best": opened.best,
        "facts": opened.facts,
        "config": json.loads(opened.config.model_dump_json()),
    }


def _begun(folder: RunFolder) -> dict[str, Any]:
    """Of a run that has no weights yet, what its folder says."""
    config = folder.config()
    return {
        "domain": config.pop("domain", None),
        "status": f"{folder.read_status()}; no checkpoint yet",
        "facts": folder.facts(),
        "config": config,
    }
