"""How well are images restored: without noise, supervised and from noisy images alone, and with more pixels?

Micrographs with Gaussian noise of 25 grey levels, neither rounded nor cut off, beside the noisy image, a Gaussian
filter (its deviation chosen on the validation images) and BM3D (Dabov et al. 2007; the package ``bm3d``, which is given
the true deviation of the noise):

- ``supervised``: ``multiunet train image --degrade noise:25``, which sees clean training images;
- ``alone``: ``multiunet train image --task denoise --noise-level 25``, which sees noisy images only, one of each;
- ``down``: ``multiunet train image --degrade down:4``, beside bicubic interpolation.

Scores are means over the test images, of a data range of 255: PSNR (decibels), SSIM (Wang et al. 2004), sharpness, and
of the networks the share of clean (and of noisy) pixels within their stated 90% intervals, as normal ones. Data sets
are ``isbi2012`` (sections 0-19 train, 20-23 validate, 24-29 test) and ``super_alloy`` (Super1).

    python benchmarks/denoising.py [isbi2012 super_alloy] [--seeds 0 1 2] [--runs FOLDER] [-- --epochs 84]

With ``--runs`` runs are kept there, and what is done is not trained again. Reads MULTIUNET_DATA (default ../shared/data
beside the checkout); adds to benchmarks/results/denoising.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from micrographs import DATA, Words, epoch_seconds, multiunet
from numpy.typing import NDArray
from PIL import Image

from multiunet.metrics import compare_sharpness, compute_psnr, compute_ssim, mean_of_defined
from multiunet.prediction import open_datasets
from multiunet.seeds import generator
from multiunet.training.run_folder import environment

RESULTS = Path(__file__).parent / "results" / "denoising.json"
NOISE, DOWN, RANGE = 25.0, 4, 255.0
HALF_WIDTH = 1.6448536
"""Deviations on either side of a normal interval of 90%."""

Floats = NDArray[np.float32]
Pictures = Mapping[str, Floats]
"""Images ``(1, y, x)`` by name."""


def files_of(name: str) -> dict[str, tuple[Path, str]]:
    """The images of a data set by name, each with its split."""
    if name == "isbi2012":
        part = ["train"] * 20 + ["val"] * 4 + ["test"] * 6
        return {str(i): (DATA / f"isbi2012/train/image/{i}.png", split) for i, split in enumerate(part)}
    listed = json.loads((DATA / "super_alloy/splits.json").read_text())["Super1"]
    return {
        stem: (DATA / f"super_alloy/images/{stem}.png", split)
        for split in ("train", "val", "test")
        for stem in listed[split]
    }


def write_table(path: Path, rows: Mapping[str, tuple[Path, str]]) -> Path:
    """Write a table of images and their splits."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("image", "split"), *rows.values()])
    return path


def read(path: Path) -> Floats:
    """Read a grey image."""
    return np.asarray(Image.open(path).convert("L"), dtype=np.float32)[None]


def write_noisy(files: Mapping[str, tuple[Path, str]], folder: Path) -> dict[str, tuple[Path, str]]:
    """Write each image with its noise, always the same: that which ``--degrade`` gives it."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for name, (path, split) in files.items():
        clean = read(path)
        drawn = generator("pair", name).standard_normal(clean.shape, dtype=np.float32)
        tifffile.imwrite(folder / f"{name}.tif", (clean + np.float32(NOISE) * drawn)[0])
        written[name] = (folder / f"{name}.tif", split)
    return written


def score(found: Pictures, clean: Pictures) -> dict[str, float | None]:
    """Return the means over images of what their closeness is judged by."""
    pairs = [(found[name], clean[name]) for name in clean]
    errors = [float(np.square(one.astype(np.float64) - true).mean()) for one, true in pairs]
    return {
        "psnr": mean_of_defined(compute_psnr(error, RANGE) for error in errors),
        "ssim": mean_of_defined(compute_ssim(one, true, RANGE) for one, true in pairs),
        "sharpness": mean_of_defined(compare_sharpness(one, true) for one, true in pairs),
    }


def cover(mean: Pictures, total: Pictures, truth: Pictures) -> float:
    """Return the share of the true pixels within the stated intervals."""
    hits = [np.abs(truth[name] - mean[name]) <= HALF_WIDTH * np.sqrt(total[name]) for name in truth]
    return float(np.mean([hit.mean() for hit in hits]))


def train(out: Path, words: Words) -> float:
    """Train a run unless that is done; return the seconds that its epochs took."""
    multiunet("train", "image", *words, "--out", out, "--resume", "auto")
    return round(sum(epoch_seconds(out)), 1)


def restore(run: Path, images: Path, clean: Pictures, noisy: Pictures) -> dict[str, Any]:
    """Score what a run makes of noisy images."""
    with tempfile.TemporaryDirectory() as folder:
        multiunet("predict", "image", "--run", run, "--images", images, "--out", f"{folder}/p.zarr")
        opened = open_datasets(Path(folder) / "p.zarr")
        mean, total = ({name: opened[name][part].to_numpy()[-1:] for name in clean} for part in ("mean", "total"))
    coverage = {"coverage_clean": cover(mean, total, clean), "coverage_noisy": cover(mean, total, noisy)}
    return {**score(mean, clean), **coverage}


def denoise_bm3d(noisy: Pictures) -> dict[str, Floats] | None:
    """Denoise with BM3D; None where the package is not installed."""
    try:
        from bm3d import bm3d
    except ImportError:
        print("bm3d is not installed (pip install bm3d); left out", file=sys.stderr)
        return None
    return {name: bm3d(image[0], NOISE).astype(np.float32)[None] for name, image in noisy.items()}


def measure(name: str, seed: int, runs: Path, more: Words, longer: int | None) -> dict[str, Any]:
    """Train and score all methods on a data set; ``longer``: epochs from noisy images alone, if others."""
    files = files_of(name)
    runs.mkdir(parents=True, exist_ok=True)
    noisy_files = write_noisy(files, runs / f"{name}-noisy")
    clean_table, noisy_table = (
        write_table(runs / f"{name}-{kind}.csv", rows) for kind, rows in (("clean", files), ("noisy", noisy_files))
    )
    tested = [stem for stem, (_, split) in files.items() if split == "test"]
    clean = {stem: read(files[stem][0]) for stem in tested}
    noisy = {stem: tifffile.imread(noisy_files[stem][0])[None] for stem in tested}
    test_table = write_table(runs / f"{name}-test.csv", {stem: noisy_files[stem] for stem in tested})
    places = {kind: runs / f"{name}-{kind}-{seed}" for kind in ("supervised", "alone", "down")}
    common, known = ["--seed", seed, *more], ["--noise-level", f"{NOISE:g}"]
    if longer is not None:
        places["alone"] = runs / f"{name}-alone-{seed}-{longer}"
        known += ["--epochs", str(longer)]
    seconds = {
        "supervised": train(places["supervised"], ["--images", clean_table, "--degrade", f"noise:{NOISE:g}", *common]),
        "alone": train(places["alone"], ["--images", noisy_table, "--task", "denoise", *common, *known]),
        "down": train(places["down"], ["--images", clean_table, "--degrade", f"down:{DOWN}", *common]),
    }
    report = json.loads(multiunet("evaluate", "image", "--run", places["supervised"], "--json"))
    enlarged = json.loads(multiunet("evaluate", "image", "--run", places["down"], "--json"))
    keys = ("psnr", "ssim", "sharpness")
    found: dict[str, Any] = {
        "noisy": score(noisy, clean),
        "gaussian": {key: report["baselines"]["gaussian"][key] for key in keys},
        **{kind: restore(places[kind], test_table, clean, noisy) for kind in ("supervised", "alone")},
        "bicubic": {key: enlarged["baselines"]["bicubic"][key] for key in keys},
        "down": {key: enlarged["metrics"][key] for key in keys},
        "seconds": seconds,
    }
    if (filtered := denoise_bm3d(noisy)) is not None:
        found["bm3d"] = score(filtered, clean)
    return found


def main() -> None:
    """Measure the chosen data sets, and keep the results of others."""
    given = sys.argv[1:]
    at = given.index("--") if "--" in given else len(given)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["isbi2012", "super_alloy"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument(
        "--alone-epochs", type=int, help="of the training on noisy images alone; default: as the others"
    )
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--results", type=Path, default=RESULTS)
    chosen, more = parser.parse_args(given[:at]), given[at + 1 :]
    with tempfile.TemporaryDirectory() as temporary:
        for name in chosen.names:
            for seed in chosen.seeds:
                found = measure(
                    name, seed, (chosen.runs or Path(temporary)).absolute(), list(more), chosen.alone_epochs
                )
                known = json.loads(chosen.results.read_text()) if chosen.results.exists() else {}
                how = {"words": list(more), "alone_epochs": chosen.alone_epochs, "environment": environment()}
                known.setdefault(name, {})[str(seed)] = {**found, **how}
                chosen.results.parent.mkdir(parents=True, exist_ok=True)
                chosen.results.write_text(json.dumps(known, indent=1) + "\n")
                shown = {
                    kind: " ".join(f"{key} {value:.3f}" for key, value in scores.items() if value is not None)
                    for kind, scores in found.items()
                }
                print(f"{name}, seed {seed}", *(f"  {kind}: {text}" for kind, text in shown.items()), sep="\n")


if __name__ == "__main__":
    main()
