"""The commands of ``multiunet``."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated

import typer
from rich.markup import escape

from multiunet.domains.spec import DomainSpec, Unavailable, domains
from multiunet_cli.ask import QUESTIONS, ask_command
from multiunet_cli.calibrate import calibrate_command
from multiunet_cli.check import check_command
from multiunet_cli.compare import compare_command
from multiunet_cli.data import data_commands
from multiunet_cli.demo import demo
from multiunet_cli.doctor import doctor
from multiunet_cli.evaluate import evaluate_command
from multiunet_cli.explain import explain
from multiunet_cli.export import export_command
from multiunet_cli.info import info
from multiunet_cli.list_domains import list_domains
from multiunet_cli.measure import measure_command
from multiunet_cli.plain import PlainGroup
from multiunet_cli.plan import plan_command
from multiunet_cli.predict import predict_command
from multiunet_cli.sample import sample_command
from multiunet_cli.share import share_command
from multiunet_cli.train import train_command
from multiunet_cli.warnings import show_warnings

DEMO = (
    "Make small data sets (images, a genome, a graph, many graphs), then train, predict and evaluate; with generate "
    "make new images."
)

HELP = "U-Nets for images, volumes, genomes and graphs, with uncertainty."


def application() -> typer.Typer:
    """The command tree: the verbs, and under most of them one command a domain."""
    app = typer.Typer(cls=PlainGroup, help=HELP, no_args_is_help=True, pretty_exceptions_enable=False)
    app.callback()(_root)
    available = domains()
    verbs: list[tuple[str, str, Callable[[DomainSpec], Callable[..., None]]]] = [
        ("train", "Train a model.", train_command),
        ("predict", "Predict with a trained run.", predict_command),
        ("calibrate", "Calibrate the uncertainty of a trained run on held-out data.", calibrate_command),
        ("evaluate", "Score a trained run beside trivial baselines.", evaluate_command),
        ("compare", "Compare runs on their validation data, and choose one or an ensemble.", compare_command),
    ]
    for verb, help, make in verbs:
        group = typer.Typer(help=help, no_args_is_help=True)
        for spec in available.values():
            _add(group, spec, make)
        app.add_typer(group, name=verb)
    measuring = typer.Typer(help="Measure a prediction: amounts, counts and sizes.", no_args_is_help=True)
    for spec in available.values():
        if isinstance(spec, DomainSpec) and spec.measure is not None:
            measuring.command(spec.name)(measure_command(spec))
    app.add_typer(measuring, name="measure")
    sampling = typer.Typer(help="Make new samples with a trained generator.", no_args_is_help=True)
    for spec in available.values():
        if isinstance(spec, DomainSpec) and spec.sample is not None:
            sampling.command(spec.name)(sample_command(spec))
    app.add_typer(sampling, name="sample")
    for question, help in QUESTIONS.items():
        asking = typer.Typer(help=help, no_args_is_help=True)
        for spec in available.values():
            if isinstance(spec, DomainSpec) and question in spec.questions:
                asking.command(spec.name)(ask_command(question)(spec))
        app.add_typer(asking, name=question)
    planning = typer.Typer(
        help="Decide how to train, and say why (images, genomes; elsewhere use train --dry-run).",
        no_args_is_help=True,
    )
    for spec in available.values():
        if isinstance(spec, DomainSpec) and spec.plans:
            planning.command(spec.name)(plan_command(spec))
    app.add_typer(planning, name="plan")
    checking = typer.Typer(
        help="Look at all data of a training, without training (genomes only).", no_args_is_help=True
    )
    for spec in available.values():
        if isinstance(spec, DomainSpec) and spec.checks:
            checking.command(spec.name)(check_command(spec))
    app.add_typer(checking, name="check")
    app.add_typer(data_commands(), name="data")
    app.command("demo", help=DEMO)(demo)
    app.command("explain")(explain)
    app.command("export")(export_command())
    app.command("share")(share_command())
    app.command("info")(info)
    app.command("domains")(list_domains)
    app.command("doctor")(doctor)
    return app


def _add(group: typer.Typer, spec: DomainSpec | Unavailable, make: Callable[[DomainSpec], Callable[..., None]]) -> None:
    if isinstance(spec, DomainSpec):
        try:
            group.command(spec.name)(make(spec))
            return
        except Exception as error:  # a third party's settings may be anything; they must not take the others down
            spec = Unavailable(spec.name, f"{type(error).__name__}: {error}")
    # whatever options it is given: the reason is what matters
    anything = {"ignore_unknown_options": True, "allow_extra_args": True}
    help = f"unavailable: {escape(spec.reason)}"
    group.command(spec.name, help=help, context_settings=anything)(_unavailable(spec))


def _unavailable(spec: Unavailable) -> Callable[[], None]:
    def command() -> None:
        typer.secho(f"error: domain {spec.name!r} cannot be used: {spec.reason}", err=True, fg="red")
        raise typer.Exit(3)

    return command


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("multiunet"))
        raise typer.Exit


def _root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    show_warnings()
