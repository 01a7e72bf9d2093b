"""Command ``multiunet demo [DOMAIN]``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from multiunet.errors import InputError
from multiunet.files import check_creatable
from multiunet_cli.demo_generate import demonstrate
from multiunet_cli.evaluate import show
from multiunet_cli.heap import load
from multiunet_cli.options import AsJson
from multiunet_cli.process import command

DomainArgument = Annotated[
    Literal["all", "image", "genome", "graph", "graphs", "generate"],
    typer.Argument(help="which domain to demonstrate; generate: new images, which all leaves out"),
]


@dataclass(frozen=True)
class Story:
    """Demonstration of one domain.

    Attributes:
        write: puts the seeded data into a folder.
        train, predict: settings, by the names of the command line; ``{data}`` stands for that folder.
    """

    title: str
    write: Callable[[Path, int], object]
    train: dict[str, Any]
    predict: dict[str, Any]


@command
def demo(
    domain: DomainArgument = "all",
    out: Annotated[Path, typer.Option("--out", help="where data, runs and results go")] = Path("multiunet-demo"),
    seed: Annotated[int, typer.Option("--seed", min=0, help="seed for data and training")] = 0,
    as_json: AsJson = False,
) -> None:
    """Make small data sets (images, a genome, a graph, many graphs), then train, predict and evaluate.

    With ``generate`` it trains on digits that it drew, and makes new ones.

    Raises:
        InputError: when a folder of an earlier demonstration is in the way.
    """
    stories = _stories()
    chosen = list(stories) if domain == "all" else [domain]
    check_creatable(out / "data")
    for name in chosen:
        if (out / name).exists():
            raise InputError(f"{out / name}: exists already; remove it, or pass another --out")
    results = {
        name: demonstrate(out / name, seed, as_json)
        if name == "generate"
        else _tell(name, stories[name], out / name, seed, quiet=as_json)
        for name in chosen
    }
    if as_json:
        typer.echo(json.dumps(results))


def _tell(name: str, story: Story, folder: Path, seed: int, quiet: bool) -> dict[str, Any]:
    from multiunet.domains import inference, training
    from multiunet.domains.config import validated
    from multiunet.domains.spec import domain_spec
    from multiunet.prediction.reading import open_datasets

    started = time.monotonic()
    data, run, prediction = folder / "data", folder / "run", folder / "prediction.zarr"
    spec = domain_spec(name)
    load(spec)
    story.write(data, seed)
    typer.secho(f"\n{name}: {story.title}", bold=True, err=quiet)
    training.train(name, validated(spec.train, _filled(story.train, data) | {"seed": seed}, "demo"), run)
    options = _filled(story.predict, data) | {"samples": 8, "export": folder / "export"}
    inference.predict(run, validated(spec.predict, options, "demo"), prediction, name)
    report = inference.evaluate(run, name=name)
    totals = {item: float(dataset["total"].mean()) for item, dataset in open_datasets(prediction).items()}
    mean_total = sum(totals.values()) / len(totals)
    seconds = time.monotonic() - started
    if not quiet:
        show(report)
        typer.echo(f"mean total variance (epistemic + aleatoric): {mean_total:.4g}")
        typer.echo(f"run {run}   prediction {prediction}   files {folder / 'export'}   {seconds:.0f} s")
    return {
        "run": str(run),
        "prediction": str(prediction),
        "export": str(folder / "export"),
        "seconds": round(seconds, 1),
        "mean_total_variance": mean_total,
        **report.as_dict(),
    }


def _filled(settings: dict[str, Any], data: Path) -> dict[str, Any]:
    return {key: value.format(data=data) if isinstance(value, str) else value for key, value in settings.items()}


def _stories() -> dict[str, Story]:
    from multiunet_datasets import synthetic

    return {
        "image": Story(
            "grain boundaries of a synthetic polycrystal, 12 micrographs",
            lambda folder, seed: synthetic.write_polycrystal(folder, seed=seed),
            {
                "images": "{data}/images",
                "masks": "{data}/masks",
                "widths": [16, 32, 64],
                "patch_size": [128, 128],
                "epochs": 8,
                "steps_per_epoch": 20,
            },
            {"images": "{data}/images"},
        ),
        "genome": Story(
            "the density of planted motifs along a synthetic genome",
            lambda folder, seed: synthetic.write_genome(folder, seed=seed),
            {
                "fasta": "{data}/genome.fa",
                "targets": "{data}/signal.bedGraph",
                "val_chroms": ["chr4"],
                "test_chroms": ["chr5"],
                "bin_size": 100,
                "epochs": 30,
            },
            {"chroms": ["chr5"]},
        ),
        "graph": Story(
            "the communities of a stochastic block model",
            lambda folder, seed: synthetic.write_graph(folder, seed=seed),
            {"graph": "{data}/graph.npz", "epochs": 100},
            {},
        ),
        "graphs": Story(
            "trees and meshes, 120 small graphs",
            lambda folder, seed: synthetic.write_graph_set(folder, seed=seed),
            {"graphs": "{data}/graphs.npz", "epochs": 20},
            {},
        ),
    }
