"""Command ``multiunet explain --run RUN --out PAGE``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from multiunet.domains.setting_types import Split
from multiunet_cli.options import only
from multiunet_cli.process import command


@command
def explain(
    run: Annotated[
        list[Path], typer.Option("--run", help="folder of a run of images with classes", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", help="the HTML file to write", show_default=False)],
    split: Annotated[Split, typer.Option("--split", help="split that the image is of")] = "test",
    item: Annotated[
        str | None, typer.Option("--item", help="name of the image; default: the first", show_default=False)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace --out")] = False,
) -> None:
    """Write a page to play with: what the levels, skips and samples of a run's U do to one image."""
    from multiunet.domains.explaining import explain as write

    typer.echo(f"wrote {write(only(run), out, split, item, overwrite)}")
