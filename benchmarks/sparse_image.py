"""Does an image of any size take the same memory, and time that grows with its tiles?

A Zarr of bytes of which one chunk in a hundred is written, the rest its fill value, as a scan of sparse tissue has it.
A small network (widths 4,8; classes; 4 samples) predicts it from the command line, one process a size; tiles are the
same for all (``--tile-size 512``). The system tells each process's peak resident memory when it ends.

    python benchmarks/sparse_image.py [--sides 5120 10240 20480 40960] [--samples 4] [--folder FOLDER]

Writes benchmarks/results/sparse_image.json after each size. Stopped, it goes on tile by tile when it is given again
with the same ``--folder``; times of all attempts are added up.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import zarr
from PIL import Image

from multiunet.files import write_text
from multiunet.training.run_folder import environment

RESULTS = Path(__file__).parent / "results" / "sparse_image.json"
COMMAND = [sys.executable, "-m", "multiunet_cli"]
CHUNK, TILE = 1024, 512


def write_image(path: Path, side: int) -> None:
    """Write the image: chunks of noise about 90, others are 0."""
    begun = path.with_suffix(".begun")
    shutil.rmtree(begun, ignore_errors=True)
    array = zarr.create_array(begun, shape=(side, side), chunks=(CHUNK, CHUNK), dtype="uint8", fill_value=0)
    rng = np.random.default_rng(0)
    places = range(0, side, CHUNK)
    for y, x in ((y, x) for y in places for x in places if rng.random() < 0.01):
        array[y : y + CHUNK, x : x + CHUNK] = rng.normal(90, 20, array[y : y + CHUNK, x : x + CHUNK].shape).astype("u1")
    begun.rename(path)


def train(folder: Path) -> Path:
    """Train the network, a few steps: what it predicts does not matter."""
    rng = np.random.default_rng(1)
    for kind, most in (("images", 255), ("masks", 2)):
        (folder / kind).mkdir(exist_ok=True)
        for at in range(4):
            Image.fromarray(rng.integers(0, most, (64, 64)).astype(np.uint8)).save(folder / kind / f"{at}.png")
    words = ["--widths", "4,8", "--patch-size", "32", "--epochs", "1", "--steps-per-epoch", "2", "--dropout", "0.2"]
    data = ["--images", str(folder / "images"), "--masks", str(folder / "masks"), "--out", str(folder / "run")]
    subprocess.run(
        [*COMMAND, "train", "image", *data, *words, "--no-calibrate", "--resume", "auto"],
        check=True,
        capture_output=True,
    )
    return folder / "run"


def watch(words: list[str], spent: Path) -> None:
    """Run a command to its end; add its times and memory, a few seconds apart, to what earlier attempts took."""
    before = json.loads(spent.read_text()) if spent.exists() else {"seconds": 0.0, "cpu_seconds": 0.0, "peak": 0}
    started = time.monotonic()
    child = subprocess.Popen([*COMMAND, *words], env={**os.environ, "OMP_NUM_THREADS": "1"})
    seen = psutil.Process(child.pid)
    ended = 0
    while not ended:
        time.sleep(2)
        cpu, peak = sum(seen.cpu_times()[:2]), seen.memory_info().rss
        ended, status, usage = os.wait4(child.pid, os.WNOHANG)
        if ended:
            cpu, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10
        took = {"seconds": before["seconds"] + time.monotonic() - started, "cpu_seconds": before["cpu_seconds"] + cpu}
        write_text(spent, json.dumps({**took, "peak": max(before["peak"], peak)}))
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0


def measure(run: Path, side: int, samples: int, folder: Path) -> dict[str, Any]:
    """Predict an image of this side, from where an earlier attempt ended; return seconds, memory and tiles."""
    image, out, spent = (folder / f"{side}{kind}" for kind in (".zarr", "-predicted.zarr", ".json"))
    if not image.exists():
        write_image(image, side)
    how = ["--samples", str(samples), "--tile-size", str(TILE), "--device", "cpu", "--no-confidence", "--resume"]
    if not out.exists():
        watch(["predict", "image", "--run", str(run), "--images", str(image), "--out", str(out), *how], spent)
    took = json.loads(spent.read_text())
    for path in (out, image):
        shutil.rmtree(path)
    spent.unlink()
    return {
        "tiles": (side // TILE) ** 2,
        "seconds": round(took["seconds"], 1),
        "cpu_seconds": round(took["cpu_seconds"], 1),
        "peak_resident_mib": took["peak"] >> 20,
        "samples": samples,
    }


def main() -> None:
    """Measure each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="+", default=[5120, 10240, 20480, 40960])
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument(
        "--folder",
        type=Path,
        default=None,
        help="where images and predictions lie meanwhile",
    )
    given = parser.parse_args()
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"sides": {}}
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        run = train(folder)
        for side in given.sides:
            row = measure(run, side, given.samples, folder)
            print(side, row, flush=True)
            found["sides"][str(side)] = row
            RESULTS.write_text(json.dumps(found | {"environment": environment()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
