"""How much faster do two dask workers of one thread each predict an image than one does?

``multiunet predict image --dask local:N`` predicts an image whose parts are shared out, by an untrained network of
widths 16, 32, 64. Time is that of the whole command less that of the same command with a small image, which is all
start: interpreters, the scheduler, workers that import torch. One and two workers follow each other in turn, and must
write the same bytes.

    python benchmarks/dask_workers.py [--rounds 3] [--side 3072] [--samples 4]

Two cores must be free, and dask installed (extra ``dask``). Writes benchmarks/results/dask_workers.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from multiunet.training.run_folder import environment

RESULTS = Path(__file__).parent / "results" / "dask_workers.json"
COMMAND = [sys.executable, "-m", "multiunet_cli"]
SMALL, TRAINING = 64, 128
"""Pixels of a side of the image that is all start, and of those that are trained on."""


def run(*words: str) -> float:
    """Run a command; return its seconds."""
    begin = time.perf_counter()
    done = subprocess.run([*COMMAND, *words], env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True)
    if done.returncode:
        sys.exit(f"{words}: {done.stderr.decode()}")
    return time.perf_counter() - begin


def write_images(folder: Path, side: int) -> None:
    """Write what is trained on, and the two images that are predicted."""
    rng = np.random.default_rng(0)
    for name, most, size, count in (
        ("images", 255, TRAINING, 4),
        ("masks", 2, TRAINING, 4),
        ("large", 255, side, 1),
        ("small", 255, SMALL, 1),
    ):
        (folder / name).mkdir()
        for at in range(count):
            tifffile.imwrite(folder / name / f"{at}.tif", rng.integers(0, most, (size, size)).astype(np.uint8))


def predict(folder: Path, images: str, workers: int, samples: int) -> tuple[float, dict[str, bytes]]:
    """Predict with so many workers; return the seconds, and what was written."""
    out = folder / "p.zarr"
    data = ["--run", str(folder / "run"), "--images", str(folder / images), "--out", str(out), "--device", "cpu"]
    seconds = run("predict", "image", *data, "--samples", str(samples), "--dask", f"local:{workers}")
    written = {str(file.relative_to(out)): file.read_bytes() for file in out.rglob("*") if file.is_file()}
    shutil.rmtree(out)
    return seconds, written


def compare(folder: Path, samples: int) -> dict[str, Any]:
    """Predict with one worker and with two; return seconds without the start, and their ratio."""
    seconds, written = {}, {}
    for workers in (1, 2):
        start, _ = predict(folder, "small", workers, samples)
        whole, written[workers] = predict(folder, "large", workers, samples)
        seconds[workers] = {"whole": round(whole, 2), "start": round(start, 2)}
    assert written[1] == written[2], "other bytes"
    work = [one["whole"] - one["start"] for one in seconds.values()]
    ratio = {"ratio": round(work[0] / work[1], 3), "of_whole_commands": seconds[1]["whole"] / seconds[2]["whole"]}
    return {"one": seconds[1], "two": seconds[2], **ratio}


def main() -> None:
    """Compare, several times in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", type=int, default=3072)
    parser.add_argument("--samples", type=int, default=4)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder, given.side)
        data = ["--images", str(folder / "images"), "--masks", str(folder / "masks"), "--out", str(folder / "run")]
        short = ["--epochs", "1", "--steps-per-epoch", "1", "--no-calibrate", "--device", "cpu"]
        run("train", "image", *data, *short, "--widths", "16,32,64", "--patch-size", "64")
        rounds = []
        for _ in range(given.rounds):
            rounds.append(compare(folder, given.samples))
            print(json.dumps(rounds[-1]), flush=True)
    ratio = statistics.median(row["ratio"] for row in rounds)
    print(f"median: {ratio:.2f}")
    found = {"settings": vars(given), "rounds": rounds, "ratio": ratio, "load": os.getloadavg()[0]}
    RESULTS.write_text(json.dumps({**found, "environment": environment()}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
