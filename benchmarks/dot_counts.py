"""Do intervals of counts hold the true ones, where counts are sums over a density that was learnt from dots?

Two sets: blurred spots in noise, whose number, contrast and noise differ from image to image, drawn here with a fixed
seed; and the nuclei of dsb2018, each given by its centre alone. A run trains on some images, its intervals are fitted
to its validation images, and those of the test images are compared with the true counts.

    python benchmarks/dot_counts.py --data DATA [--epochs 10] --out FOLDER

DATA has dsb2018_fluo, with images and masks of numbered objects. Writes benchmarks/results/dot_counts.json.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import center_of_mass, gaussian_filter
from tifffile import imread

from multiunet.domains.inference import predict
from multiunet.domains.training import train
from multiunet.prediction import open_prediction
from multiunet.prediction.totals import open_sums, sum_sites
from multiunet.training.run_folder import environment

RESULTS = Path(__file__).parent / "results" / "dot_counts.json"
SIGMA = 3.0
Rows = list[tuple[Path, Path, str]]


def draw_spots(folder: Path) -> Rows:
    """Draw images of spots with their dots; return image, dots and split of each."""
    rng, rows = np.random.default_rng(0), []
    for index in range(110):
        count, canvas = rng.poisson(np.exp(rng.uniform(np.log(5), np.log(60)))), np.zeros((96, 96))
        places = rng.uniform(0, 95, (count, 2))
        for place in np.rint(places).astype(int):
            canvas[tuple(place)] += rng.lognormal(0, 0.3)
        spots = gaussian_filter(canvas, 2.0) * 2 * np.pi * 4 * rng.lognormal(0, 0.3)
        noisy = 60 * spots + 40 + rng.uniform(4, 16) * rng.standard_normal(canvas.shape)
        image = folder / f"{index:03}.png"
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(image)
        rows.append((image, write_dots(folder / f"{index:03}.csv", places), split_of(index, 40, 30)))
    return rows


def mark_nuclei(data: Path, folder: Path) -> Rows:
    """Mark the centre of each nucleus; return image, dots and split of each image."""
    rows = []
    for split in ("train", "val", "test"):
        for image in sorted((data / split / "images").glob("*.png")):
            numbers = imread(data / split / "masks" / f"{image.stem}.tif")
            places = np.array(center_of_mass(numbers > 0, numbers, np.unique(numbers[numbers > 0]))).reshape(-1, 2)
            rows.append((image, write_dots(folder / f"{image.stem}.csv", places), split))
    return rows


def split_of(index: int, training: int, validation: int) -> str:
    return "train" if index < training else "val" if index < training + validation else "test"


def write_dots(path: Path, places: np.ndarray) -> Path:
    """Write dots, ``(dots, 2)``, in rows and columns, as a CSV; return it."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["x", "y"], *([x, y] for y, x in places.tolist())])
    return path


def count_dots(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines()) - 1


def write_table(path: Path, header: list[str], rows: list[tuple[Any, ...]]) -> Path:
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def compare(rows: Rows, folder: Path, epochs: int) -> dict[str, Any]:
    """Train on the rows and compare the counts of the test images."""
    run, tested = folder / "run", [row for row in rows if row[2] == "test"]
    if not (run / "STATUS").exists():
        table = write_table(folder / "train.csv", ["image", "target", "split"], rows)
        settings = {"images": table, "task": "regression", "dots": SIGMA, "patch_size": [64, 64]}
        train("image", {**settings, "widths": [16, 32, 64], "epochs": epochs, "validate_every": 5}, run)
    images = write_table(folder / "test.csv", ["image"], [(image,) for image, *_ in tested])
    predict(run, {"images": images, "samples": 16, "overwrite": True}, folder / "p.zarr", "image")
    stored, sums = open_prediction(folder / "p.zarr"), open_sums(folder / "p.zarr")["sites"]
    found = []
    for image, dots, _ in tested:
        totals = sum_sites(stored[image.stem])
        stated = sums.interval(totals)
        values = [float(part[0]) for part in (stated.estimate, stated.deviation, stated.low, stated.high)]
        independent = float(np.sqrt(totals.variance[0, 0]))
        found.append([count_dots(dots), float(totals.mean[0, 0]), *values, independent])
    true, plain, estimate, sd, low, high, independent = np.array(found).T
    return {
        "test_images": len(tested),
        "mean_count": float(true.mean()),
        "mean_absolute_error": float(np.abs(estimate - true).mean()),
        "coverage_90": float(((low <= true) & (true <= high)).mean()),
        "mean_width_90": float((high - low).mean()),
        "rms_z": float(np.sqrt((((estimate - true) / sd) ** 2).mean())),
        "rms_z_of_independent_pixels": float(np.sqrt((((plain - true) / independent) ** 2).mean())),
    }


def main() -> None:
    """Compare and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=10)
    chosen = parser.parse_args()
    results: dict[str, Any] = {"epochs": chosen.epochs, "samples": 16}
    for name in ("spots", "nuclei"):
        folder = chosen.out / name
        folder.mkdir(parents=True, exist_ok=True)
        rows = draw_spots(folder) if name == "spots" else mark_nuclei(chosen.data / "dsb2018_fluo", folder)
        results[name] = compare(rows, folder, chosen.epochs)
        print(name, json.dumps(results[name], indent=1), flush=True)
    RESULTS.write_text(json.dumps({**results, "machine": environment()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
