"""Command ``multiunet predict DOMAIN``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from multiunet.domains.spec import DomainSpec
from multiunet.wording import as_word, counted
from multiunet_cli.heap import load
from multiunet_cli.options import AsJson, ConfigFile, RunPaths, SetValues, command_for
from multiunet_cli.process import command
from multiunet_cli.settings import resolve

Out = Annotated[Path, typer.Option("--out", help="the Zarr folder to write, NAME.zarr", show_default=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="check the run, the settings and the inputs; write nothing")]


def predict_command(spec: DomainSpec) -> Callable[..., None]:
    """The command that predicts with a run of this domain."""

    def body(
        run: RunPaths,
        out: Out,
        given: dict[str, Any],
        config: ConfigFile = None,
        set_: SetValues = None,
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        options = resolve(spec.predict, config, set_, given)
        load(spec)
        from multiunet.domains import inference
        from multiunet.domains.describe import count_parameters
        from multiunet.prediction.reading import attrs_of

        if dry_run:
            opened, inputs = inference.check_predict(run, options, out, spec.name)
            parameters = count_parameters(opened.model.net)
            if as_json:
                typer.echo(json.dumps({"run": [str(path) for path in run], "parameters": parameters, "inputs": inputs}))
            else:
                named = f"{', '.join(inputs[:5])}{', ...' if len(inputs) > 5 else ''}"
                runs = ", ".join(map(str, run))
                typer.echo(
                    f"{runs}: {parameters:,} parameters, ready to predict {counted(len(inputs), 'input')}: {named}"
                )
            return
        files = inference.predict(run, options, out, spec.name)
        if as_json:
            typer.echo(
                json.dumps(
                    {"prediction": str(out), "complete": out.exists(), "exported": [str(file) for file in files]}
                )
            )
            return
        if not out.exists():  # parts of it are missing
            return
        typer.echo(f"prediction: {out}")
        if files:
            typer.echo(f"exported {counted(len(files), 'file')} to {options.export}")
        if spec.measure is not None and attrs_of(out).get("task") in spec.measured:
            typer.echo(f"next: multiunet measure {spec.name} --prediction {as_word(out)}")

    return command(command_for(spec.predict, body, f"Predict with uncertainty: {spec.summary}."))
