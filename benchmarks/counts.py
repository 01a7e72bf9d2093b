"""Are objects counted from dots alone, and do the intervals of counts hold the true ones?

Trains ``multiunet train image --task regression --targets DOTS --dots 3`` on two sets of images whose objects are known
by their places alone, and counts in images that training has not seen:

- ``synthetic``: spots of equal size and varying brightness on a noisy background, some over others, of a known density:
  the number in an image is Poisson about its own mean, 5 to 60. 30 training, 25 validation and 100 test images;
- ``nuclei``: dsb2018_fluo (130 training, 25 validation, 45 test images), whose masks become dots, one in the middle of
  each nucleus.

The density's sum is the count. Its interval comes from what ``train`` learnt on the validation images (``multiunet
measure image``). Beside it stand the mean of the training counts by area, and the interval that the stated variances of
the pixels would give if their errors were independent.

So that all of it takes minutes, the network is small, and training short.

    python benchmarks/counts.py [--sets synthetic,nuclei] [--seed 0] [--runs FOLDER]

Runs in FOLDER that are finished are not trained again. Reads MULTIUNET_DATA (default ../shared/data beside the
checkout); writes benchmarks/results/counts.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image
from skimage.measure import regionprops

from multiunet.files import csv_text
from multiunet.prediction import open_datasets
from multiunet.training.run_folder import environment

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("MULTIUNET_DATA", ROOT.parent / "shared" / "data")) / "dsb2018_fluo"
RESULTS = ROOT / "benchmarks" / "results" / "counts.json"

SIGMA = 3
SMALL = ["--widths", "8,16,32,64", "--patch-size", 96, "--epochs", 16, "--validate-every", 4, "--no-tta-flips"]
SPLITS = {"train": 30, "val": 25, "test": 100}
SIDE = 128
SAMPLES = 16
NORMAL_90 = 1.6448536269514722


def multiunet(*words: object) -> str:
    """Runs a command as a person would; what it printed."""
    command = [sys.executable, "-m", "multiunet_cli", *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def write_dots(path: Path, places: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(csv_text([("y", "x"), *np.round(places, 2).tolist()]))


def make_synthetic(folder: Path) -> dict[str, int]:
    """Makes the spots of all splits; their number by the image's name."""
    rng, counts = np.random.default_rng(0), {}
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for split, number in SPLITS.items():
        (folder / split / "images").mkdir(parents=True)
        for index in range(number):
            places = rng.uniform(0, SIDE - 1, (rng.poisson(rng.uniform(5, 60)), 2))
            image = rng.normal(40, 10, (SIDE, SIDE))
            for y, x in places:
                image += rng.uniform(40, 120) * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 2.5**2))
            name = f"{split}{index:03d}"
            Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(folder / split / "images" / f"{name}.png")
            write_dots(folder / split / "dots" / f"{name}.csv", places)
            counts[name] = len(places)
    return counts


def make_nuclei(folder: Path) -> dict[str, int]:
    """Makes dots of the nuclei, and links to their images; their number by the image's name."""
    counts = {}
    for split in SPLITS:
        (folder / split).mkdir(parents=True)
        (folder / split / "images").symlink_to(DATA / split / "images")
        for mask in sorted((DATA / split / "masks").iterdir()):
            places = np.array([region.centroid for region in regionprops(tifffile.imread(mask))]).reshape(-1, 2)
            write_dots(folder / split / "dots" / f"{mask.stem}.csv", places)
            counts[mask.stem] = len(places)
    return counts


MAKERS = {"synthetic": make_synthetic, "nuclei": make_nuclei}


def run_set(name: str, seed: int, folder: Path) -> dict[str, Any]:
    """Trains on one set, counts in its test images, and compares with the truth."""
    with tempfile.TemporaryDirectory() as place:
        data = folder / f"{name}-data"
        counts = MAKERS[name](data) if not data.exists() else read_counts(data)
        words = [*("--images", data / "train/images", "--targets", data / "train/dots"), "--task", "regression"]
        for split in ("val", "test"):
            words += [f"--{split}-images", data / split / "images", f"--{split}-masks", data / split / "dots"]
        run, store = folder / f"{name}-{seed}", Path(place) / "counts.zarr"
        own = ["--dots", SIGMA, "--seed", seed, "--resume", "auto"]
        multiunet("train", "image", *words, *SMALL, *own, "--out", run)
        report = json.loads(multiunet("evaluate", "image", "--run", run, "--samples", SAMPLES, "--json"))
        multiunet(
            *("predict", "image", "--run", run, "--images", data / "test/images", "--samples", SAMPLES, "--out", store)
        )
        rows = json.loads(multiunet("measure", "image", "--prediction", store, "--json"))["rows"]
        found = compare(rows, counts, store)
    names = ("count_mae", "count_error", "count_bias", "true_objects")
    scores = {score: report["metrics"][score] for score in names}
    trivial = {score: report["baselines"]["mean"][score] for score in names[:2]}
    return {"set": name, "seed": seed, **scores, "mean_by_area": trivial, **found}


def read_counts(data: Path) -> dict[str, int]:
    """The number of dots in each file, by its image's name."""
    return {path.stem: len(path.read_text().splitlines()) - 1 for path in data.rglob("*.csv")}


def compare(rows: list[dict[str, Any]], counts: dict[str, int], store: Path) -> dict[str, Any]:
    """Coverage and widths of the intervals of counts, and of those of independent pixels."""
    images = [row for row in rows if not row["pooled"]]
    true = np.array([counts[row["image"]] for row in images])
    low, high, sd, estimate = (np.array([row[key] for row in images]) for key in ("low", "high", "sd", "estimate"))
    predictions = open_datasets(store)
    naive = np.sqrt([float(predictions[row["image"]]["total"].sum()) for row in images])
    raw = np.array([row["sum"] for row in images])
    [pooled] = [row for row in rows if row["pooled"]]
    return {
        "images": len(images),
        "mae_of_estimates": float(np.abs(estimate - true).mean()),
        "coverage_90": float(((low <= true) & (true <= high)).mean()),
        "mean_width_90": float((high - low).mean()),
        "rms_of_error_over_sd": float(np.sqrt((((estimate - true) / sd) ** 2).mean())),
        "independent_pixels_coverage_90": float((np.abs(raw - true) <= NORMAL_90 * naive).mean()),
        "independent_pixels_rms_of_error_over_sd": float(np.sqrt((((raw - true) / naive) ** 2).mean())),
        "all_images": {"true": int(true.sum()), **{key: pooled[key] for key in ("sum", "estimate", "low", "high")}},
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", default="synthetic,nuclei")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = given.runs or Path(place)
        folder.mkdir(parents=True, exist_ok=True)
        stored = json.loads(RESULTS.read_text())["sets"] if RESULTS.exists() else []
        for name in given.sets.split(","):
            row = run_set(name, given.seed, folder)
            print(json.dumps(row, indent=2))
            stored = [other for other in stored if (other["set"], other["seed"]) != (name, given.seed)] + [row]
            result = {"settings": [*map(str, SMALL)], "sigma": SIGMA, "samples": SAMPLES, "environment": environment()}
            RESULTS.write_text(json.dumps({**result, "sets": stored}, indent=2) + "\n")


if __name__ == "__main__":
    main()
