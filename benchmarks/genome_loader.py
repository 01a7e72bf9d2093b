"""Windows of 131 kb that one process draws for training, a second: as codes, and one-hot as before.

    python benchmarks/genome_loader.py [--bases 50000000] [--windows 100]

A synthetic chromosome lies in a file of codes, as those of a large FASTA file do in the cache. Windows are drawn with a
random half of them turned, with 5 % of the bases mutated and without, with no track and with one (bins of 128). Times
are those of the process, by turns, the best of thirty.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from multiunet_cli.heap import keep_large_blocks

from multiunet.domains.genome.bases import MappedBases
from multiunet.domains.genome.dataset import Windowing, Windows
from multiunet.domains.genome.sequence import one_hot
from multiunet.geometries import Grid
from multiunet.seeds import generator
from multiunet.training.data import Sample
from multiunet.training.loader import EpochSampler, make_loader

BIN, BINS = 128, 1024
COMPLEMENT = np.array([3, 2, 1, 0, 4], dtype=np.uint8)


def draw_codes(data: Windows, count: int) -> None:
    """Draw so many windows as they are drawn in training."""
    for place in range(count):
        data.draw(place % len(data), generator("draw", 0, 0, place))


def draw_one_hot(data: Windows, count: int) -> None:
    """Draw windows as it was done before: drawn places and bases, a table of complements, one-hot floats."""
    w, bins = data.windowing, data.targets["chr"].shape[1]
    for place in range(count):
        rng = generator("draw", 0, 0, place)
        codes, target = data.window("chr", int(rng.integers(0, bins - w.bins)) * w.bin_size)
        if w.mutation_rate:
            places = rng.integers(0, len(codes), size=rng.binomial(len(codes), w.mutation_rate))
            places = places[codes[places] < 4]
            codes = codes.copy()
            codes[places] = rng.integers(0, 4, size=len(places), dtype=np.uint8)
        if rng.random() < 0.5:
            codes, target = COMPLEMENT[codes[::-1]], target[list(w.strand_pair), ::-1]
        Sample(torch.from_numpy(one_hot(codes))[None], torch.from_numpy(np.ascontiguousarray(target))[None])


def load(data: Windows, count: int) -> None:
    """Load windows in batches of four, as the training loop does."""
    loader = make_loader(data, Grid(1), EpochSampler(len(data), 4, count // 4, 0), 0, 0)
    for _ in loader:
        pass


WAYS = {"codes": draw_codes, "batches of codes": load, "one-hot, as before": draw_one_hot}


def main() -> None:
    """Draw windows in several ways, and print how many a second."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bases", type=int, default=50_000_000)
    parser.add_argument("--windows", type=int, default=100)
    args = parser.parse_args()
    torch.set_num_threads(1)
    keep_large_blocks()  # as the command line does
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "codes"
        rng.integers(0, 4, size=args.bases, dtype=np.uint8).tofile(file)
        codes = {"chr": MappedBases(file, 0, args.bases)}
        ways: dict[str, Callable[[int], None]] = {}
        for tracks in (0, 1):
            values = rng.normal(size=(tracks, -(-args.bases // BIN))).astype(np.float32)
            for rate in (0.0, 0.05):
                windowing = Windowing(BIN, BINS, 3 * BINS // 16, tuple(range(tracks)), rate)
                data = Windows(codes, {"chr": values}, windowing)
                for name, way in (
                    ("codes", draw_codes),
                    ("batches of codes", load),
                    ("one-hot, as before", draw_one_hot),
                ):
                    ways[f"{name:<18} {tracks} tracks, mutation {rate:.2f}"] = lambda n, w=way, d=data: w(d, n)
        best = dict.fromkeys(ways, float("inf"))
        for _ in range(30):
            for name, run in ways.items():
                started = time.process_time()
                run(args.windows)
                best[name] = min(best[name], time.process_time() - started)
        for name, seconds in best.items():
            print(f"{name}: {args.windows / seconds:>8,.0f} windows a second")


if __name__ == "__main__":
    main()
