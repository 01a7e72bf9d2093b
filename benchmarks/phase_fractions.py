"""Do the intervals of ``multiunet measure image`` hold the true fraction of each class in held-out images?

Each fold of a cross-validation predicts its test images, so every image is tested by a network that has not seen it.
Its intervals are fitted to what all folds validated on, without its own test images (``multiunet calibrate`` on the
folder of the folds). Fractions are compared with those of the masks; error bars that tell the truth give a root mean
square of error over stated deviation of 1, and intervals of 90% hold nine in ten.

    multiunet train image --images super_alloy/images --masks super_alloy/labels --folds 4 --out alloy
    python benchmarks/phase_fractions.py --runs alloy [--runs uhcs] [--samples 16]

Writes benchmarks/results/phase_fractions.json; what it has of other folders stays.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from multiunet.domains.calibration import calibrate, with_calibration
from multiunet.domains.calibration_file import read_fits
from multiunet.domains.image.config import ImageMeasure, ImagePredict
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.targets import load_labels
from multiunet.domains.image.measure.phases import measure
from multiunet.domains.runs import Run, folds_in, load
from multiunet.geometries.grid.fuse import fuse_layers
from multiunet.prediction import PredictionStore
from multiunet.progress import ConsoleProgress
from multiunet.training.run_folder import environment

RESULTS = Path(__file__).parent / "results" / "phase_fractions.json"


def test_fold(fold: Run, folder: Path, samples: int, scratch: Path) -> list[dict[str, Any]]:
    """A row for each class of each test image: its true and stated fraction, deviation and interval."""
    items = fold.info.split.test
    table = scratch / f"{fold.folder.path.name}.csv"
    with open(table, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["image"], *([item.image] for item in items)])
    options = ImagePredict(images=table, samples=samples)
    run, fit = with_calibration(fold, [folder], options)
    assert fit is not None
    attrs = {"task": "segmentation", "calibration": fit.model_dump(mode="json")}
    path = table.with_suffix(".zarr")
    with PredictionStore(path, attrs) as store, ConsoleProgress() as progress:
        model = replace(run.model, net=fuse_layers(run.model.net))
        run.domain.predict(model, run.config, run.info, options, store, progress)
    phases = [phase for phase in measure(ImageMeasure(prediction=path, objects=[])).phases if not phase.pooled]
    rows = []
    for item in items:
        labels = load_labels(item.target, run.info, FileCache())
        for index, phase in enumerate(phase for phase in phases if phase.image == item.name):
            true = float((labels[labels >= 0] == index).mean())
            kept = ("fraction", "fraction_estimate", "fraction_low", "fraction_high", "fraction_sd", "samples_sd")
            row = {name: getattr(phase, name) for name in kept}
            rows.append({"fold": fold.folder.path.name, "image": item.name, "class": phase.phase, "true": true, **row})
    return rows


def summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    """How errors compare with deviations and intervals."""
    true, of_map, estimate, low, high, sd, samples_sd = (
        np.array([row[key] for row in rows], dtype=float)
        for key in (
            *("true", "fraction", "fraction_estimate", "fraction_low", "fraction_high", "fraction_sd", "samples_sd"),
        )
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        alone = (of_map - true) / samples_sd
    return {
        "fractions": len(rows),
        "mean_absolute_error_of_map": float(np.abs(of_map - true).mean()),
        "mean_absolute_error": float(np.abs(estimate - true).mean()),
        "rms_z": float(np.sqrt((((estimate - true) / sd) ** 2).mean())),
        "coverage_90": float(((low <= true) & (true <= high)).mean()),
        "mean_width_90": float((high - low).mean()),
        "rms_z_of_samples": float(np.sqrt(np.nanmean(alone[np.isfinite(alone)] ** 2))),
    }


def compare(folder: Path, samples: int, scratch: Path) -> dict[str, Any]:
    """Test all folds of a folder."""
    if not any(fit.samples == samples for fit in read_fits(folder)):
        calibrate(folder, {"samples": samples}, "image")
    rows = [row for fold in folds_in(folder) for row in test_fold(load(fold), folder, samples, scratch)]
    classes = {
        name: summary([row for row in rows if row["class"] == name]) for name in {row["class"]: None for row in rows}
    }
    found = {"samples": samples, "images": len({row["image"] for row in rows}), **summary(rows), "classes": classes}
    return {**found, "rows": rows, "machine": environment()}


def main() -> None:
    """Compare and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", action="append", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=16)
    chosen = parser.parse_args()
    results: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for folder in chosen.runs:
        with tempfile.TemporaryDirectory() as scratch:
            results[folder.name] = compare(folder, chosen.samples, Path(scratch))
        print(
            folder.name,
            json.dumps({k: v for k, v in results[folder.name].items() if k not in ("rows", "machine")}, indent=1),
        )
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
