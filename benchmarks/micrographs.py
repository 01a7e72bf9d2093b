"""How good are the class maps of real micrographs, against published figures and trivial methods?

Trains from the command line with defaults and nothing but data, split, output and seed (more words behind ``--``), on

- ``super_alloy``: Ni-superalloy, 3 classes, splits Super1 (10 training images), Super3 (one; also scored on images of
  other conditions, ``different_test``) and Super4 (4 of others). Published for Super1: micro IoU 0.942 (UNet++ with a
  pre-trained ResNet50, Stuckner et al. 2022).
- ``uhcs``: ultrahigh-carbon steel, 4 constituents, the published 6-fold cross-validation. Published: mean IU 62.6,
  accuracy 86.5 (PixelNet with a pre-trained VGG16, DeCost et al. 2019), means over images. The 4 images that the next
  fold tests choose the epoch; 16 train.
- ``isbi2012``: neuronal membranes, sections 0-19 train, 20-23 validate, 24-29 test.

    python benchmarks/micrographs.py [super_alloy uhcs isbi2012] [--seed 0] [--only Super3 fold-1] [-- --epochs 80]

``--only`` trains some parts of a data set; with ``--runs FOLDER`` runs are kept there, and what is done is not trained
again. Reads MULTIUNET_DATA (default ../shared/data beside the checkout); adds to benchmarks/results/micrographs.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from multiunet.training.run_folder import environment

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("MULTIUNET_DATA", ROOT.parent / "shared" / "data"))
RESULTS = ROOT / "benchmarks" / "results" / "micrographs.json"

UHCS_TESTS = (
    (1176, 1219, 357, 333),
    (235, 360, 1528, 579),
    (220, 495, 1061, 75),
    (6, 1648, 295, 1289),
    (1579, 596, 312, 1150),
    (7, 477, 124, 599),
)
"""Numbers of the micrographs that each published fold tests."""

Words = list[object]


def multiunet(*words: object) -> str:
    """Runs a command as a person would; what it printed."""
    command = [sys.executable, "-m", "multiunet_cli", *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def epoch_seconds(run: Path) -> list[float]:
    """Returns the seconds that each epoch of a run took, validation included."""
    return [json.loads(line)["seconds"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def table(path: Path, rows: Sequence[tuple[Path, Path, str]]) -> Words:
    """Writes a table of pairs; the words that train on it."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("image", "mask", "split"), *rows])
    return ["--images", path]


def super_alloy(split: str) -> Words:
    """The words that train on one of the published splits."""
    folder = DATA / "super_alloy"
    return ["--images", folder / "images", "--masks", folder / "labels", "--splits", f"{folder}/splits.json:{split}"]


def different(split: str, folder: Path) -> Words:
    """The words that score on a split's images of other conditions, if it has any."""
    source = DATA / "super_alloy"
    names = json.loads((source / "splits.json").read_text())[split].get("different_test", [])
    rows = [(source / f"images/{name}.png", source / f"labels/{name}.png", "test") for name in names]
    return table(folder / f"different-{split}.csv", rows) if rows else []


def uhcs(fold: int, folder: Path) -> Words:
    """The words that train on one of the published folds."""
    images = {int(path.stem.removeprefix("uhcs")): path for path in (DATA / "uhcs").glob("*/images/*.png")}
    part = dict.fromkeys(images, "train") | dict.fromkeys(UHCS_TESTS[(fold + 1) % len(UHCS_TESTS)], "val")
    part |= dict.fromkeys(UHCS_TESTS[fold], "test")
    rows = [(path, path.parents[1] / "labels" / path.name, part[n]) for n, path in sorted(images.items())]
    return table(folder / f"uhcs{fold}.csv", rows)


def isbi2012(folder: Path) -> Words:
    """The words that train on blocks of sections: neighbours are alike."""
    source = DATA / "isbi2012" / "train"
    part = ["train"] * 20 + ["val"] * 4 + ["test"] * 6
    rows = [(source / f"image/{i}.png", source / f"label/{i}.png", name) for i, name in enumerate(part)]
    return table(folder / "isbi.csv", rows)


def runs_of(name: str, folder: Path) -> dict[str, Words]:
    """The trainings of a data set by name, each with its words."""
    if name == "super_alloy":
        return {split: super_alloy(split) for split in ("Super1", "Super3", "Super4")}
    if name == "uhcs":
        return {f"fold-{fold}": uhcs(fold, folder) for fold in range(len(UHCS_TESTS))}
    return {"sections": isbi2012(folder)}


def scores(run: Path, *where: object) -> dict[str, Any]:
    """What ``evaluate`` says of a run, or of a folder of folds: of all pixels together, and means over images."""
    report = json.loads(multiunet("evaluate", "image", "--run", run, *where, "--json"))
    items = report["items"].values()
    found = {
        key: report["metrics"][key] for key in ("mean_iou", "micro_iou", "pixel_accuracy", "iou", "dice_per_class")
    }
    for key in ("mean_iou", "pixel_accuracy"):
        found[f"{key}_over_images"] = statistics.mean(item[key] for item in items)
    found["baselines"] = {
        method: {key: values[key] for key in ("mean_iou", "micro_iou", "pixel_accuracy")}
        for method, values in report["baselines"].items()
    }
    return found


def main() -> None:
    """Measures the chosen data sets and keeps the others' results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["super_alloy", "uhcs", "isbi2012"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--runs", type=Path)
    given = sys.argv[1:]
    at = given.index("--") if "--" in given else len(given)
    chosen, words = parser.parse_args(given[:at]), given[at + 1 :]
    for name in chosen.names:
        key = " ".join([name, f"seed {chosen.seed}", *words])
        with tempfile.TemporaryDirectory() as place:
            runs = (chosen.runs or Path(place)) / key.replace(" ", "-")
            found = measure(name, runs, chosen.only, chosen.seed, words)
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}  # others may have written meanwhile
        entry = results.setdefault(key, {"runs": {}})
        entry["runs"] |= found
        entry["machine"] = environment()
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        print(key, json.dumps(entry, indent=1))


def measure(name: str, runs: Path, only: Sequence[str], seed: int, words: Words) -> dict[str, Any]:
    """Trains the parts of a data set and scores them."""
    runs.mkdir(parents=True, exist_ok=True)
    rows: dict[str, Any] = {}
    parts = runs_of(name, runs)
    for part in only or parts:
        run, started = runs / part, time.monotonic()
        multiunet("train", "image", *parts[part], "--out", run, "--seed", seed, "--resume", "auto", *words)
        rows[part] = {"train_seconds": round(time.monotonic() - started, 1)}
        rows[part] |= {split: scores(run, "--split", split) for split in ("val", "test")}
        if name == "super_alloy" and (others := different(part, runs)):
            rows[part]["different_test"] = scores(run, *others)
        print(part, json.dumps(rows[part]), flush=True)
    if name == "uhcs" and all((runs / part).is_dir() for part in parts):
        rows["pooled"] = {split: scores(runs, "--split", split) for split in ("val", "test")}
    return rows


if __name__ == "__main__":
    main()
