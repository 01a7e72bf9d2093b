"""What do the defaults reach on real data, and how long do they take?

Trains and scores, from the command line and with no option but data, split, output and seed:

- ``image``: super_alloy, split Super1 (3 classes). Floor: Otsu, in the same table. Published: micro IoU 0.942 (UNet++
  with a pre-trained ResNet50, Stuckner et al. 2022).
- ``genome``: replication timing of yeast at 1 kb, test chromosomes I, IV, XVI, validation II, X. Ridge on AT content,
  ARS motif, skew and telomere distance: Pearson r 0.422.
- ``graph``: Cora, public split. GCN: about 0.815.

    python benchmarks/real_runs.py [image genome graph] [--seeds 0,1,2,3,4]

With several seeds their ensemble (``--run`` once for each) is scored, too.

Reads MULTIUNET_DATA (default ../shared/data beside the checkout); writes benchmarks/results/real_runs.json.
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
RESULTS = ROOT / "benchmarks" / "results" / "real_runs.json"

WORDS = {
    "image": [
        *("--images", DATA / "super_alloy/images", "--masks", DATA / "super_alloy/labels"),
        *("--splits", f"{DATA / 'super_alloy/splits.json'}:Super1"),
    ],
    "genome": [
        *("--fasta", DATA / "yeast/sacCer3.fa.gz", "--targets", DATA / "yeast/replication_timing_1kb.bedGraph"),
        *("--val-chroms", "chrII,chrX", "--test-chroms", "chrI,chrIV,chrXVI", "--bin-size", 1000),
    ],
    "graph": ["--graph", DATA / "graphs/cora.npz"],
}
SCORES = {"image": ["micro_iou", "mean_iou"], "genome": ["pearson_r"], "graph": ["accuracy"]}


def multiunet(*words: object) -> str:
    """Runs a command as a person would; what it printed."""
    command = [sys.executable, "-m", "multiunet_cli", *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def measure(domain: str, seed: int, folder: Path) -> dict[str, Any]:
    """One training and its scores on validation and test."""
    run = folder / f"{domain}-{seed}"
    started = time.monotonic()
    multiunet("train", domain, *WORDS[domain], "--out", run, "--seed", seed)
    seconds = time.monotonic() - started
    reports = {split: scores(domain, [run], split) for split in ("val", "test")}
    row: dict[str, Any] = {"seed": seed, "train_seconds": round(seconds, 1)}
    for split, report in reports.items():
        row[split] = {name: report["metrics"][name] for name in SCORES[domain]}
    row["baselines"] = {
        name: {score: values.get(score) for score in SCORES[domain]}
        for name, values in reports["test"]["baselines"].items()
    }
    return row


def scores(domain: str, runs: list[Path], split: str) -> dict[str, Any]:
    """What ``evaluate`` prints of a run, or of the ensemble of several."""
    named = [word for run in runs for word in ("--run", run)]
    report: dict[str, Any] = json.loads(multiunet("evaluate", domain, *named, "--split", split, "--json"))
    return report


def main() -> None:
    """Measures the chosen domains and keeps the others' results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("domains", nargs="*", default=list(WORDS))
    parser.add_argument("--seeds", default="0")
    chosen = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        for domain in chosen.domains:
            rows = [measure(domain, int(seed), Path(folder)) for seed in chosen.seeds.split(",")]
            mean = {score: statistics.mean(row["test"][score] for row in rows) for score in SCORES[domain]}
            results[domain] = {"mean_test": mean, "runs": rows, "machine": environment()}
            if len(rows) > 1:
                runs = [Path(folder) / f"{domain}-{row['seed']}" for row in rows]
                together = {split: scores(domain, runs, split)["metrics"] for split in ("val", "test")}
                results[domain]["ensemble"] = {
                    split: {score: metrics[score] for score in SCORES[domain]} for split, metrics in together.items()
                }
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
            print(domain, json.dumps(results[domain], indent=1))


if __name__ == "__main__":
    main()
