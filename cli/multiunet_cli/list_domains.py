"""Command ``multiunet domains``."""

from __future__ import annotations

import json

import typer

from multiunet.domains.card import Unavailable, domains
from multiunet_cli.options import AsJson
from multiunet_cli.process import command


@command
def list_domains(as_json: AsJson = False) -> None:
    """List the installed domains."""
    rows = [
        {"domain": card.name, "available": False, "reason": card.reason}
        if isinstance(card, Unavailable)
        else {"domain": card.name, "available": True, "summary": card.summary}
        for card in domains().values()
    ]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        typer.echo(f"{row['domain']:10} {row.get('summary') or 'unavailable: ' + str(row['reason'])}")
