"""Command ``multiunet compare DOMAIN``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multiunet.domains.config import panel_of
from multiunet.domains.spec import DomainSpec
from multiunet.wording import as_word, figure
from multiunet_cli.heap import load
from multiunet_cli.options import AsJson, command_for
from multiunet_cli.process import command
from multiunet_cli.settings import resolve
from multiunet_cli.tables import cell, print_whole

if TYPE_CHECKING:
    from multiunet.domains.comparison import Comparison, Difference

Candidates = Annotated[
    list[Path],
    typer.Option("--run", help="folder of a trained run, or of folds: a candidate; repeat", show_default=False),
]
Ensembles = Annotated[
    bool, typer.Option("--ensembles/--no-ensembles", help="pairs, and all together, are candidates, too")
]

HELP = "Compare runs, and ensembles of them, on the validation data that they share, and choose the best"


def compare_command(spec: DomainSpec) -> Callable[..., None]:
    """Make the command that compares runs of this domain."""

    def body(run: Candidates, given: dict[str, Any], ensembles: Ensembles = True, as_json: AsJson = False) -> None:
        options = resolve(spec.evaluate, None, None, given)
        load(spec)
        from multiunet.domains.comparing import compare

        comparison = compare(run, options, spec.name, ensembles)
        if as_json:
            typer.echo(json.dumps(comparison.as_dict() | {"next": _next(spec, comparison)}))
            return
        show(comparison)
        for line in _next(spec, comparison):
            typer.echo(f"next: {line}")

    data = [name for name, field in spec.evaluate.model_fields.items() if panel_of(field) == "Data"]
    return command(command_for(spec.evaluate, body, f"{HELP}: {spec.summary}.", without=data))


def show(comparison: Comparison) -> None:
    """Print a table of the candidates, the best first, and what is chosen."""
    from rich.markup import escape
    from rich.table import Table

    typer.echo(f"{comparison.domain}, {comparison.scored}; {comparison.prediction}")
    table = Table("candidate")
    named = comparison.measure if comparison.measure != comparison.monitor else f"mean {comparison.monitor} of items"
    for name in (comparison.monitor, named, "best minus this, 95%", "best is better in"):
        table.add_column(name, justify="right")
    for place, one in enumerate(comparison.candidates):
        words = ("-", "-") if place == 0 else _words(comparison.differences[place - 1])
        table.add_row(escape(one.name), cell(one.score), cell(one.mean), *words)
    print_whole(table)
    for line in comparison.left_out:
        typer.echo(f"no candidate: {line}")
    typer.echo(f"chosen: {comparison.chosen.name}, of the highest {comparison.monitor} on validation")
    unclear = [one.to for one in comparison.differences if not one.is_clear]
    if unclear:
        typer.echo(f"not clearly better than: {', '.join(unclear)} (the interval holds 0, or there is none)")
    typer.echo("Validation chose the epochs, too, so these scores flatter; the test split, not read here, says more.")


def _words(one: Difference) -> tuple[str, str]:
    """Return a difference with its interval, and how often it is one."""
    if not one.items:
        return "-", "-"
    between = "" if one.interval is None else f" [{', '.join(map(_signed, one.interval))}]"
    return f"{_signed(one.mean)}{between}".replace("[", "\\["), f"{one.better} of {one.items}"


def _signed(value: float) -> str:
    return f"{'-' if value < 0 else '+'}{figure(abs(value))}"


def _next(spec: DomainSpec, comparison: Comparison) -> list[str]:
    """Return the commands that score and use the chosen candidate."""
    runs = " ".join(f"--run {as_word(run)}" for run in comparison.chosen.runs)
    needed = [f"--{name} {name.upper()}" for name, field in spec.predict.model_fields.items() if field.is_required()]
    predict = " ".join([f"multiunet predict {spec.name} {runs}", *needed, "--out NAME.zarr"])
    # each fold is tested on its own split, so folds of several trainings are no ensemble there
    scorable = comparison.folds == 1 or len(comparison.chosen.runs) == 1
    return [*([f"multiunet evaluate {spec.name} {runs}"] if scorable else []), predict]
