"""What do the defaults reach on the replication timing of yeast, over folds and seeds, beside a ridge on words?

Trains from the command line, with no option but data, split, output and seed, on bins of 1 kb, and scores Pearson r on
held-out chromosomes:

- ``folds``: 8 folds over the 16 chromosomes; of each fold the mean over seeds, and the ridge's.
- ``fixed``: test chromosomes I, IV, XVI, validation II, X; single runs, and their ensemble. A ridge on AT content, ARS
  motif, skew and telomere distance has 0.422 there.

    python benchmarks/yeast_timing.py [folds fixed] [--seeds 0,1,2] [--runs FOLDER] [--set key=value ...]

Reads MULTIUNET_DATA (default ../shared/data beside the checkout); writes benchmarks/results/yeast_timing.json after
each run. Runs that are in the folder already are not trained again, so it goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from multiunet.training.run_folder import environment

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("MULTIUNET_DATA", ROOT.parent / "shared" / "data"))
RESULTS = ROOT / "benchmarks" / "results" / "yeast_timing.json"

FOLDS = 8
FIXED = ["--val-chroms", "chrII,chrX", "--test-chroms", "chrI,chrIV,chrXVI"]
TARGET = ["--fasta", DATA / "yeast/sacCer3.fa.gz", "--targets", DATA / "yeast/replication_timing_1kb.bedGraph"]


def multiunet(*words: object) -> str:
    """Run a command as a person would; return what it printed."""
    command = [sys.executable, "-m", "multiunet_cli", *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def train(out: Path, seed: int, split: list[object], settings: list[str]) -> float:
    """Train a run, unless it is there; return the seconds that it took, 0 where it was there."""
    if (out / "STATUS").exists() and (out / "STATUS").read_text().startswith("done"):
        return 0.0
    chosen = [word for one in settings for word in ("--set", one)]
    started = time.monotonic()
    multiunet("train", "genome", *TARGET, "--bin-size", 1000, *split, *chosen, "--seed", seed, "--out", out,
              "--resume", "auto")  # fmt: skip
    return time.monotonic() - started


def score(*runs: Path) -> dict[str, float]:
    """Return r of a run, or of an ensemble, on its test chromosomes, and of the methods without a network."""
    report = json.loads(multiunet("evaluate", "genome", *(word for run in runs for word in ("--run", run)), "--json"))
    others = {name: scores["pearson_r"] for name, scores in report["baselines"].items()}
    return {"network": report["metrics"]["pearson_r"], **others}


def measure_folds(seeds: list[int], folder: Path, settings: list[str], keep: Any) -> None:
    """Train and score each fold with each seed; the first seed of all folds first."""
    rows: list[dict[str, Any]] = []
    for seed in seeds:
        for fold in range(FOLDS):
            run = folder / f"fold-{fold}-seed-{seed}"
            seconds = train(run, seed, ["--folds", FOLDS, "--fold", fold], settings)
            rows.append({"fold": fold, "seed": seed, "seconds": round(seconds, 1), **score(run)})
            by_fold = [[row for row in rows if row["fold"] == place] for place in range(FOLDS)]
            means = [statistics.mean(row["network"] for row in own) for own in by_fold if own]
            ridges = [own[0]["ridge_on_words"] for own in by_fold if own]
            above = sum(mean > ridge for mean, ridge in zip(means, ridges))
            keep("folds", {"mean": statistics.mean(means), "ridge": statistics.mean(ridges), "above_ridge": above,
                           "folds": len(means), "runs": rows})  # fmt: skip


def measure_fixed(seeds: list[int], folder: Path, settings: list[str], keep: Any) -> None:
    """Train and score the fixed split with each seed, then the ensemble."""
    rows, runs = [], []
    for seed in seeds:
        runs.append(folder / f"fixed-seed-{seed}")
        seconds = train(runs[-1], seed, list(FIXED), settings)
        rows.append({"seed": seed, "seconds": round(seconds, 1), **score(runs[-1])})
        found = {"mean": statistics.mean(row["network"] for row in rows), "runs": rows}
        keep("fixed", found)
    if len(runs) > 1:
        keep("fixed", {**found, "ensemble": score(*runs)["network"]})


def main() -> None:
    """Measure the chosen splits and keep the other's results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("splits", nargs="*", default=["folds", "fixed"])
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--runs", type=Path, default=None, help="folder of the runs; default: one that is removed")
    parser.add_argument(
        "--set", action="append", default=[], dest="settings", help="a setting of the training, key=value"
    )
    parser.add_argument("--results", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    seeds = [int(seed) for seed in chosen.seeds.split(",")]

    def keep(name: str, found: dict[str, Any]) -> None:
        results = json.loads(chosen.results.read_text()) if chosen.results.exists() else {}
        results[name] = {**found, "settings": chosen.settings, "machine": environment()}
        chosen.results.write_text(json.dumps(results, indent=1) + "\n")
        print(name, {key: value for key, value in found.items() if key != "runs"}, found["runs"][-1], flush=True)

    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen.runs or Path(scratch)
        for split in chosen.splits:
            measure = {"folds": measure_folds, "fixed": measure_fixed}[split]
            measure(seeds, folder, chosen.settings, keep)


if __name__ == "__main__":
    main()
