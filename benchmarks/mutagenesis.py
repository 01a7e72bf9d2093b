"""How much faster mutagenesis is than predicting each changed window whole, at the same result.

    python benchmarks/mutagenesis.py [--changes 48] [--naive 2] [--rounds 3]

Networks are those that `train genome` makes by default, untrained (weights change nothing in the cost), in windows as
long as those of training: 256 bins. Both ways run in turn, on one thread; ratios are of the shortest processor times a
change. Writes benchmarks/results/mutagenesis.json.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from multiunet.domains.genome.mutagenesis.saturation import Saturation
from multiunet.domains.genome.sequence import Codes, one_hot
from multiunet.domains.model import Model
from multiunet.geometries.grid.fuse import fuse_layers
from multiunet.models.genomic import genomic_unet
from multiunet.prediction.field import predict_field
from multiunet.tasks import Regression
from multiunet.training.run_folder import environment

RESULTS = Path(__file__).parent / "results" / "mutagenesis.json"
BINS = 256
CASES = ((128, 1), (128, 16), (1000, 1), (1000, 16))
"""Bases a bin, and Monte-Carlo samples."""
DIFFERENCE = "largest_difference"


def main() -> None:
    """Measure all cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=48, help="bases that the fast way changes, each into three")
    parser.add_argument("--naive", type=int, default=2, help="bases that the naive way changes")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    results: dict[str, Any] = {"machine": environment(), "rounds": given.rounds}
    for size, samples in CASES:
        name = f"bins of {size}, {samples} samples"
        results[name] = compare(size, given.changes, given.naive, samples, given.rounds)
        print(name, results[name], flush=True)
    results["largest_difference_in_64_bits"] = compare(*CASES[1][:1], 4, 2, CASES[1][1], 1, double=True)[DIFFERENCE]
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def compare(
    bin_size: int, changes: int, naive: int, samples: int, rounds: int, double: bool = False
) -> dict[str, float]:
    """Time both ways on one window; return milliseconds a change, their ratio, and the largest difference."""
    torch.manual_seed(0)
    task = Regression(["signal"], "beta-nll")
    net = genomic_unet(task.channels, bin_size)
    model = Model(fuse_layers(net.eval()), task, net.unet.geometry)
    if double:
        model.net.double()
    codes = np.random.default_rng(0).integers(0, 4, BINS * bin_size).astype(np.uint8)
    counted = np.zeros(BINS, dtype=bool)
    counted[48:-48] = True
    middle = BINS * bin_size // 2
    places = list(range(middle, middle + changes))
    fast = Saturation(model, torch.device("cpu"), counted, samples)
    times: dict[str, list[float]] = {"fast": [], "naive": []}
    for _ in range(rounds):
        began = time.process_time()
        found = fast.changes(codes, places)
        times["fast"].append((time.process_time() - began) / (3 * changes))
        began = time.process_time()
        expected = predict_each(model, codes, places[:naive], counted, samples)
        times["naive"].append((time.process_time() - began) / (3 * naive))
    shortest = {name: min(values) for name, values in times.items()}
    difference = float(np.abs(found[..., :naive] - expected).max())
    return {
        "naive_milliseconds": round(1e3 * shortest["naive"], 2),
        "fast_milliseconds": round(1e3 * shortest["fast"], 3),
        "ratio": round(shortest["naive"] / shortest["fast"], 1),
        DIFFERENCE: difference,
        "largest_change": float(np.abs(expected).max()),
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
    field = torch.from_numpy(np.stack([one_hot(codes) for codes in windows])).to(next(model.net.parameters()))

    def keep(t: int, mean: torch.Tensor) -> None:
        kept[t] = mean[..., torch.from_numpy(counted)].double().sum(dim=2).T.numpy()

    predict_field(model.net, model.task, model.geometry, field, samples, 0, keep)
    return np.stack([kept[t] for t in sorted(kept)])


if __name__ == "__main__":
    main()
