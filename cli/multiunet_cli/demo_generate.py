"""Demonstration of a generator: digits that the program drew itself, and new ones like them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import typer

from multiunet_cli.heap import load

TRAIN: dict[str, Any] = {
    "task": "generate",
    "widths": [16, 32, 64],
    "epochs": 24,
    "steps_per_epoch": 50,
    "validate_every": 4,
    "lr": 2e-3,
    "ema": 0.99,
}
"""Of the demonstration: about a minute on two cores."""


def demonstrate(folder: Path, seed: int, quiet: bool) -> dict[str, Any]:
    """Draw 600 digits, train a generator on them, and make six new ones of each; return what was made."""
    from multiunet_datasets.digits import write_digits

    from multiunet.domains import sampling, training
    from multiunet.domains.config import validated
    from multiunet.domains.spec import domain_spec

    started = time.monotonic()
    data, run, samples, export = (folder / name for name in ("data", "run", "samples.zarr", "export"))
    spec = domain_spec("image")
    load(spec)
    assert spec.sample is not None
    write_digits(data, seed=seed)
    typer.secho("\ngenerate: new digits like 600 that were drawn by the program", bold=True, err=quiet)
    settings = {**TRAIN, "images": data / "images", "labels": data / "labels.csv", "seed": seed}
    training.train("image", validated(spec.train, settings, "demo"), run)
    options = {"label": [str(digit) for digit in range(10)], "count": 6, "steps": 12, "export": export}
    sampling.sample(run, validated(spec.sample, options, "demo"), samples, "image")
    seconds = time.monotonic() - started
    if not quiet:
        typer.echo(f"look at {export / 'contact_sheet.png'}: a row for each digit")
        typer.echo(f"run {run}   samples {samples}   pictures {export}   {seconds:.0f} s")
    return {"run": str(run), "samples": str(samples), "export": str(export), "seconds": round(seconds, 1)}
