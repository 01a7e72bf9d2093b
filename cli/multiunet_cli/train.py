"""Command ``multiunet train DOMAIN``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from multiunet.domains.calibration_words import describe_fits
from multiunet.domains.spec import DomainSpec
from multiunet.wording import as_word, counted
from multiunet_cli.best import in_words, validated
from multiunet_cli.heap import load
from multiunet_cli.options import AsJson, ConfigFile, SetValues, command_for
from multiunet_cli.process import command
from multiunet_cli.settings import resolve
from multiunet_cli.summary import Verbose, show_plans
from multiunet_cli.wording import as_options

Out = Annotated[Path, typer.Option("--out", help="the run folder to create", show_default=False)]
ResumeOption = Annotated[
    Literal["never", "auto"],
    typer.Option("--resume", help="auto: continue the run in --out, or start one if there is none"),
]
Page = Annotated[
    bool,
    typer.Option("--report/--no-report", help="score the validation split, and write report.html into the run folder"),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="check the data and show the plan; write nothing")]


def train_command(spec: DomainSpec) -> Callable[..., None]:
    """The command that trains this domain."""

    def body(
        out: Out,
        given: dict[str, Any],
        resume: ResumeOption = "never",
        config: ConfigFile = None,
        set_: SetValues = None,
        dry_run: DryRun = False,
        page: Page = True,
        verbose: Verbose = False,
        as_json: AsJson = False,
    ) -> None:
        settings = resolve(spec.train, config, set_, given)
        load(spec)
        from multiunet.domains import training

        if dry_run:
            show_plans(training.plan_all(spec.name, settings, out, resume), out, as_json, verbose)
            return
        runs = training.train_all(spec.name, settings, out, resume)
        if not runs:  # of several processes, the first shows what was trained
            return
        pages = _write_page(out) if page else []
        if runs == [out]:
            _show_result(out, spec, as_json, pages)
        else:
            _show_folds(out, runs, spec, as_json, pages)

    return command(command_for(spec.train, body, f"Train: {spec.summary}."))


def _write_page(out: Path) -> list[Path]:
    from multiunet.domains.report.making import report_training

    return report_training(out)


def _show_result(out: Path, spec: DomainSpec, as_json: bool, pages: Sequence[Path]) -> None:
    from multiunet.training.run_folder import RunFolder

    run = RunFolder.open(out)
    if as_json:
        typer.echo(json.dumps({"run": str(out), **validated(run)}))
        return
    typer.echo(in_words(run))
    _show_calibration(out, spec, folds=False)
    typer.echo(f"run folder: {out}")
    _show_pages(pages)
    typer.echo(f"next: {_next(spec, out, run.config(), run.dataset())}")


def _show_pages(pages: Sequence[Path]) -> None:
    for page in pages:
        typer.echo(f"report: {page}")


def _show_calibration(out: Path, spec: DomainSpec, folds: bool) -> None:
    """Print what corrects a prediction with the default settings, if anything does."""
    from multiunet.domains.calibration_file import read_fits

    found = [fit for fit in read_fits(out) if (fit.members > 1) == folds]
    if found:  # of the network alone, then, if it has dropout, of its samples
        [line] = describe_fits(found[-1:], spec.groups)
        typer.echo(f"calibration, {line}")


def _show_folds(out: Path, runs: Sequence[Path], spec: DomainSpec, as_json: bool, pages: Sequence[Path]) -> None:
    from multiunet.training.run_folder import RunFolder

    folds = [RunFolder.open(run) for run in runs]
    if as_json:
        found = [{"run": str(fold.path), **validated(fold)} for fold in folds]
        typer.echo(json.dumps({"runs": [str(run) for run in runs], "folds": found}))
        return
    for fold in folds:
        typer.echo(f"{fold.path.name}: {in_words(fold)}")
    _show_calibration(out, spec, folds=True)
    typer.echo(f"{counted(len(runs), 'run')}: {runs[0]} to {runs[-1].name}")
    _show_pages(pages)
    typer.echo(f"next: multiunet evaluate {spec.name} --run {as_word(out)}")


def _next(spec: DomainSpec, out: Path, config: dict[str, Any], dataset: dict[str, Any]) -> str:
    """The command for what comes next: to score the run, or, where nothing was kept to test on, to use it."""
    if spec.sample is not None and config.get("task") == "generate":
        needed = [f"--{name} {name.upper()}" for name in spec.sample.needed_of(config)]
        words = [
            f"multiunet sample {spec.name} --run {as_word(out)}",
            *needed,
            f"--out {as_options(spec.sample.written)}",
        ]
        return " ".join(words)
    split = dataset.get("split")
    if not isinstance(split, dict) or split.get("test", True):
        return f"multiunet evaluate {spec.name} --run {as_word(out)}"
    needed = [f"--{name} {name.upper()}" for name, field in spec.predict.model_fields.items() if field.is_required()]
    return " ".join([f"multiunet predict {spec.name} --run {as_word(out)}", *needed, "--out NAME.zarr"])
