"""Does the border weight map help to tell nuclei apart, and how should the ends of objects be learnt?

Trains ``multiunet train image --instances`` on dsb2018_fluo (130 training, 25 validation, 45 test images) with each way
to learn where objects touch (``--instance-encoding``), with the border weights of Ronneberger et al. 2015 and without,
all else equal, and scores validation and test. The default is chosen on validation. Floor: Otsu and connected
components, in the same table; the data's README has 0.650 (AP at 0.5) and 0.491 (at 0.7) for it.

Gaps are scored twice: with the program's watershed, and as in 2015, where each connected part of the class map is an
object. The watershed cuts necks, which is what the weights are for as well, so it leaves them less to do.

So that all of it takes minutes, the network is half as wide as the default, patches have 128 pixels a side and training
has 12 epochs (300 steps); only ``--full`` trains as the program does by default.

    python benchmarks/instances.py [--seeds 0,1,2] [--instance-encoding gap] [--runs FOLDER] [--full]

Runs in FOLDER that are finished are not trained again. Reads MULTIUNET_DATA (default ../shared/data beside the
checkout); writes benchmarks/results/instances.json, in which small and full networks stand side by side.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import tifffile
from skimage.measure import label

from multiunet.metrics import InstanceMatcher
from multiunet.prediction import open_datasets
from multiunet.training.run_folder import environment

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("MULTIUNET_DATA", ROOT.parent / "shared" / "data")) / "dsb2018_fluo"
RESULTS = ROOT / "benchmarks" / "results" / "instances.json"

WORDS = [
    *("--instances", "--images", DATA / "train/images", "--masks", DATA / "train/masks"),
    *("--val-images", DATA / "val/images", "--val-masks", DATA / "val/masks"),
    *("--test-images", DATA / "test/images", "--test-masks", DATA / "test/masks"),
]
SMALL = ["--widths", "16,32,64,128", "--patch-size", 128, "--epochs", 12, "--validate-every", 4]
SETTINGS = list(itertools.product(("gap", "boundary"), (0, 10)))
SCORES = ("ap_50", "ap_70", "ap_90", "ap_mean", "foreground_iou", "count_error")


def multiunet(*words: object) -> str:
    """Runs a command as a person would; what it printed."""
    command = [sys.executable, "-m", "multiunet_cli", *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def measure(touching: str, weight: int, seed: int, folder: Path, size: list[object]) -> dict[str, Any]:
    """One training and its scores on validation and test."""
    run = folder / f"{touching}-{weight}-{seed}"
    own = ("--instance-encoding", touching, "--border-weight", weight, "--seed", seed)
    multiunet("train", "image", *WORDS, *size, *own, "--out", run, "--resume", "auto")
    row: dict[str, Any] = {"touching": touching, "border_weight": weight, "seed": seed}
    for split in ("val", "test"):
        report = json.loads(multiunet("evaluate", "image", "--run", run, "--split", split, "--json"))
        row[split] = {name: report["metrics"][name] for name in SCORES}
        row[f"otsu_{split}"] = {name: report["baselines"]["otsu"][name] for name in SCORES}
        if touching == "gap":
            row[f"{split}_parts"] = connected_parts(run, split)
    return row


def connected_parts(run: Path, split: str) -> dict[str, Any]:
    """Scores of the connected parts of the class map, pixels that meet at a corner apart."""
    scores = InstanceMatcher()
    with tempfile.TemporaryDirectory() as place:
        store = Path(place) / "classes.zarr"
        multiunet("predict", "image", "--run", run, "--images", DATA / split / "images", "--out", store, "--samples", 1)
        for name, data in open_datasets(store).items():
            parts = label(data["class"].values == 1, connectivity=1)
            scores.update(parts, tifffile.imread(DATA / split / "masks" / f"{name}.tif"))
    found = dict(scores.scores())
    return {name: found[name] for name in SCORES}


def means(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each setting over its seeds."""
    found = []
    for touching, weight in dict.fromkeys((row["touching"], row["border_weight"]) for row in rows):
        own = [row for row in rows if (row["touching"], row["border_weight"]) == (touching, weight)]
        scores = {
            f"{split}_{name}": round(statistics.mean(row[split][name] for row in own), 4)
            for split in ("val", "test", "val_parts", "test_parts")
            if split in own[0]
            for name in SCORES
        }
        found.append({"touching": touching, "border_weight": weight, "seeds": len(own), **scores})
    return found


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--runs", type=Path, help="where runs are kept; default: nowhere")
    parser.add_argument("--instance-encoding", choices=["gap", "boundary"], help="default: both")
    parser.add_argument("--full", action="store_true")
    chosen = parser.parse_args()
    size: list[object] = [] if chosen.full else list(SMALL)
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.runs or Path(temporary)
        rows = [
            measure(touching, weight, int(seed), folder, size)
            for seed in chosen.seeds.split(",")
            for touching, weight in SETTINGS
            if chosen.instance_encoding in (None, touching)
        ]
    otsu = {split: rows[0].pop(f"otsu_{split}") for split in ("val", "test")}
    runs = [{name: value for name, value in row.items() if not name.startswith("otsu")} for row in rows]
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    settings = [str(word) for word in size]
    own = {"settings": settings, "otsu": otsu, "means": means(runs), "runs": runs, "machine": environment()}
    results["full" if chosen.full else "small"] = own
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps({"otsu": otsu, "means": own["means"]}, indent=1))


if __name__ == "__main__":
    main()
