"""Command ``multiunet export``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from multiunet.domains.portable.options import ExportOptions
from multiunet_cli.options import AsJson, RunPaths, command_for
from multiunet_cli.process import command
from multiunet_cli.settings import resolve

HELP = "Export a trained run to one file that takes raw inputs of any size, and runs elsewhere (docs/export.md)."

Out = Annotated[Path, typer.Option("--out", help="file to write: NAME.onnx, NAME.pt2 or NAME.zip", show_default=False)]


def export_command() -> Callable[..., None]:
    """Make the command that exports a run of any domain."""

    def body(run: RunPaths, out: Out, given: dict[str, Any], as_json: AsJson = False) -> None:
        options = resolve(ExportOptions, None, None, given)
        from multiunet.domains.portable.making import export

        facts = export(run, options, out)
        if as_json:
            typer.echo(json.dumps({"file": str(out), **facts}))
            return
        from multiunet.memory import amount

        typer.echo(f"exported {out} ({amount(out.stat().st_size)})")
        for line in _in_words(facts):
            typer.echo(line)

    return command(command_for(ExportOptions, body, HELP))


def _in_words(facts: Mapping[str, Any]) -> list[str]:
    """Return what the file takes and gives, a line each."""

    def named(tensors: Mapping[str, list[str]]) -> str:
        return ", ".join(f"{name} ({', '.join(axes)})" for name, axes in tensors.items())

    return [
        f"takes {named(facts['inputs'])}",
        f"gives {named(facts['outputs'])} of {', '.join(facts['names'])}",
        f"tiles begin on multiples of {facts['tile_stride']} and read {facts['halo']} sites beyond what they keep",
    ]
