"""Are the error bars of ``multiunet measure image`` as wide as its errors?

Compares the fraction of each class in each validation and test image of a run with that of its mask, in units of the
stated deviation: ``z = (predicted - true) / deviation``. Error bars that tell the truth give a root mean square of 1,
68% within 1 and 95% within 2.

    multiunet train image --images super_alloy/images --masks super_alloy/labels \
        --splits super_alloy/splits.json:Super1 --seed 1 --out r1           # and so on, for an ensemble
    python benchmarks/phase_fractions.py --run r1 [--run r2] [--samples 16]

Writes benchmarks/results/phase_fractions.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from multiunet.domains import inference
from multiunet.domains.image.config import ImageMeasure, ImagePredict
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.targets import load_labels
from multiunet.domains.image.measure.phases import measure
from multiunet.domains.runs import load as load_run
from multiunet.training.run_folder import environment

RESULTS = Path(__file__).parent / "results" / "phase_fractions.json"


def compare(runs: list[Path], samples: int, folder: Path) -> list[dict[str, Any]]:
    """A row for each class of each image: its split, its true and predicted fraction, the deviation."""
    info = load_run(runs[0]).info
    items = [(split, item) for split in ("val", "test") for item in info.split.of(split)]
    table = folder / "images.csv"
    with open(table, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["image"], *([item.image] for _, item in items)])
    options = ImagePredict(images=table, samples=samples)
    inference.predict(runs, options, folder / "p.zarr", "image")
    phases = [p for p in measure(ImageMeasure(prediction=folder / "p.zarr", objects=[])).phases if not p.pooled]
    rows = []
    for split, item in items:
        labels = load_labels(item.target, info, FileCache())
        for index, phase in enumerate(p for p in phases if p.image == item.name):
            true = float((labels[labels >= 0] == index).mean())
            rows.append({"image": phase.image, "split": split, "class": phase.phase, "true": true,
                         "predicted": phase.fraction, "deviation": phase.fraction_sd})  # fmt: skip
    return rows


def summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    """How errors and error bars compare."""
    errors = np.array([row["predicted"] - row["true"] for row in rows])
    z = errors / np.array([row["deviation"] for row in rows])
    return {
        "fractions": len(rows),
        "mean_absolute_error": float(np.abs(errors).mean()),
        "rms_z": float(np.sqrt((z**2).mean())),
        "within_1": float((np.abs(z) < 1).mean()),
        "within_2": float((np.abs(z) < 2).mean()),
    }


def main() -> None:
    """Compares and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", action="append", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=16)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = compare(chosen.run, chosen.samples, Path(folder))
    splits = {split: summary([row for row in rows if row["split"] == split]) for split in ("val", "test")}
    results = {"members": len(chosen.run), "samples": chosen.samples, **splits, "all": summary(rows)}
    RESULTS.write_text(json.dumps({**results, "rows": rows, "machine": environment()}, indent=1) + "\n")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
