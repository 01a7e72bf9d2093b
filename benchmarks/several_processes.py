"""How many steps a second do two processes of one thread each make, over one process of one thread?

Both train a U-Net on the same synthetic micrographs, two batches a step: one process computes both, of two processes
each computes one. A step's time is that between two steps, the median over a run, without validation and without the
first steps. Runs follow each other in turn. Both must end with the same weights, to the last bit. ``work`` compares the
processor's time of the first process: what the ratio would be if no process ever waited, however busy the machine is.

    python benchmarks/several_processes.py [--rounds 3] [--steps 60] [--patch-size 128]

Two cores must be free. Adds to benchmarks/results/several_processes.json, by the size of patches.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that are started, too

import torch
from multiunet_datasets import synthetic

from multiunet import train
from multiunet.progress import Progress
from multiunet.training.checkpoint import load
from multiunet.training.run_folder import environment

RESULTS = Path(__file__).parent / "results" / "several_processes.json"
WARM_UP = 5


class StepTimes(Progress):
    """Times at which steps ended."""

    def __init__(self) -> None:
        self.ends: list[tuple[float, float]] = []

    def add_step(self, loss: float) -> None:
        self.ends.append((time.perf_counter(), time.process_time()))

    def medians(self) -> tuple[float, float]:
        """Return the median seconds of a step: of the clock, and of the processor."""
        times = [(end - begin, worked - before) for (begin, before), (end, worked) in zip(self.ends, self.ends[1:])]
        passed, worked = zip(*times[WARM_UP:])
        return statistics.median(passed), statistics.median(worked)


def measure(settings: dict[str, Any], run: Path) -> tuple[float, float]:
    """Train; return the seconds of a step, of the clock and of this process's processor."""
    times = StepTimes()
    train("image", settings, run, progress=times)
    return times.medians()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--patch-size", type=int, default=128)
    given = parser.parse_args()
    torch.set_num_threads(1)
    rounds = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        synthetic.write_polycrystal(folder, images=8, size=2 * given.patch_size, grains=40)
        settings = {
            **{"images": folder / "images", "masks": folder / "masks", "widths": [16, 32, 64], "batch_size": 2},
            **{"patch_size": [given.patch_size], "memory_format": "channels-last", "gradient_checkpointing": False},
            **{"epochs": 1, "steps_per_epoch": given.steps, "accumulate": 2, "device": "cpu", "calibrate": False},
        }
        for turn in range(given.rounds):
            (one, alone) = measure(settings, folder / f"one-{turn}")
            (two, shared) = measure({**settings, "devices": 2}, folder / f"two-{turn}")
            weights = [load(folder / f"{n}-{turn}/checkpoints/last.safetensors").tensors for n in ("one", "two")]
            assert all(torch.equal(weights[1][key], value) for key, value in weights[0].items())
            rounds.append({"one": 1 / one, "two": 1 / two, "ratio": one / two, "work": alone / shared})
            print(f"steps a second: one process {1 / one:.2f}, two {1 / two:.2f}: {one / two:.2f} times as many")
            print(f"work: {alone / shared:.2f}")
    ratio = statistics.median(row["ratio"] for row in rounds)
    print(f"median: {ratio:.2f}")
    load_now = os.getloadavg()[0]
    found = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    found[f"patches of {given.patch_size}"] = {
        **{"settings": vars(given), "rounds": rounds, "ratio": ratio, "load": load_now},
        "environment": environment(),
    }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
