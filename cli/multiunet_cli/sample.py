"""Command ``multiunet sample DOMAIN``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from multiunet.domains.spec import DomainSpec
from multiunet.wording import counted, listing
from multiunet_cli.heap import load
from multiunet_cli.options import AsJson, ConfigFile, SetValues, command_for, only
from multiunet_cli.process import command
from multiunet_cli.settings import resolve
from multiunet_cli.tables import print_lines

RunPath = Annotated[list[Path], typer.Option("--run", help="folder of a trained generator", show_default=False)]
Out = Annotated[
    Path, typer.Option("--out", help="what to write: the folder NAME.zarr; of DNA NAME.fa[.gz]", show_default=False)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="check the run and the settings; write nothing")]


def sample_command(spec: DomainSpec) -> Callable[..., None]:
    """The command that makes samples with a generator of this domain."""
    assert spec.sample is not None

    def body(
        runs: RunPath,
        out: Out,
        given: dict[str, Any],
        config: ConfigFile = None,
        set_: SetValues = None,
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        assert spec.sample is not None
        run = only(runs)
        options = resolve(spec.sample, config, set_, given)
        load(spec)
        from multiunet.domains import sampling

        if dry_run:
            _, names, forecast = sampling.check_sample(run, options, out, spec.name)
            if as_json:
                typer.echo(json.dumps({"run": str(run), "count": options.count, "conditions": names}))
                return
            several = len(names) > 1
            of = (
                f"{options.count} of each of {len(names)} conditions: {listing(names)}"
                if several
                else str(options.count)
            )
            print_lines({"run": f"{run} is ready", "samples": of, **forecast, "into": str(out)})
            typer.echo("nothing was written")
            return
        _, *files = sampling.sample(run, options, out, spec.name)
        if as_json:
            typer.echo(json.dumps({"samples": str(out), "exported": [str(file) for file in files]}))
            return
        typer.echo(f"samples: {out}")
        if files:
            typer.echo(f"exported {counted(len(files), 'file')} to {options.export_folder()}")

    return command(
        command_for(spec.sample, body, "Make new samples with a trained generator; go on if one was interrupted.")
    )
