"""What does a prediction cost: processor time, memory and disk by pixels, bases or nodes?

The default network of each domain, trained for a step or two on random data (what it predicts does not matter),
predicts inputs of three sizes from the command line, 4 Monte-Carlo samples, one thread, a process each. The system
tells each process's processor time and peak resident memory when it ends. The two smaller sizes give a line, "so much
to begin with, and so much for each site"; how far it is off at the largest size is said, too.

    python benchmarks/costs.py [image genome graph] [--scale 1]

``--scale 2`` takes twice as many sites. Writes benchmarks/results/costs.json.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr

from multiunet.training.run_folder import environment

RESULTS = Path(__file__).parent / "results" / "costs.json"
COMMAND = [sys.executable, "-m", "multiunet_cli"]
SHORT = ["--epochs", "1", "--no-calibrate", "--device", "cpu"]
EDGES, FEATURES, CLASSES = 5, 32, 4
"""Edges a node, each both ways; features and classes of nodes."""

UNITS = {"image": ("gigapixel", 1e9), "genome": ("gigabase", 1e9), "graph": ("million nodes", 1e6)}

SITES = {
    "image": (1024**2, 2048**2, 4096**2),
    "genome": (2_000_000, 8_000_000, 32_000_000),
    "graph": (50_000, 200_000, 800_000),
}

Words = list[str]


def run(*words: str) -> dict[str, float]:
    """Run a command; return its processor time (seconds) and peak resident memory (bytes)."""
    child = subprocess.Popen([*COMMAND, *words], env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE)
    assert child.stderr is not None
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{words}: {said.decode()}")
    return {"cpu_seconds": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss * 1024.0}


def make_image(folder: Path, sites: int) -> Words:
    """Write an image; return how it is named to ``predict``."""
    side, path = math.isqrt(sites), folder / "image.zarr"
    array = zarr.create_array(path, shape=(side, side), chunks=(512, 512), dtype="uint8", overwrite=True)
    rng = np.random.default_rng(0)
    for top in range(0, side, 512):
        array[top : top + 512] = rng.integers(0, 255, array[top : top + 512].shape).astype(np.uint8)
    return ["--images", str(path)]


def train_image(folder: Path) -> Words:
    """Write small images and masks; return what ``train`` is told."""
    rng = np.random.default_rng(1)
    for kind, most in (("images", 255), ("masks", 2)):
        (folder / kind).mkdir()
        for at in range(4):
            tifffile.imwrite(folder / kind / f"{at}.tif", rng.integers(0, most, (128, 128)).astype(np.uint8))
    return ["--images", str(folder / "images"), "--masks", str(folder / "masks"), "--steps-per-epoch", "1"]


def make_genome(folder: Path, sites: int) -> Words:
    """Write a chromosome; return how it is named to ``predict``."""
    letters = np.frombuffer(b"ACGT", np.uint8)[np.random.default_rng(0).integers(0, 4, size=sites)]
    (folder / "new.fa").write_bytes(b">new\n" + b"\n".join(letters.reshape(-1, 80).view("S80")[:, 0].tolist()) + b"\n")
    (folder / "new.fa.fai").unlink(missing_ok=True)
    return ["--fasta", str(folder / "new.fa")]


def train_genome(folder: Path) -> Words:
    """Write a small genome and a signal; return what ``train`` is told."""
    rng = np.random.default_rng(1)
    genome, signal = [], []
    for name in ("one", "two", "three"):
        genome.append(f">{name}\n{''.join(rng.choice(list('ACGT'), 200_000))}\n")
        signal += [f"{name}\t{at}\t{at + 100}\t{rng.random():.3f}\n" for at in range(0, 200_000, 100)]
    (folder / "small.fa").write_text("".join(genome))
    (folder / "signal.bedGraph").write_text("".join(signal))
    words = ["--fasta", str(folder / "small.fa"), "--targets", str(folder / "signal.bedGraph")]
    return [*words, "--val-chroms", "two", "--test-chroms", "three", "--bin-size", "100", "--steps-per-epoch", "1"]


def make_graph(folder: Path, sites: int) -> Words:
    """Write a random graph; return how it is named to ``predict``."""
    rng = np.random.default_rng(0)
    ends = rng.integers(0, sites, (2, EDGES * sites))
    masks = {f"{part}_mask": rng.random(sites) < 0.3 for part in ("train", "val", "test")}
    masks = {
        part: mask & ~np.any([other for name, other in masks.items() if name < part], axis=0)
        for part, mask in masks.items()
    }
    np.savez(
        folder / "graph.npz",
        x=rng.normal(size=(sites, FEATURES)).astype(np.float32),
        edge_index=np.concatenate([ends, ends[::-1]], axis=1),
        y=rng.integers(0, CLASSES, sites),
        **masks,
    )
    return ["--graph", str(folder / "graph.npz")]


def train_graph(folder: Path) -> Words:
    """Write a small graph; return what ``train`` is told."""
    return make_graph(folder, 2000)


Make = Callable[[Path, int], Words]
KINDS: dict[str, tuple[Callable[[Path], Words], Make]] = {
    "image": (train_image, make_image),
    "genome": (train_genome, make_genome),
    "graph": (train_graph, make_graph),
}


def measure(name: str, scale: float, folder: Path) -> dict[str, Any]:
    """Measure a domain: each size, and the line through the two smaller ones."""
    train, make = KINDS[name]
    run("train", name, *train(folder), *SHORT, "--out", str(folder / "run"))
    rows = []
    for sites in SITES[name]:
        many = math.isqrt(round(sites * scale)) ** 2 if name == "image" else round(sites * scale) // 80 * 80
        data = make(folder, many)
        out = folder / "p.zarr"
        used = run(
            "predict",
            name,
            "--run",
            str(folder / "run"),
            *data,
            "--out",
            str(out),
            "--overwrite",
            "--samples",
            "4",
            "--device",
            "cpu",
        )
        disk = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
        rows.append({"sites": many, **used, "disk": disk})
        print(name, json.dumps(rows[-1]), flush=True)
    unit, size = UNITS[name]
    lines = {what: fit_line(rows, what, size) for what in ("cpu_seconds", "memory", "disk")}
    return {"unit": unit, "sizes": rows, "lines": lines}


def fit_line(rows: list[dict[str, Any]], what: str, size: float) -> dict[str, float]:
    """Return the line through the first two rows, a unit of sites, and its error at the last as a share."""
    (a, b, c), at = [row[what] for row in rows], [row["sites"] / size for row in rows]
    slope = (b - a) / (at[1] - at[0])
    return {"begin": a - slope * at[0], "each": slope, "off": (a + slope * (at[2] - at[0])) / c - 1}


def main() -> None:
    """Measure the domains that are named, and keep what is known of others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(KINDS))
    parser.add_argument("--scale", type=float, default=1.0)
    chosen = parser.parse_args()
    for name in chosen.names:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(name, chosen.scale, Path(folder))
        known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        known[name] = {**found, "environment": environment()}
        RESULTS.write_text(json.dumps(known, indent=1) + "\n")
        for what, line in found["lines"].items():
            print(f"{name} {what}: {line['begin']:.4g} + {line['each']:.4g} a {found['unit']}, off {line['off']:+.0%}")


if __name__ == "__main__":
    main()
