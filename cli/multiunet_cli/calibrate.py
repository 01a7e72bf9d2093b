"""Command ``multiunet calibrate DOMAIN``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from multiunet.domains.spec import DomainSpec
from multiunet.wording import counted
from multiunet_cli.heap import load
from multiunet_cli.options import AsJson, RunPaths, command_for
from multiunet_cli.process import command
from multiunet_cli.settings import resolve

if TYPE_CHECKING:
    from multiunet.domains.calibration_file import Fit

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
        for line in in_words(fits, spec.groups):
            typer.echo(line)
        typer.echo(f"kept in {run[0] / 'calibration.json'}, which predict and evaluate use")

    return command(command_for(spec.calibrate, body, f"{HELP}: {spec.summary}.", without=("raw",)))


def in_words(fits: Sequence[Fit], groups: str) -> list[str]:
    """Return a line for each fit.

    Args:
        groups: what errors were learnt from, in the plural: "images", say.
    """
    return [_line(fit, groups) for fit in fits]


def _line(fit: Fit, groups: str) -> str:
    limits = fit.limits_in_words(groups)
    words = (
        f"{_way(fit)}: {_numbers(fit)}; {fit.source}, {counted(fit.groups, fit.name_groups(groups).removesuffix('s'))}"
    )
    return f"{words} ({limits})" if limits else words


def _way(fit: Fit) -> str:
    members = "" if fit.members == 1 else f"{fit.members} networks, "
    sampled = "without dropout" if fit.samples == 1 else f"{fit.samples} samples"
    return f"{members}{sampled}{f', {fit.way}' if fit.way else ''}"


def _numbers(fit: Fit) -> str:
    found: Mapping[str, Any] = fit.calibration.model_dump()
    if fit.calibration.kind == "classes":
        thresholds = found["thresholds"].items()
        rare = [f"{name} from {least:.2g} times the likeliest other class on" for name, least in thresholds]
        return "; ".join([f"temperature {found['temperature']:.3g}", *rare])
    return f"variances times {', '.join(f'{factor:.3g}' for factor in found['factors'])}"
