"""Command ``multiunet evaluate DOMAIN``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from multiunet.domains.spec import DomainSpec
from multiunet.files import check_folder
from multiunet_cli.heap import load
from multiunet_cli.options import AsJson, RunPaths, command_for
from multiunet_cli.process import command
from multiunet_cli.settings import resolve
from multiunet_cli.tables import cell, print_whole
from multiunet_cli.uncertainty_table import make_table, without_uncertainty

if TYPE_CHECKING:
    from multiunet.domains.result import Report

Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="folder for scores.csv (a row an item), of classes confusion.csv, and curves of the uncertainty (CSV, "
        "PNG); default: only print",
        show_default=False,
    ),
]
Ood = Annotated[
    Path | None,
    typer.Option(
        "--ood",
        help="other data, as predict takes them, targets or not: does uncertainty tell them from the scored ones?",
        show_default=False,
    ),
]
Page = Annotated[
    bool, typer.Option("--report/--no-report", help="write report.html, a page of the scores, into the run folder")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace files in --out")]


def evaluate_command(spec: DomainSpec) -> Callable[..., None]:
    """Make the command that scores a run of this domain."""

    def body(
        run: RunPaths,
        given: dict[str, Any],
        ood: Ood = None,
        out: Out = None,
        overwrite: Overwrite = False,
        page: Page = True,
        as_json: AsJson = False,
    ) -> None:
        options = resolve(spec.evaluate, None, None, given)
        if out is not None:
            check_folder(out, overwrite)
        load(spec)
        from multiunet.domains import inference
        from multiunet.domains.report.making import try_page
        from multiunet.domains.report_files import write_report

        report = inference.evaluate(run, options, spec.name, ood)
        files = [] if out is None else write_report(report, out)
        if page and len(run) == 1:
            files += try_page(run[0], report)
        if as_json:
            typer.echo(json.dumps(report.as_dict()))
            return
        show(report)
        for file in files:
            typer.echo(f"wrote {file}")

    return command(command_for(spec.evaluate, body, f"Score a run beside trivial baselines: {spec.summary}."))


def show(report: Report) -> None:
    """Print a table of scores, the model's first, one of its uncertainty, if it states one, and a verdict."""
    from rich.markup import escape
    from rich.table import Table

    columns = {"model": without_uncertainty(report.metrics), **report.baselines}
    typer.echo(f"{report.domain}, {report.scored}; {report.prediction}")
    table = Table("score")
    for name in columns:
        table.add_column(name, justify="right")
    undefined = []
    for name, entries in _rows(list(columns.values())):
        if name in report.metrics and all(entry is None for entry in entries):
            undefined.append(name)  # those of a class keep their rows: that nothing is of it says something
        else:
            table.add_row(escape(name), *(escape(cell(entry)) for entry in entries))
    print_whole(table)
    if undefined:
        typer.echo(f"Not defined on what was scored: {', '.join(undefined)}.")
    if "per_track" in report.metrics:
        typer.echo(
            "Scores without a track's name are means over the tracks, each counting alike. Errors such as mse have the "
            "units of their track, and no mean."
        )
    if (stated := make_table(report.metrics, len(report.items))) is not None:
        print_whole(stated)
    for sentence in report.verdict:
        typer.echo(sentence)


def _rows(columns: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[Any]]]:
    """The rows of the first column's scores; those of each class and of each track are rows of their own."""
    names = columns[0].get("classes", [])
    for key, value in columns[0].items():
        entries = [column.get(key) for column in columns]
        if isinstance(value, list) and len(value) == len(names):
            if key not in ("classes", "confusion"):
                by_class = zip(*(entry or [None] * len(names) for entry in entries))
                yield from ((f"{key} {name}", list(row)) for name, row in zip(names, by_class))
        elif not (isinstance(value, (Mapping, list)) and value and isinstance(next(iter(value)), (Mapping, list))):
            yield key, entries
    for place, track in enumerate(columns[0].get("per_track", [])):
        several = [column["per_track"][place] if "per_track" in column else {} for column in columns]
        name = track.get("track", place)
        yield from ((f"{key} {name}", [one.get(key) for one in several]) for key in track if key != "track")
