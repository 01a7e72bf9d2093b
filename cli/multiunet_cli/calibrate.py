"""Command ``multiunet calibrate DOMAIN``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import typer

from multiunet.domains.calibration_words import describe_fits
from multiunet.domains.spec import DomainSpec
from multiunet_cli.heap import load
from multiunet_cli.options import AsJson, RunPaths, command_for
from multiunet_cli.process import command
from multiunet_cli.settings import resolve

HELP = "Calibrate a run's uncertainty on held-out data (as train does at its end, on the validation split)"


def calibrate_command(spec: DomainSpec) -> Callable[..., None]:
    """Make the command that calibrates a run of this domain."""

    def body(run: RunPaths, given: dict[str, Any], as_json: AsJson = False) -> None:
        options = resolve(spec.calibrate, None, None, given)
        load(spec)
        from multiunet.domains.calibration import calibrate

        fits = calibrate(run, options, spec.name)
        if as_json:
            typer.echo(json.dumps({"fits": [fit.model_dump(mode="json") for fit in fits]}))
            return
        for line in describe_fits(fits, spec.groups):
            typer.echo(line)
        typer.echo(f"kept in {run[0] / 'calibration.json'}, which predict and evaluate use")

    return command(command_for(spec.calibrate, body, f"{HELP}: {spec.summary}.", without=("raw",)))
