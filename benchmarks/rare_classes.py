"""Is a class found that covers a fraction of a percent of the pixels?

The particles of class 2 of super_alloy (2.7 % of the pixels) are made rarer: but for a share of them, drawn by
chance, they are ignored in all masks (value 255), so that no label is wrong. The split is the published Super1. Each
seed trains twice, as though no class were rare (patches about any class of the image alike), and as ``train`` plans it
(patches about the rare class). Both are scored by the likeliest class, and with the threshold that validation chose.

    python benchmarks/rare_classes.py --data ../shared/data/super_alloy [--kept 0.1] [--seeds 0,1] [--epochs 12]

Writes benchmarks/results/rare_classes.json; what it has of other shares stays.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from PIL import Image
from skimage.measure import label

from multiunet.domains.calibration import calibrate
from multiunet.domains.image import info as image_info
from multiunet.domains.inference import evaluate
from multiunet.domains.training import train
from multiunet.progress import Progress
from multiunet.training.run_folder import environment

RESULTS = Path(__file__).parent / "results" / "rare_classes.json"

RARE, IGNORED = 2, 255


def make_rarer(masks: Path, kept: float, out: Path) -> float:
    """Write masks in which all but a share of the rare class's objects are ignored; return its share of the pixels."""
    out.mkdir(parents=True, exist_ok=True)
    pixels = known = 0
    for place, path in enumerate(sorted(masks.iterdir())):
        mask = np.array(Image.open(path))
        objects = label(mask == RARE, connectivity=1)
        drawn = np.random.default_rng(place).random(objects.max() + 1) < kept
        mask[(objects > 0) & ~drawn[objects]] = IGNORED
        Image.fromarray(mask).save(out / path.name)
        pixels, known = pixels + int((mask == RARE).sum()), known + int((mask != IGNORED).sum())
    return pixels / known


def score(run: Path, raw: bool) -> dict[str, Any]:
    """Return the scores of the rare class on the test images, one pass of the network."""
    found = evaluate(run, {"samples": 1, "raw": raw, "device": "cpu"}, progress=Progress()).metrics
    own = {name: found[name][RARE] for name in ("iou", "precision", "recall")}
    return {**own, "mean_iou": found["mean_iou"]}


def train_and_score(data: Path, masks: Path, planned: bool, seed: int, epochs: int, run: Path) -> dict[str, Any]:
    """Train a small network, and score it with and without the threshold of the rare class."""
    shutil.rmtree(run, ignore_errors=True)
    settings = {
        "images": data / "images",
        "masks": masks,
        "splits": f"{data / 'splits.json'}:Super1",
        "ignore_value": IGNORED,
        "seed": seed,
        "epochs": epochs,
        "patch_size": [128, 128],
        "widths": [16, 32, 64],
        "validate_every": max(1, epochs // 6),
        "tta_flips": False,
        "calibrate": False,
        "device": "cpu",
    }
    with patch.object(image_info, "RARE", image_info.RARE if planned else 0.0):
        train("image", settings, run, progress=Progress())
    calibrate(run, {"samples": 1, "device": "cpu"})
    return {"likeliest": score(run, raw=True), "threshold": score(run, raw=False)}


def main() -> None:
    """Train, score, and write the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, default=Path("../shared/data/super_alloy"))
    options.add_argument("--kept", type=float, default=0.1, help="share of the rare class's objects that stay")
    options.add_argument("--seeds", default="0,1")
    options.add_argument("--epochs", type=int, default=12)
    options.add_argument("--runs", type=Path, default=Path("rare_classes"))
    given = options.parse_args()
    masks = given.runs / "masks"
    share = make_rarer(given.data / "labels", given.kept, masks)
    rows = []
    for seed in map(int, given.seeds.split(",")):
        for planned in (False, True):
            name = f"{'rare' if planned else 'even'}-{seed}"
            found = train_and_score(given.data, masks, planned, seed, given.epochs, given.runs / name)
            rows.append({"seed": seed, "patches": "about the rare class" if planned else "as before", **found})
            print(json.dumps(rows[-1]), flush=True)
    content = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    content[f"kept {given.kept:g}"] = {
        "share": share,
        "epochs": given.epochs,
        "rows": rows,
        "environment": environment(),
    }
    RESULTS.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
