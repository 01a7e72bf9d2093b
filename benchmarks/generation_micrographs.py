"""New micrographs: have they the phases and the two-point correlation of real ones, and do they help a segmentation?

Two parts, both from the command line of ``multiunet``, on Ni-superalloy micrographs (``super_alloy``):

- ``textures``: the 10 training images of Super1, a third as large (means of 3 x 3 pixels) and each brought to one mean
  and deviation, train a generator (``train image --task generate``). It makes fields of 170 x 170 pixels, as large as
  the real ones, from patches of 64. Images are cut into dark precipitates and bright matrix at Otsu's threshold, after
  a Gaussian filter of 1 pixel. Compared are the fraction of the precipitates and their two-point correlation S2(r), the
  probability that two pixels r apart both lie in precipitates, as a share of the phase's own variance, averaged over
  directions, for r to 40 pixels. A sample's distance from the mean of the real images is held against the distance of
  each real image (18, held-out ones too) from the mean of the others.
- ``pairs``: the one training image of Super3 and its mask train a generator of images from masks (``--masks``). New
  masks are warped from that one by smooth random displacements, and the generator makes their images. A segmentation is
  trained on the real pair and the new ones, beside one that is trained for as long on the real pair alone. Both are
  tested on Super3's test images.

    python benchmarks/generation_micrographs.py textures pairs --runs DIR [--epochs 36] [--pair-epochs 20]
        [--segment-epochs 28] [--patch 128]

What is in ``--runs`` is not made again; with ``--as-they-are`` runs there are not trained further, finished or not.
Reads MULTIUNET_DATA (default ../shared/data beside the checkout); adds to
benchmarks/results/generation_micrographs.json.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from micrographs import DATA, ROOT, multiunet, super_alloy
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

from multiunet.domains.image.generation.contact_sheet import make_sheet
from multiunet.metrics.image_sets import correlate
from multiunet.seeds import generator
from multiunet.training.run_folder import environment

RESULTS = ROOT / "benchmarks" / "results" / "generation_micrographs.json"
SOURCE = DATA / "super_alloy"
TIMES, MEAN, DEVIATION = 3, 128.0, 32.0
RADII, BEND, REACH = 40, 12.0, 40.0
"""Distances of S2, pixels; deviation and smoothness of the displacements of masks, pixels."""

Grey = np.ndarray


def read(path: Path) -> Grey:
    """Return an image as it is."""
    return np.asarray(Image.open(path))


def make_small(folder: Path) -> Path:
    """Write the images of Super1, a third as large and of one mean and deviation; return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    splits = json.loads((SOURCE / "splits.json").read_text())["Super1"]
    for name in (name for names in splits.values() for name in names):
        image = read(SOURCE / f"images/{name}.png").astype(np.float64)
        height, width = (n // TIMES for n in image.shape)
        image = image[: height * TIMES, : width * TIMES].reshape(height, TIMES, width, TIMES).mean((1, 3))
        image = (image - image.mean()) / image.std() * DEVIATION + MEAN
        Image.fromarray(np.rint(image).clip(0, 255).astype(np.uint8)).save(folder / f"{name}.png")
    return folder


def threshold(image: Grey) -> Grey:
    """Return where an image is dark, by Otsu's threshold."""
    smooth = gaussian_filter(image.astype(np.float64), 1.0)
    counts, edges = np.histogram(smooth, 256)
    levels, below = (edges[:-1] + edges[1:]) / 2, np.cumsum(counts)
    sums, above = np.cumsum(counts * levels), counts.sum() - below
    inner = slice(0, -1)
    gap = sums[inner] / below[inner] - (sums[-1] - sums[inner]) / above[inner]
    return smooth < levels[int((below[inner] * above[inner] * gap**2).argmax())]


def describe(images: list[Grey]) -> tuple[Grey, Grey]:
    """Return the fraction of the dark phase of each image, ``(N,)``, and its correlation, ``(N, RADII + 1)``."""
    phases = [threshold(image).astype(np.float32) for image in images]
    curves = [correlate(phase[None, None])[: RADII + 1] for phase in phases]
    return np.array([float(phase.mean()) for phase in phases]), np.array(curves)


def compare(real: list[Grey], new: list[Grey]) -> dict[str, Any]:
    """Return how far new images are from the mean of real ones, beside each real one from the mean of the others."""
    (shares, curves), (made_shares, made_curves) = describe(real), describe(new)
    among = []
    for place in range(len(real)):
        rest = np.arange(len(real)) != place
        apart = np.sqrt(np.square(curves[place] - curves[rest].mean(0)).mean())
        among.append((abs(shares[place] - shares[rest].mean()), apart))
    own = [
        (abs(s - shares.mean()), np.sqrt(np.square(c - curves.mean(0)).mean()))
        for s, c in zip(made_shares, made_curves)
    ]
    spread, found = np.array(among), np.array(own)
    return {
        "real_fraction": {"mean": shares.mean(), "lowest": shares.min(), "highest": shares.max()},
        "new_fraction": {"mean": made_shares.mean(), "lowest": made_shares.min(), "highest": made_shares.max()},
        "fraction_apart": {
            "real_median": float(np.median(spread[:, 0])),
            "real_largest": spread[:, 0].max(),
            "new": found[:, 0].tolist(),
        },
        "s2_apart": {
            "real_median": float(np.median(spread[:, 1])),
            "real_largest": spread[:, 1].max(),
            "new": found[:, 1].tolist(),
        },
        "within_spread": float((found <= spread.max(0)).all(1).mean()),
        "mean_s2_apart": float(np.sqrt(np.square(made_curves.mean(0) - curves.mean(0)).mean())),
    }


def run_textures(runs: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Train on real textures, make new ones, and compare."""
    images, run = make_small(runs / "small"), runs / "textures"
    as_they_are = given.as_they_are and run.is_dir()
    splits = f"{SOURCE}/splits.json:Super1"
    words = ["--batch-size", 12, "--lr", "2e-3", "--epochs", given.epochs, "--seed", given.seed]
    if not as_they_are:
        multiunet(
            *("train", "image", "--task", "generate", "--images", images, "--splits", splits),
            *(*words, "--out", run, "--resume", "auto"),
        )
    out, size = runs / f"textures-{given.steps}", read(next(images.glob("*.png"))).shape[0]
    if not out.exists():
        words = ["--count", given.count, "--size", size, "--steps", given.steps, "--seed", given.seed]
        multiunet(
            "sample", "image", "--run", run, *words, "--out", runs / f"textures-{given.steps}.zarr", "--export", out
        )
    scored = runs / "textures-scores.json"
    if not scored.exists():
        scored.write_text(multiunet("evaluate", "image", "--run", run, "--json"))
    report = json.loads(scored.read_text())
    real, new = (
        [read(path) for path in sorted(folder.glob(kind))] for folder, kind in ((images, "spot*"), (out, "s*_*.png"))
    )
    new = [image for image in new if image.shape == real[0].shape]
    rows = [[image[None].astype(np.float32) for image in part[:8]] for part in (real, new)]
    Image.fromarray(make_sheet(rows, 0.0, 255.0, ["real", "new"])).save(runs / "textures.png")
    scores = {"model": report["metrics"], **report["baselines"]}
    epochs = len((run / "metrics.jsonl").read_text().splitlines())
    return compare(real, new) | {"samples": len(new), "steps": given.steps, "epochs": epochs, "evaluate": scores}


def warp(mask: Grey, number: int) -> Grey:
    """Return a mask that is mirrored or turned, and bent by smooth random displacements."""
    rng = generator("warp", number)
    turned = np.rot90(mask, int(rng.integers(4)))
    turned = turned.T if rng.integers(2) else turned
    moves = [gaussian_filter(rng.normal(size=mask.shape), REACH, mode="reflect") for _ in range(2)]
    places = [x + BEND * move / move.std() for x, move in zip(np.indices(mask.shape), moves)]
    return map_coordinates(turned, places, order=0, mode="reflect").astype(np.uint8)


def run_pairs(runs: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Train a generator on the one pair of Super3, make pairs with it, and train segmentations with and without."""
    names = json.loads((SOURCE / "splits.json").read_text())["Super3"]
    (name,) = names["train"]
    run, words = runs / "pairs", super_alloy("Super3")
    multiunet(
        *("train", "image", "--task", "generate", *words, "--epochs", given.pair_epochs, "--lr", "2e-3"),
        *("--seed", given.seed, "--out", run, "--resume", "auto"),
    )
    masks, made = runs / "masks", runs / "made"
    masks.mkdir(exist_ok=True)
    for number in range(given.pairs):
        Image.fromarray(warp(read(SOURCE / f"labels/{name}.png"), number)).save(masks / f"made{number}.png")
    if not made.exists():
        words = ["--masks", masks, "--count", 1, "--sampler", "dpm++2m", "--steps", 12, "--seed", given.seed]
        multiunet("sample", "image", "--run", run, *words, "--out", runs / "made.zarr", "--export", made)
    real = [
        (SOURCE / f"images/{n}.png", SOURCE / f"labels/{n}.png", part)
        for part in ("train", "val", "test")
        for n in names[part]
    ]
    new = [(made / f"made{n}_000.png", masks / f"made{n}.png", "train") for n in range(given.pairs)]
    found: dict[str, Any] = {"pairs": given.pairs, "epochs": given.segment_epochs, "patch": given.patch}
    for way, rows in (("real pair alone", real), ("with new pairs", [*real, *new])):
        table, trained = runs / f"{way.replace(' ', '-')}.csv", runs / way.replace(" ", "-")
        with table.open("w", newline="") as file:
            csv.writer(file).writerows([("image", "mask", "split"), *rows])
        options = [
            "--epochs",
            given.segment_epochs,
            "--patch-size",
            f"{given.patch},{given.patch}",
            "--validate-every",
            4,
        ]
        multiunet(
            "train", "image", "--images", table, *options, "--seed", given.seed, "--out", trained, "--resume", "auto"
        )
        scores = json.loads(multiunet("evaluate", "image", "--run", trained, "--samples", 4, "--json"))["metrics"]
        found[way] = {key: scores[key] for key in ("mean_iou", "micro_iou", "pixel_accuracy", "iou")}
    return found


def main() -> None:
    """Run the chosen parts and add them to the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=("textures", "pairs"))
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=36, help="of the generator of textures")
    parser.add_argument("--count", type=int, default=8, help="new textures")
    parser.add_argument("--steps", type=int, default=18)
    parser.add_argument("--pairs", type=int, default=12, help="new pairs")
    parser.add_argument("--pair-epochs", type=int, default=20, help="of the generator of pairs")
    parser.add_argument("--segment-epochs", type=int, default=28)
    parser.add_argument("--patch", type=int, default=128, help="side of the segmentations' patches, pixels")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--as-they-are", action="store_true", help="take trained runs as they are")
    given = parser.parse_args()
    given.runs = given.runs.absolute()
    for part in given.parts:
        given.runs.mkdir(parents=True, exist_ok=True)
        row = (run_textures if part == "textures" else run_pairs)(given.runs, given)
        print(part, json.dumps(row, indent=1), flush=True)
        known = json.loads(given.results.read_text()) if given.results.exists() else {}
        patches = f", patches of {given.patch}" if part == "pairs" else ""
        known[f"{part}{patches}, seed {given.seed}"] = row
        known["environment"] = environment()
        given.results.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
