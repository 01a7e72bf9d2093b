"""Command ``multiunet plan DOMAIN``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from multiunet.domains.spec import DomainSpec
from multiunet.errors import InputError
from multiunet.files import check_file, make_parent, write_text
from multiunet.wording import as_word
from multiunet_cli.heap import load
from multiunet_cli.options import AsJson, ConfigFile, SetValues, command_for
from multiunet_cli.process import command
from multiunet_cli.settings import resolve
from multiunet_cli.wording import as_options

Out = Annotated[
    Path | None, typer.Option("--out", help="YAML file for `train --config`; default: only print", show_default=False)
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace --out")]


def plan_command(spec: DomainSpec) -> Callable[..., None]:
    """The command that decides what a training of this domain would be like."""

    def body(
        given: dict[str, Any],
        out: Out = None,
        overwrite: Overwrite = False,
        config: ConfigFile = None,
        set_: SetValues = None,
        as_json: AsJson = False,
    ) -> None:
        settings = resolve(spec.train, config, set_, given)
        if out is not None:
            _check(out, overwrite)
        load(spec)
        from multiunet.domains import training
        from multiunet.domains.info import to_json
        from multiunet.domains.plan_file import as_yaml

        parts = settings.parts()
        plan = training.plan(spec.name, parts[0])
        if out is not None:
            hint = f"Edit what you like, then: multiunet train {spec.name} --config {as_word(out)} --out RUN"
            make_parent(out)
            write_text(out, as_yaml(plan.config, settings.model_fields_set, plan.info, hint))
        if as_json:
            content = {"domain": plan.domain, "settings": json.loads(plan.config.model_dump_json())}
            dataset = to_json(plan.info)
            content |= {"plan": dataset["plan"], "fingerprint": dict(plan.info.facts())}
            typer.echo(json.dumps(content | {"parameters": plan.parameters, "time": plan.describe_time()}))
            return
        show(plan)
        if learns := plan.loaded.summarise(plan.config, plan.info).get("learns"):
            typer.echo(f"Learns: {as_options(learns)}")
        typer.echo(f"Time: {plan.describe_time()}")
        if len(parts) > 1:
            typer.echo(f"{len(parts)} such trainings, one after the other; shown is the first")
        if out is not None:
            typer.echo(f"wrote {out}")
            typer.echo(f"next: multiunet train {spec.name} --config {as_word(out)} --out RUN")

    return command(
        command_for(spec.train, body, f"Show the settings that train would choose, with reasons: {spec.summary}.")
    )


def show(plan: Any) -> None:
    """Tables of what the data are like and of what is decided."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from multiunet.domains.info import to_json
    from multiunet.memory import amount

    dataset = to_json(plan.info)
    memory = dataset["plan"]["memory"]
    data, decided = Table("the data", "", box=SIMPLE), Table("setting", "value", "why", box=SIMPLE)
    for name, value in plan.info.facts().items():
        data.add_row(name, escape(_text(value)))
    for name, choice in dataset["plan"]["settings"].items():
        decided.add_row(name, escape(_text(choice["value"])), escape(as_options(choice["reason"])))
    console = Console()
    console.print(data, decided)
    kept = f" and {amount(memory['images'])} images that stay in memory" if memory["images"] else ""
    typer.echo(
        f"{plan.parameters:,} parameters. Training takes about {amount(memory['needed'])} of "
        f"{amount(memory['budget'])}, of which {amount(memory['program'])} are the program itself{kept}."
    )


def _text(value: Any) -> str:
    """JSON as one would say it."""
    if isinstance(value, dict):
        return "\n".join(f"{name}: {_text(part)}".replace("\n", "  ") for name, part in value.items())
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "\n".join(_text(part).replace("\n", "  ") for part in value)
    return value if isinstance(value, str) else json.dumps(value)


def _check(out: Path, overwrite: bool) -> None:
    if out.is_dir():
        raise InputError(f"{out}: is a folder; --out takes a file, such as {out / 'plan.yaml'}")
    check_file(out, overwrite)
