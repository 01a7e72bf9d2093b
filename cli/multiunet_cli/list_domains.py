"""Command ``multiunet domains``."""

from __future__ import annotations

import json

import typer

from multiunet.domains.spec import Unavailable, domains
from multiunet_cli.options import AsJson
from multiunet_cli.process import command


@command
def list_domains(as_json: AsJson = False) -> None:
    """List the installed domains."""
    rows = [
        {"domain": spec.name, "available": False, "reason": spec.reason}
        if isinstance(spec, Unavailable)
        else {"domain": spec.name, "available": True, "summary": spec.summary}
        for spec in domains().values()
    ]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        typer.echo(f"{row['domain']:10} {row.get('summary') or 'unavailable: ' + str(row['reason'])}")
