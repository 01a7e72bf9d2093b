"""Command ``multiunet share``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from multiunet.domains.sharing.options import ShareOptions
from multiunet.wording import counted
from multiunet_cli.options import AsJson, command_for, only
from multiunet_cli.process import command
from multiunet_cli.settings import resolve

HELP = (
    "Write a trained run into one archive for others: weights, what predictions need, and a model card; without paths "
    "or names of this machine (docs/share.md)."
)

Run = Annotated[list[Path], typer.Option("--run", help="folder of a trained run, or of folds", show_default=False)]
Out = Annotated[Path, typer.Option("--out", help="the file to write, NAME.zip", show_default=False)]


def share_command() -> Callable[..., None]:
    """Make the command that packs a run of any domain."""

    def body(run: Run, out: Out, given: dict[str, Any], as_json: AsJson = False) -> None:
        options = resolve(ShareOptions, None, None, given)
        from multiunet.domains.sharing.making import share

        names = share(only(run), options, out)
        if as_json:
            typer.echo(json.dumps({"file": str(out), "names": names}))
            return
        from multiunet.memory import amount

        typer.echo(f"wrote {out} ({amount(out.stat().st_size)}, {counted(len(names), 'file')}):")
        for name in names:
            typer.echo(f"  {name}")

    return command(command_for(ShareOptions, body, HELP))
