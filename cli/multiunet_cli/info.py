"""Command ``multiunet info --run RUN``."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from multiunet.domains.calibration_words import describe_fits
from multiunet.wording import counted
from multiunet_cli.best import numbers, validated
from multiunet_cli.options import AsJson
from multiunet_cli.process import command
from multiunet_cli.run_description import describe_run
from multiunet_cli.tables import cell, print_lines, print_settings, print_whole
from multiunet_cli.wording import as_options

if TYPE_CHECKING:
    from multiunet.training.run_folder import RunFolder


@command
def info(
    place: Annotated[Path | None, typer.Argument(metavar="RUN", help="the same as --run", show_default=False)] = None,
    run: Annotated[Path | None, typer.Option("--run", help="folder of a run, or of folds", show_default=False)] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="all settings and facts on the data, too")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a run: status, best scores, data, network and training.

    Of the folds of a cross-validation, show the status and best scores of each.
    """
    if (run is None) == (place is None):
        raise typer.BadParameter("name one run, such as --run runs/a", param_hint="--run")
    run = place if run is None else run
    assert run is not None
    from multiunet.domains.runs import folds_in
    from multiunet.training.run_folder import RunFolder

    if folds := folds_in(run):
        _show_folds(run, [RunFolder.open(fold) for fold in folds], as_json)
        return
    folder = RunFolder.open(run)
    described = describe_run(folder)
    if as_json:
        typer.echo(json.dumps(described.content))
        return
    print_lines({about: as_options(text) for about, text in described.lines.items()})
    if described.content.get("config", {}).get("task") != "generate":  # a generator states no uncertainty
        _print_calibration(described.content.get("calibration", []))
    if verbose:
        for section in ("network", "best", "dataset", "config"):
            if values := described.content.get(section):
                print_settings(section, values)
        return
    typer.echo("\n--verbose shows all settings and facts")


def _print_calibration(lines: Sequence[str]) -> None:
    """Print what was fitted, a line for each way of predicting."""
    typer.echo(f"\ncalibration{'' if lines else ': none'}")
    for line in lines:
        typer.echo(f"  {line}")


def _show_folds(run: Path, folds: Sequence[RunFolder], as_json: bool) -> None:
    """Show the status of each fold, its best epoch with its scores on validation, and the calibration of all folds."""
    from multiunet.domains.calibration_file import read_fits
    from multiunet.domains.runs import spec_of

    together = [fit for fit in read_fits(run) if fit.members > 1]  # beside those of each fold for its own test split
    calibration = describe_fits(together, spec_of(folds[0]).groups)
    found = [{"run": str(fold.path), "status": fold.read_status(), **validated(fold)} for fold in folds]
    if as_json:
        content = {"domain": folds[0].config().get("domain"), "folds": found, "calibration": calibration}
        typer.echo(json.dumps(content))
        return
    from rich.markup import escape
    from rich.table import Table

    scores = [numbers(fold["validation"] or {}) for fold in found]
    names = list(dict.fromkeys(name for row in scores for name in row))
    title = f"{folds[0].config().get('domain')}, {counted(len(folds), 'fold')}, scores of the best epoch on validation"
    table = Table("fold", "status", title=escape(title), title_justify="left")
    for name in ("best epoch", *names):
        table.add_column(escape(name), justify="right")
    for folder, fold, row in zip(folds, found, scores):
        # what comes behind is the process, its machine and the time
        status = re.split("[:;]", fold["status"])[0]
        cells = (cell(value) for value in (fold["best_epoch"], *(row.get(name) for name in names)))
        table.add_row(folder.path.name, escape(status), *cells)
    print_whole(table)
    _print_calibration(calibration)
