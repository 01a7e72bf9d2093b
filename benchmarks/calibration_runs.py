"""Runs of ``calibration.py``: trained where they are not there, their raw predictions, and their calibrations."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from micrographs import isbi2012, super_alloy, table, uhcs
from numpy.typing import NDArray
from PIL import Image
from stated import (
    Table,
    collect,
    keep,
    open_joined,
)

from multiunet.domains.runs import Run
from multiunet.uncertainty import Calibration, Moments
from multiunet.uncertainty.held_out import HeldOut

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("MULTIUNET_DATA", ROOT.parent / "shared" / "data"))
SOLUBILITY = "measured log solubility in mols per litre"
SAMPLES = {"image": 4, "genome": 16, "graph": 64, "graphs": 16}

Words = list[object]
PATCH: Words = ["--patch-size", 128]  # a quarter of the default's pixels: a training takes minutes


def multiunet(*words: object) -> str:
    """Run a command as a person would; return what it printed."""
    command = [sys.executable, "-m", "multiunet_cli", *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def runs_of(name: str, folder: Path) -> dict[str, Words]:
    """Return the trainings of a data set by the run's path below the folder, each with its domain and words."""
    image: Words = ["image", "--validate-every", 4, *PATCH]
    short = {"super_alloy": 24, "isbi2012": 16, "uhcs": 12, "rare": 5}
    epochs: Words = ["--epochs", short.get(name)]
    if name == "super_alloy":
        return {"alloy/Super1": [*image, *super_alloy("Super1"), *epochs]}
    if name == "isbi2012":
        return {"isbi16": [*image, *isbi2012(folder), *epochs]}
    if name == "uhcs":
        return {
            f"uhcs/fold-{fold}": [*image, *uhcs(fold, folder), "--epochs", 12 if fold < 3 else 8] for fold in range(6)
        }
    if name == "rare":
        return {"rare": [*image, *rare(folder), *epochs]}
    if name == "cora":
        return {f"cora-{seed}": ["graph", "--graph", DATA / "graphs/cora.npz", "--seed", seed] for seed in range(10)}
    if name == "yeast":
        return {f"yeast8/fold-{fold}": ["genome", *YEAST, "--folds", 5, "--fold", fold] for fold in range(5)}
    return {f"esol-{seed}": ["graphs", *ESOL, "--seed", seed] for seed in range(5)}


YEAST = [
    *("--fasta", DATA / "yeast/sacCer3.fa.gz", "--targets", DATA / "yeast/replication_timing_1kb.bedGraph"),
    *("--bin-size", 1000, "--epochs", 8),
]
ESOL = [
    *("--graphs", DATA / "graphs/esol.csv", "--smiles", "smiles", "--label-column", SOLUBILITY),
    *("--task", "regression", "--epochs", 12),
]


def rare(folder: Path) -> Words:
    """Return the words that train on super_alloy with a class that nothing in the images tells apart."""
    from scipy import ndimage

    source, rng, rows = DATA / "super_alloy", np.random.default_rng(0), []
    split = json.loads((source / "splits.json").read_text())["Super1"]
    (folder / "rare-masks").mkdir(parents=True, exist_ok=True)
    for part in ("train", "val", "test"):
        for stem in split[part]:
            mask = np.array(Image.open(source / f"labels/{stem}.png"))
            objects, count = ndimage.label(mask == 2)
            chosen = rng.random(count + 1) < 1 / 8
            chosen[0] = False
            mask[chosen[objects]] = 3
            path = folder / "rare-masks" / f"{stem}.png"
            Image.fromarray(mask.astype(np.uint8)).save(path)
            rows.append((source / f"images/{stem}.png", path, part))
    return table(folder / "rare.csv", rows)


@dataclass(frozen=True)
class Trained:
    """A trained run: its raw predictions by split and number of samples, and its calibrations by number of samples."""

    run: Run
    tables: dict[tuple[str, int], Table]
    calibrations: dict[int, Calibration]

    def raw(self, split: str, samples: int) -> Table:
        """Return the predictions as the network makes them."""
        return self.tables[split, samples]

    def calibrated(self, split: str, samples: int) -> Table:
        """Return the predictions as ``predict`` gives them."""
        raw = self.tables[split, samples]
        columns = [torch.from_numpy(values) for values in (raw.mean, raw.epistemic, raw.aleatoric)]
        found = self.calibrations[samples].apply(Moments(*columns))
        mean, epistemic, aleatoric = (values.numpy() for values in (found.mean, found.epistemic, found.aleatoric))
        return replace(raw, mean=mean, epistemic=epistemic, aleatoric=aleatoric)


def trained(words: dict[str, Words], folder: Path, samples: int, pooled: bool) -> list[Trained]:
    """Train the runs that are not there, predict their validation and test splits, and fit calibrations to validation.

    Fitted as ``multiunet calibrate`` does it: each run to its own validation split; of folds each to what all of them
    were validated on, without the items that it tests.
    """
    runs, tables = [], []
    for name, own in words.items():
        path = folder / name
        if not (path / "config.yaml").exists():
            multiunet("train", *own, "--out", path)
        run = open_joined(path)
        runs.append(run)
        tables.append(
            {
                (split, count): keep(
                    folder / "tables" / f"{name}-{split}-{count}.npz", partial(collect, run, split, count)
                )
                for split in ("val", "test")
                for count in (1, samples)
            }
        )
    found = []
    for run, own_tables in zip(runs, tables):
        calibrations = {}
        for count in (1, samples):
            held_out = [held(one["val", count]) for one in (tables if pooled else [own_tables])]
            sites = HeldOut.join(held_out)
            calibrations[count] = run.task.fit_calibration(
                sites.without(own_tables["test", count].names) if pooled else sites
            )
        found.append(Trained(run, own_tables, calibrations))
    return found


MOST = 20_000
"""Sites of an image that a calibration looks at, as of ``multiunet calibrate``."""


def held(table: Table) -> HeldOut:
    """Return the sites that a calibration is fitted to; nodes and molecules are each a group."""
    single = len(table.names) == 1
    rng = np.random.default_rng(0)
    items = np.arange(len(table.target)) if single else table.item
    names = tuple(map(str, range(len(items)))) if single else tuple(table.names)
    chosen = [own if len(own) <= MOST else np.sort(rng.choice(own, MOST, False)) for own in by_item(items, len(names))]
    kept = np.concatenate(chosen)
    mean, total = (torch.from_numpy(values[kept]).float() for values in (table.mean, table.total))
    target = torch.from_numpy(table.target[kept])
    target = target if target.is_floating_point() else target.long()
    return HeldOut(mean, total, target, torch.from_numpy(items[kept]), names)


def by_item(items: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
    """Return the places of the sites of each item."""
    order = np.argsort(items, kind="stable")
    return np.split(order, np.cumsum(np.bincount(items, minlength=count))[:-1])
