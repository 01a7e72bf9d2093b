"""Prediction of whole chromosomes: its share of the bare network's throughput, and its memory.

    python benchmarks/genome_prediction.py [--genomes yeast 12000000 200000000] [--bin-size 128] [--rounds 5]

A genome is that of yeast, or one random chromosome of so many bases in a plain FASTA file. Each is predicted in a
process of its own by an untrained network of the default size into a Zarr store, and read once before, as the command
does to check its letters. The bare network reads the same bases as tensors, tile by tile without what lies beside them,
and keeps nothing. Both take turns; times are those of the process on one thread, and a share is the median of the
rounds after the first, which loads code and touches memory for both; that of the first is given, too. Memory is the
most that was resident. Writes benchmarks/results/genome_prediction.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from multiunet_cli.heap import keep_large_blocks
from torch import Tensor, nn

from multiunet.domains.genome.bases import stretches
from multiunet.domains.genome.chromosomes import Chromosomes
from multiunet.domains.genome.fasta import read_fasta
from multiunet.domains.genome.sequence import Genome, cut
from multiunet.geometries.grid.fuse import fuse_layers
from multiunet.models.genomic import genomic_unet
from multiunet.prediction import GridPredictor, PredictionStore
from multiunet.tasks import Regression
from multiunet.training.run_folder import environment

RESULTS = Path(__file__).parent / "results" / "genome_prediction.json"
TILE = 1 << 20
"""Bases of a tile, so that chromosomes of several megabases have several."""
FLANK = 64
"""Bins of unknown bases beyond the ends, a quarter of the default window."""


def write_fasta(path: Path, bases: int) -> None:
    """Write one random chromosome, in lines of 80."""
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(b">chr\n")
        for first in range(0, bases, 80 * 50_000):
            letters = np.frombuffer(b"ACGT", np.uint8)[rng.integers(0, 4, size=min(80 * 50_000, bases - first))]
            lines = np.full((-(-len(letters) // 80), 81), ord("\n"), dtype=np.uint8)
            lines[:, :80].flat[: len(letters)] = letters
            file.write(lines.tobytes())


def cut_tiles(genome: Genome, bin_size: int) -> list[Tensor]:
    """Return all bases as tiles ``(1, 1, bases)``, those of a chromosome of about one length."""
    found = []
    for name, length in genome.lengths.items():
        bins = -(-length // bin_size)
        side = -(-bins // -(-bins * bin_size // TILE)) * bin_size
        codes = genome.open(name)
        for start in range(0, bins * bin_size, side):
            found.append(torch.tensor(cut(codes, start, min(start + side, bins * bin_size)))[None, None])
    return found


def time_of(work: Callable[[], Any]) -> float:
    """Return the seconds that the processor works."""
    started = time.process_time()
    work()
    return time.process_time() - started


def predict(fasta: Path, folder: Path, bin_size: int, samples: int, rounds: int) -> dict[str, Any]:
    """Predict a genome by turns with the bare network; return seconds, shares, and megabytes."""
    keep_large_blocks()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    task = Regression(["a"], "beta-nll")
    net = fuse_layers(genomic_unet(task.channels, bin_size).eval())
    predictor = GridPredictor(net, task, net.unet.geometry, torch.device("cpu"), sites=TILE)
    genome = read_fasta(fasta)

    def whole() -> None:
        with PredictionStore(folder / "p.zarr", overwrite=True) as store:
            for name in genome.lengths:
                for _ in stretches(genome.open(name)):
                    pass
            for name in genome.lengths:
                chromosomes = Chromosomes(predictor, bin_size, FLANK)
                chromosomes.into(store, name, genome.open(name), genome.path, samples, 0)

    first = time_of(whole)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    tiles = cut_tiles(genome, bin_size)

    @torch.no_grad()
    def bare(net: nn.Module = net) -> None:
        for codes in tiles:
            net(codes)

    rows = [(first, time_of(bare))]
    rows += [(time_of(whole), time_of(bare)) for _ in range(rounds)]
    shares = [alone / taken for taken, alone in rows]
    return {
        "bases": sum(genome.lengths.values()),
        "seconds": [[round(value, 2) for value in row] for row in rows],
        "share_of_first": round(shares[0], 3),
        "share": round(statistics.median(shares[1:]), 3) if rounds else None,
        "megabytes": round(most),
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    """Predict each genome in a process of its own; print and write seconds, shares and memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--genomes", nargs="+", default=["yeast", "12000000", "200000000"])
    parser.add_argument("--bin-size", type=int, default=128)
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5, help="after the first")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    sizes = args.bin_size, args.samples, args.rounds
    if args.child is not None:
        (fasta,) = args.genomes
        print(json.dumps(predict(Path(fasta), args.child, *sizes)))
        return
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for genome in args.genomes:
        with tempfile.TemporaryDirectory() as folder:
            fasta = Path(os.environ.get("MULTIUNET_DATA", "data")) / "yeast" / "sacCer3.fa.gz"
            if genome != "yeast":
                write_fasta(fasta := Path(folder) / "x.fa", int(genome))
            options = ["--child", folder, "--genomes", fasta, "--bin-size", args.bin_size, "--samples", args.samples]
            words = [sys.executable, __file__, *options, "--rounds", args.rounds]
            done = subprocess.run(list(map(str, words)), check=True, stdout=subprocess.PIPE, text=True)
        name = f"{genome}, bins of {args.bin_size}, {args.samples} samples"
        results[name] = {**json.loads(done.stdout), "machine": environment()}
        print(name, json.dumps(results[name]), flush=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
