"""Command ``multiunet doctor``."""

from __future__ import annotations

import json
from typing import Any

import typer

from multiunet.domains.spec import Unavailable, domains
from multiunet_cli.options import AsJson
from multiunet_cli.process import command, fail


@command
def doctor(as_json: AsJson = False) -> None:
    """Check this installation: versions, devices, domains, and a training step of a small network."""
    report = _examine()
    if as_json:
        typer.echo(json.dumps(report))
    else:
        for section, values in report.items():
            typer.echo(section)
            for key, value in values.items():
                typer.echo(f"  {key}: {value}")
    problems = [f"{key}: {value}" for key, value in report["checks"].items() if value != "ok"]
    if problems:
        fail("; ".join(problems), 1)


def _examine() -> dict[str, dict[str, Any]]:
    from multiunet.device import computes_bf16, pick_device
    from multiunet.training.run_folder import environment

    env = environment()
    device = pick_device("auto")
    checks = {}
    for name, spec in domains().items():
        try:
            checks[f"domain {name}"] = spec.reason if isinstance(spec, Unavailable) else (spec.load() and "ok")
        except Exception as error:  # whatever breaks the import is what the user wants to know
            checks[f"domain {name}"] = f"{type(error).__name__}: {error}"
    checks["network"] = _try_network(str(device))
    return {
        "versions": {"python": env["python"], **env["versions"]},
        "machine": {
            "platform": env["platform"],
            "cores": env["cores"],
            "threads": env["threads"],
            "device": str(device),
            "bf16": computes_bf16(device),
        },
        "checks": checks,
    }


def _try_network(device: str) -> str:
    import torch

    from multiunet import Geometry, Graph, Grid, UNet

    geometries: list[Geometry[Any]] = [Grid(1), Grid(2), Grid(3), Graph()]
    try:
        for geometry in geometries:
            net = UNet(geometry, 2, 1, [4, 8]).to(device)
            output = geometry.features(net(geometry.example(2, seed=0).to(device)))
            output.square().mean().backward()
            if not torch.isfinite(output).all():
                return f"{geometry}: output is not finite"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "ok"
