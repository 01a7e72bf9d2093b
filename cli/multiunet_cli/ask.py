"""Commands ``multiunet variants``, ``mutagenesis`` and ``attribute``, questions to trained runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from multiunet.domains.spec import DomainSpec
from multiunet.wording import counted
from multiunet_cli.heap import load
from multiunet_cli.options import AsJson, ConfigFile, RunPaths, SetValues, command_for
from multiunet_cli.process import command
from multiunet_cli.settings import resolve
from multiunet_cli.tables import print_whole

QUESTIONS = {
    "variants": "Score genetic variants: what each changes in the prediction, with its deviation.",
    "mutagenesis": "Change each base of a region, and see what it does to the prediction.",
    "attribute": "Share a prediction out among the bases that it comes from, by gradients.",
}
"""Help of each question's command."""

SHOWN = ("chrom", "pos", "ref", "alt", "track", "sum", "sum_sd", "sum_z", "max", "log_ratio")
"""Columns of the variants that are printed."""

LONGEST = 12
"""Characters of an allele that are printed."""

Out = Annotated[Path, typer.Option("--out", help="what to write: of variants a table, NAME.tsv; else a folder")]


def ask_command(question: str) -> Callable[[DomainSpec], Callable[..., None]]:
    """Make the maker of the commands that put this question to runs of a domain."""

    def make(spec: DomainSpec) -> Callable[..., None]:
        settings = spec.questions[question]

        def body(
            run: RunPaths,
            out: Out,
            given: dict[str, Any],
            config: ConfigFile = None,
            set_: SetValues = None,
            as_json: AsJson = False,
        ) -> None:
            options = resolve(settings, config, set_, given)
            load(spec)
            from multiunet.domains.questions import ask

            found = ask(question, run, options, out, spec.name)
            if as_json:
                typer.echo(json.dumps(found))
                return
            _show(found)

        return command(command_for(settings, body, QUESTIONS[question]))

    return make


def _show(found: Mapping[str, Any]) -> None:
    if "ranked" in found:
        _show_ranked(found["ranked"])
        parts = [f"{number:,} {status.replace('_', ' ')}" for status, number in sorted(found["alleles"].items())]
        typer.echo(f"{counted(found['records'], 'record')}; alleles: {', '.join(parts)}")
        typer.echo(f"scores: {found['scores']}")
    for file in found.get("files", ()):
        typer.echo(f"wrote {file}")


def _show_ranked(rows: Sequence[Mapping[str, Any]]) -> None:
    from rich.box import SIMPLE
    from rich.markup import escape
    from rich.table import Table

    if not rows:
        return
    table = Table(
        title="largest changes, by sum", title_justify="left", box=SIMPLE, pad_edge=False, collapse_padding=True
    )
    for name in SHOWN:
        table.add_column(name, justify="left" if name in ("chrom", "ref", "alt", "track") else "right")
    for row in rows:
        table.add_row(*(escape(_cell(name, row[name])) for name in SHOWN))
    print_whole(table)


def _cell(name: str, value: str | float | None) -> str:
    if value is None:
        return ""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return f"{text[:LONGEST]}... ({len(text)})" if name in ("ref", "alt") and len(text) > LONGEST else text
