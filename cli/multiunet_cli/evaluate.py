"""multiunet evaluate DOMAIN"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from multiunet.domains.card import DomainCard
from multiunet_cli.options import AsJson
from multiunet_cli.process import command, keep_large_blocks

RunPaths = Annotated[
    list[Path], typer.Option("--run", help="a trained run's folder; repeated: an ensemble", show_default=False)
]
SplitOption = Annotated[Literal["train", "val", "test"], typer.Option("--split", help="what to score on")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps")]


def evaluate_command(card: DomainCard) -> Callable[..., None]:
    """The command that scores a run of this domain."""

    def body(run: RunPaths, split: SplitOption = "test", device: Device = "auto", as_json: AsJson = False) -> None:
        keep_large_blocks()
        from multiunet.domains import workflow

        report = workflow.evaluate(run, split, device, card.name)
        if as_json:
            typer.echo(json.dumps(report.as_dict()))
        else:
            show(report.metrics, report.baselines, f"{report.domain}, {report.split} split")

    body.__doc__ = f"Score a run beside trivial baselines: {card.summary}."
    return command(body)


def show(metrics: Mapping[str, Any], baselines: Mapping[str, Mapping[str, Any]], title: str) -> None:
    """A table of scores, the model's first."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column("score")
    columns = {"model": metrics, **baselines}
    for name in columns:
        table.add_column(name, justify="right")
    for key, value in metrics.items():
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
