"""Which source of uncertainty is worth its price, at an equal budget of training?

On super_alloy (Super1) and on Cora, with the temperature of each method from validation (its lowest NLL), all on test:

- ``one pass``: no samples; ``dropout``: Monte-Carlo samples of the same run;
- ``views``: mirrored images as samples (images alone); ``dropout and views``: both;
- ``ensemble of 3``: three runs of a third of the epochs each, one pass of each; ``ensemble of 3, dropout``;
- ``last 10 epochs``: the weights of a run's last epochs as an ensemble, ``--checkpoints last`` (Cora alone);
- ``MONAI and dropout, 16 samples``: MONAI's BasicUNet, as many steps, dropout by hand (``uncertainty_monai.py``);
- ``folds``: as the ensemble, but each of the three validates on another third of the training and validation
  images.

Costs: optimiser steps in all, and how many passes of a network a prediction takes.

    python benchmarks/uncertainty_sources.py [super_alloy cora] --runs FOLDER

What is in FOLDER is not trained again. Reads MULTIUNET_DATA (default ../shared/data beside the checkout); writes
benchmarks/results/uncertainty_sources.json.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import uncertainty_monai
from calibration_runs import DATA, PATCH, ROOT, Words, multiunet
from micrographs import super_alloy, table
from stated import Table, class_figures, collect, fit_temperature, join, keep, open_joined, temper

from multiunet.domains.setting_types import Checkpoints
from multiunet.training.run_folder import environment

RESULTS = ROOT / "benchmarks" / "results" / "uncertainty_sources.json"


@dataclass(frozen=True)
class Source:
    """A way to sample: runs by name, samples of each, and whether mirrored views are samples.

    Attributes:
        own_validation: each run validates on images of its own, so the temperature is from each run's alone.
    """

    runs: tuple[str, ...]
    samples: int = 1
    options: dict[str, Any] = field(default_factory=dict)
    own_validation: bool = False
    checkpoints: Checkpoints = "best"
    monai: bool = False


SHOWN = ("accuracy", "calibration_error", "nll", "error_auroc", "aurc")
VIEWS = {"views_as_samples": True}


def sources_of(name: str) -> dict[str, Source]:
    """Return the sources that are compared on a data set."""
    if name == "cora":
        thirds = tuple(f"cora-third/seed-{seed}" for seed in range(3))
        return {
            "one pass": Source(("cora-0",)),
            "dropout, 16 samples": Source(("cora-0",), 16),
            "dropout, 64 samples": Source(("cora-0",), 64),
            "last 10 epochs": Source(("cora-last/seed-0",), checkpoints="last"),
            "ensemble of 3": Source(thirds),
            "ensemble of 3, dropout, 20 samples each": Source(thirds, 20),
        }
    thirds = tuple(f"alloy-third/seed-{seed}" for seed in range(3))
    folds = tuple(f"alloy-turn/fold-{fold}" for fold in range(3))
    return {
        "one pass": Source(("alloy/Super1",)),
        "dropout, 16 samples": Source(("alloy/Super1",), 16),
        "MONAI, one pass": Source(("monai.safetensors",), monai=True),
        "MONAI and dropout, 16 samples": Source(("monai.safetensors",), 16, monai=True),
        "views": Source(("alloy/Super1",), 1, VIEWS),
        "dropout and views, 4 samples": Source(("alloy/Super1",), 4, VIEWS),
        "ensemble of 3": Source(thirds),
        "ensemble of 3, dropout, 5 samples each": Source(thirds, 5),
        "folds": Source(folds, own_validation=True),
    }


def trainings(name: str, folder: Path) -> dict[str, Words]:
    """Return the trainings of a data set by the run's name."""
    if name == "cora":
        words = ["graph", "--graph", DATA / "graphs/cora.npz"]
        thirds = {f"cora-third/seed-{seed}": [*words, "--seed", seed, "--epochs", 67] for seed in range(3)}
        return {"cora-0": [*words, "--seed", 0], "cora-last/seed-0": [*words, "--keep-last", 10], **thirds}
    image: Words = ["image", "--validate-every", 4, *PATCH]
    whole: Words = [*image, *super_alloy("Super1")]
    return {
        "alloy/Super1": [*whole, "--epochs", 24],
        **{f"alloy-third/seed-{seed}": [*whole, "--epochs", 8, "--seed", seed] for seed in range(3)},
        **{f"alloy-turn/fold-{fold}": [*image, *turned(fold, folder), "--epochs", 8] for fold in range(3)},
    }


def turned(fold: int, folder: Path) -> Words:
    """Return the words that train on Super1 with another third of its training and validation images to validate on."""
    source = DATA / "super_alloy"
    split = json.loads((source / "splits.json").read_text())["Super1"]
    known = [*split["train"], *split["val"]]
    part = {stem: "val" if at % 3 == fold else "train" for at, stem in enumerate(known)}
    part |= dict.fromkeys(split["test"], "test")
    rows = [(source / f"images/{stem}.png", source / f"labels/{stem}.png", name) for stem, name in part.items()]
    return table(folder / f"turn{fold}.csv", rows)


def measure(name: str, source: Source, folder: Path, label: str) -> dict[str, Any]:
    """Return the figures of a source on test, as it is and calibrated, and what it costs."""

    def predict(runs: tuple[str, ...], split: str, what: str) -> Table:
        path = folder / "tables" / f"source-{name}-{what}-{split}.npz".replace(" ", "-").replace(",", "")
        if source.monai:
            return keep(path, partial(uncertainty_monai.predict, folder / source.runs[0], split, source.samples))
        run = open_joined([folder / one for one in runs], source.checkpoints)
        return keep(path, partial(collect, run, split, source.samples, **source.options))

    if source.own_validation:
        val = join([predict((run,), "val", Path(run).name) for run in source.runs])
    else:
        val = predict(source.runs, "val", label)
    test = predict(source.runs, "test", label)
    temperature = fit_temperature(val)
    calibrated = test.with_probabilities(temper(test.mean, temperature))
    return {
        "members": len(source.runs),
        "passes": len(source.runs) * source.samples * (10 if source.checkpoints == "last" else 1),
        "temperature": temperature,
        "as it is": class_figures(test),
        "calibrated": class_figures(calibrated),
    }


def main() -> None:
    """Measure the chosen data sets and keep the others' results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["super_alloy", "cora"])
    parser.add_argument("--runs", type=Path, required=True)
    chosen = parser.parse_args()
    chosen.runs.mkdir(parents=True, exist_ok=True)
    for name in chosen.names:
        for run, words in trainings(name, chosen.runs).items():
            if not (chosen.runs / run / "config.yaml").exists():
                multiunet("train", *words, "--out", chosen.runs / run)
        found = {label: measure(name, one, chosen.runs, label) for label, one in sources_of(name).items()}
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        results[name] = {"sources": found, "machine": environment()}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        for label, row in found.items():
            for kind in ("as it is", "calibrated"):
                figures = {
                    key: row[kind][key] for key in ("accuracy", "calibration_error", "nll", "error_auroc", "aurc")
                }
                print(name, label, kind, {key: round(value, 4) for key, value in figures.items()}, flush=True)


if __name__ == "__main__":
    main()
