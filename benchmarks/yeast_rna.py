"""RNA coverage of yeast by strand, from sequence: a network beside GC content and the distance to the next gene.

The two strands are a pair; each bin of 75 bases is learnt as log(1 + coverage). Chromosome IV trains, II validates and
XVI is tested: the only ones in the data. The distance is that from a bin's middle to the nearest open reading frame of
SGD's table on the track's strand, 0 within one: a line on its logarithm, fitted to chromosome IV. It is told where the
genes are, the network is not.

    python benchmarks/yeast_rna.py --data DATA/yeast --runs RUNS [--seeds 1]

A run that is there already is not trained again. Writes benchmarks/results/yeast_rna.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import multiunet
from multiunet.domains.genome.annotation.sgd import read
from multiunet.domains.genome.config import GenomeEvaluate
from multiunet.domains.runs import load
from multiunet.domains.unpack import iter_lines
from multiunet.metrics.correlation import pearson
from multiunet.training.run_folder import environment

RESULTS = Path(__file__).parent / "results" / "yeast_rna.json"
BIN = 75
TRACKS = {"RNA.fwd": "+", "RNA.rev": "-"}
CHROMS = {"chrII": "2", "chrIV": "4", "chrXVI": "16"}
"""Names in the FASTA file, and in SGD's table."""

SETTINGS: Mapping[str, Any] = {
    "bin_size": BIN,
    "transform": "log1p",
    "strand_pairs": ["RNA.fwd:RNA.rev"],
    "val_chroms": ["chrII"],
    "test_chroms": ["chrXVI"],
    "epochs": 30,
    "validate_every": 5,
    "calibrate": False,
}


def train(data: Path, folder: Path, seed: int) -> float:
    """Train a run; return its CPU seconds, 0 where it is there already."""
    if (folder / "STATUS").is_file() and (folder / "STATUS").read_text().strip() == "done":
        return 0.0
    others = [line.split("\t")[0] for line in (data / "sacCer3.fa.gz.fai").read_text().splitlines()]
    given = {
        "fasta": data / "sacCer3.fa.gz",
        "targets": [data / "coverage" / f"{name}.bw" for name in TRACKS],
        "exclude_chroms": [name for name in others if name not in CHROMS],
        "seed": seed,
    }
    begin = time.process_time()
    multiunet.train("genome", {**SETTINGS, **given}, folder, resume="auto")
    return time.process_time() - begin


def measure_distances(data: Path, chrom: str, strand: str, bins: int) -> NDArray[np.float64]:
    """Return log(1 + bases from each bin's middle to the nearest frame on a strand), ``(bins,)``."""
    path = data / "SGD_features_170331.tab.gz"
    found = read(path, ((number, line) for number, line in iter_lines(path) if line))
    middles = (np.arange(bins) + 0.5) * BIN
    nearest = np.full(bins, np.inf)
    for one in found.features:
        if (one.chrom, one.type, one.strand) == (CHROMS[chrom], "ORF", strand) and "Dubious" not in one.words:
            nearest = np.minimum(nearest, np.maximum(0, np.maximum(one.start - middles, middles - one.end)))
    return np.log1p(nearest)


def score_distance(data: Path, folder: Path) -> list[float | None]:
    """Return the correlation of each track with a line on the distance to the next gene."""
    run = load(folder)
    truth = {}
    for split in ("train", "test"):
        labelled = run.domain.read(run.config, run.info, GenomeEvaluate(split=split, samples=1))
        truth |= {chrom: target for chrom, (_, target) in labelled.items.items()}
    scores = []
    for track, strand in enumerate(TRACKS.values()):
        near = {chrom: measure_distances(data, chrom, strand, truth[chrom].shape[1]) for chrom in ("chrIV", "chrXVI")}
        known = {chrom: np.isfinite(truth[chrom][track]) for chrom in near}
        slope, start = np.polyfit(near["chrIV"][known["chrIV"]], truth["chrIV"][track][known["chrIV"]], 1)
        told = start + slope * near["chrXVI"][known["chrXVI"]]
        scores.append(pearson(told, truth["chrXVI"][track][known["chrXVI"]].astype(np.float64)))
    return scores


def main() -> None:
    """Train, score and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows: dict[str, list[float | None]] = {}
    seconds = []
    for seed in range(given.seeds):
        folder = given.runs / f"seed-{seed}"
        seconds.append(train(given.data, folder, seed))
        report = multiunet.evaluate(folder, GenomeEvaluate(samples=1))
        rows[f"seed {seed}"] = [one["pearson_r"] for one in report.metrics["per_track"]]
        if seed == 0:
            for name, scores in report.baselines.items():
                rows[name] = [one["pearson_r"] for one in scores["per_track"]]
            rows["distance_to_gene"] = score_distance(given.data, folder)
    result = {"settings": SETTINGS, "environment": environment(), "cpu_seconds_of_training": seconds, "pearson_r": rows}
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    for name, scores in rows.items():
        print(name, scores)


if __name__ == "__main__":
    main()
