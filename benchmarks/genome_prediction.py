"""Prediction of whole chromosomes: its share of the bare network's throughput, and its memory by a chromosome's size.

    python benchmarks/genome_prediction.py [--bases 12000000 200000000] [--bin-size 128] [--samples 1]

Each size is a random chromosome in a plain FASTA file, predicted in a process of its own by an untrained network of the
default size into a Zarr store. The bare network reads as many bases of codes, tile by tile, and keeps nothing. Times
are those of the process on one thread; memory is the most that was resident.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from multiunet_cli.heap import keep_large_blocks

from multiunet.domains.genome.bases import stretches
from multiunet.domains.genome.chromosomes import Chromosomes
from multiunet.domains.genome.fasta import read_fasta
from multiunet.geometries.grid.fuse import fuse_layers
from multiunet.models.genomic import genomic_unet
from multiunet.prediction import GridPredictor, PredictionStore
from multiunet.tasks import Regression

TILE = 1 << 20
"""Bases of a tile, so that both sizes have several."""


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


def predict(folder: Path, bin_size: int, samples: int) -> dict[str, float]:
    """Predict the chromosome of a folder; return seconds, those of the bare network, and megabytes."""
    keep_large_blocks()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    task = Regression(["a"], "beta-nll")
    net = fuse_layers(genomic_unet(task.channels, bin_size).eval())
    predictor = GridPredictor(net, task, net.unet.geometry, torch.device("cpu"), sites=TILE)
    genome = read_fasta(folder / "x.fa")
    started = time.process_time()
    for _ in stretches(genome.open("chr")):  # checks its letters, as the command does
        pass
    with PredictionStore(folder / "p.zarr") as store:
        Chromosomes(predictor, bin_size, 64).into(store, "chr", genome.open("chr"), genome.path, samples, 0)
    seconds = time.process_time() - started
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started, length = time.process_time(), TILE // bin_size * bin_size
    for _ in range(max(1, genome.lengths["chr"] // length)):
        codes = torch.randint(0, 4, (1, 1, length), dtype=torch.uint8)
        with torch.no_grad():
            net(codes)
    bare = (time.process_time() - started) * genome.lengths["chr"] / (length * max(1, genome.lengths["chr"] // length))
    return {"seconds": seconds, "bare": bare, "megabytes": most}


def main() -> None:
    """Predict each size in a process of its own, and print seconds, share and memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bases", type=int, nargs="+", default=[12_000_000, 200_000_000])
    parser.add_argument("--bin-size", type=int, default=128)
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.folder is not None:
        print(json.dumps(predict(args.folder, args.bin_size, args.samples)))
        return
    for bases in args.bases:
        with tempfile.TemporaryDirectory() as folder:
            write_fasta(Path(folder) / "x.fa", bases)
            options = ["--folder", folder, "--bin-size", str(args.bin_size), "--samples", str(args.samples)]
            done = subprocess.run([sys.executable, __file__, *options], check=True, capture_output=True, text=True)
            found = json.loads(done.stdout)
        share = found["bare"] / found["seconds"]
        print(
            f"{bases:,} bases: {found['seconds']:.1f} s, {share:.0%} of the bare network's throughput; "
            f"{found['megabytes']:.0f} MB at most",
            flush=True,
        )


if __name__ == "__main__":
    main()
