"""How much faster mutagenesis is than predicting each changed window whole, at the same result.

    python benchmarks/mutagenesis.py [--changes 48] [--naive 2] [--samples 1] [--out mutagenesis.csv]

Networks are those that `train genome` makes by default, untrained (weights change nothing in the cost), in windows as
long as those of training: 256 bins. Both ways run in turn, three times; the ratio is of their shortest times a change.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import torch

from multiunet.domains.domain import Model
from multiunet.domains.genome.mutagenesis.saturation import Saturation
from multiunet.domains.genome.sequence import Codes, one_hot
from multiunet.geometries.grid.fuse import fuse_layers
from multiunet.models.genomic import genomic_unet
from multiunet.prediction.field import predict_field
from multiunet.tasks import Regression

BINS = 256
ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=48, help="bases that the fast way changes, each into three")
    parser.add_argument("--naive", type=int, default=2, help="bases that the naive way changes")
    parser.add_argument("--bin-sizes", type=int, nargs="+", default=[128, 1000])
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    rows = [compare(size, given.changes, given.naive, given.samples) for size in given.bin_sizes]
    for row in rows:
        print(", ".join(f"{name} {value}" for name, value in row.items()))
    if given.out is not None:
        with given.out.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def compare(bin_size: int, changes: int, naive: int, samples: int) -> dict[str, str]:
    """Time both ways on one window; return milliseconds a change, the ratio, and the largest difference."""
    torch.manual_seed(0)
    task = Regression(["signal"], "beta-nll")
    net = genomic_unet(task.channels, bin_size)
    model = Model(fuse_layers(net.eval()), task, net.unet.geometry)
    codes = np.random.default_rng(0).integers(0, 4, BINS * bin_size).astype(np.uint8)
    counted = np.zeros(BINS, dtype=bool)
    counted[48:-48] = True
    middle = BINS * bin_size // 2
    places = list(range(middle, middle + changes))
    fast = Saturation(model, torch.device("cpu"), counted, samples)
    times: dict[str, list[float]] = {"fast": [], "naive": []}
    for _ in range(ROUNDS):
        began = time.perf_counter()
        found = fast.changes(codes, places)
        times["fast"].append((time.perf_counter() - began) / (3 * changes))
        began = time.perf_counter()
        expected = predict_each(model, codes, places[:naive], counted, samples)
        times["naive"].append((time.perf_counter() - began) / (3 * naive))
    shortest = {name: min(values) for name, values in times.items()}
    difference = float(np.abs(found[..., :naive] - expected).max())
    return {
        "bin_size": str(bin_size),
        "samples": str(samples),
        "naive_ms": f"{1e3 * shortest['naive']:.2f}",
        "fast_ms": f"{1e3 * shortest['fast']:.3f}",
        "ratio": f"{shortest['naive'] / shortest['fast']:.1f}",
        "largest_difference": f"{difference:.1e}",
        "largest_change": f"{float(np.abs(expected).max()):.1e}",
    }


def predict_each(model: Model, codes: Codes, places: list[int], counted: np.ndarray, samples: int) -> np.ndarray:
    """Predict each changed window whole, in batches of three; return changes as ``Saturation.changes`` does.

    The window as it is is predicted outside of what is timed by change: it is one of 3 n + 1.
    """
    reference = sums(model, codes[None], counted, samples)
    found = np.zeros((*reference.shape[:2], 4, len(places)))
    for column, place in enumerate(places):
        letters = [letter for letter in range(4) if letter != codes[place]]
        changed = np.repeat(codes[None], 3, axis=0)
        changed[np.arange(3), place] = letters
        found[:, :, letters, column] = sums(model, changed, counted, samples) - reference
    return found


def sums(model: Model, windows: np.ndarray, counted: np.ndarray, samples: int) -> np.ndarray:
    """Return the sum of each sample over the counted bins, ``(samples, tracks, windows)``."""
    kept: dict[int, np.ndarray] = {}
    field = torch.from_numpy(np.stack([one_hot(codes) for codes in windows]))

    def keep(t: int, mean: torch.Tensor) -> None:
        kept[t] = mean[..., torch.from_numpy(counted)].double().sum(dim=2).T.numpy()

    predict_field(model.net, model.task, model.geometry, field, samples, 0, keep)
    return np.stack([kept[t] for t in sorted(kept)])


if __name__ == "__main__":
    main()
