"""multiunet evaluate DOMAIN"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multiunet.domains.card import DomainCard
from multiunet_cli.options import AsJson, command_for
from multiunet_cli.process import command, keep_large_blocks
from multiunet_cli.settings import resolve

if TYPE_CHECKING:
    from multiunet.domains.domain import Report

RunPaths = Annotated[
    list[Path], typer.Option("--run", help="a trained run's folder; repeated: an ensemble", show_default=False)
]


def evaluate_command(card: DomainCard) -> Callable[..., None]:
    """The command that scores a run of this domain."""

    def body(run: RunPaths, given: dict[str, Any], as_json: AsJson = False) -> None:
        options = resolve(card.evaluate, None, None, given)
        keep_large_blocks()
        from multiunet.domains import workflow

        report = workflow.evaluate(run, options, card.name)
        if as_json:
            typer.echo(json.dumps(report.as_dict()))
        else:
            show(report)

    return command(command_for(card.evaluate, body, f"Score a run beside trivial baselines: {card.summary}."))


def show(report: Report) -> None:
    """A table of scores, the model's first."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{report.domain}, {report.scored}", title_justify="left")
    table.add_column("score", min_width=max(map(len, report.metrics)))
    columns = {"model": report.metrics, **report.baselines}
    for name in columns:
        table.add_column(name, justify="right")
    for key, value in report.metrics.items():
        if isinstance(value, (Mapping, list)) and value and isinstance(next(iter(value)), (Mapping, list)):
            continue
        table.add_row(key, *(_text(column.get(key)) for column in columns.values()))
    Console().print(table)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        return "\n".join(f"{key} {_text(entry)}" for key, entry in value.items())
    if isinstance(value, list):
        return " ".join(_text(entry) for entry in value)
    return f"{value:.4f}" if isinstance(value, float) else str(value)
