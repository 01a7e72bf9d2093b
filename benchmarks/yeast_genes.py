"""Coding sequence of yeast, base by base: networks beside a scan for the longest open reading frames.

Classes are the coding sequence (CDS) of SGD's table on each strand, without dubious genes. Chromosomes II and X
validate; I, IV and XVI are tested. Each seed is a run with the defaults of ``--annotation``; the ensemble is the mean
of their probabilities. Intervals are of blocks of 50 kb that are drawn anew (bootstrap), the same for all methods.

    python benchmarks/yeast_genes.py --data DATA/yeast --runs RUNS [--seeds 3]

A run that is there already is not trained again. Writes benchmarks/results/yeast_genes.json.
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
from multiunet.domains.genome.config import GenomeEvaluate
from multiunet.domains.runs import load
from multiunet.tasks import LabelScore
from multiunet.training.run_folder import environment
from multiunet.uncertainty import Moments

RESULTS = Path(__file__).parent / "results" / "yeast_genes.json"
BLOCK = 50_000
DRAWS = 2_000
SETTINGS: Mapping[str, Any] = {
    "types": ["CDS"],
    "exclude_features": ["Dubious"],
    "exclude_chroms": ["Mito", "2-micron"],
    "val_chroms": ["chrII", "chrX"],
    "test_chroms": ["chrI", "chrIV", "chrXVI"],
    "validate_every": 5,
    "calibrate": False,
}

Predictions = dict[str, NDArray[np.float32]]
"""Probabilities ``(classes, bases)`` by chromosome."""


def train(data: Path, folder: Path, seed: int) -> float:
    """Train a run; return its CPU seconds, 0 where it is there already."""
    if (folder / "STATUS").is_file() and (folder / "STATUS").read_text().strip() == "done":
        return 0.0
    given = {"fasta": data / "sacCer3.fa.gz", "annotation": [data / "SGD_features_170331.tab.gz"], "seed": seed}
    begin = time.process_time()
    multiunet.train("genome", {**SETTINGS, **given}, folder, resume="auto")
    multiunet.calibrate(folder, {"samples": 1})
    return time.process_time() - begin


def predict(folder: Path) -> tuple[Predictions, Predictions]:
    """Return the probabilities of a run on its test chromosomes, dropout off, and the truth."""
    run, options = load(folder), GenomeEvaluate(samples=1)
    data = run.domain.read(run.config, run.info, options)
    told, truth = {}, {}
    for piece in run.domain.predict_labelled(run.model, run.config, run.info, data, options):
        told[str(piece.item)], truth[str(piece.item)] = piece.predicted[0].numpy(), piece.target[0].numpy()
    return told, truth


def scan(folder: Path) -> dict[str, Predictions]:
    """Return what the trivial methods say, fitted to the training chromosomes."""
    run, options = load(folder), GenomeEvaluate()
    data = run.domain.read(run.config, run.info, options)
    methods = run.domain.fit_baselines(run.task, run.config, run.info)
    return {
        name: {str(piece.item): np.asarray(piece.predicted[0], dtype=np.float32) for piece in method(data)}
        for name, method in methods.items()
    }


def score(told: Predictions, truth: Predictions, members: list[Predictions]) -> dict[str, Any]:
    """Return the scores of all chromosomes together; those of the uncertainty where there are members."""
    total = LabelScore(["CDS+", "CDS-"], -1)
    for chrom, p in told.items():
        mean = torch.from_numpy(p)[None]
        moments = None
        if members:
            spread = torch.from_numpy(np.var([own[chrom] for own in members], axis=0))[None]
            moments = Moments(mean, spread, mean * (1 - mean) - spread)
        total.add(mean, torch.from_numpy(truth[chrom])[None], moments)
    return total.result()


def count_blocks(told: Predictions, truth: Predictions) -> NDArray[np.int64]:
    """Return tn, fp, fn and tp of each block and class, ``(blocks, classes, 4)``."""
    rows = []
    for chrom, p in told.items():
        for first in range(0, p.shape[1], BLOCK):
            told_there, true = (part[:, first : first + BLOCK] > 0.5 for part in (p, truth[chrom]))
            known = ~np.isnan(truth[chrom][:, first : first + BLOCK])
            rows.append([np.bincount(2 * t[k] + q[k], minlength=4) for q, t, k in zip(told_there, true, known)])
    return np.array(rows)


def mcc(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Matthews' correlation of counts ``(..., 4)``."""
    tn, fp, fn, tp = np.moveaxis(counts.astype(np.float64), -1, 0)
    return (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))


def draw(blocks: Mapping[str, NDArray[np.int64]]) -> dict[str, Any]:
    """Return 95 % intervals of each method's MCC by class, and of its advantage over the scan."""
    rng, count = np.random.default_rng(0), len(blocks["longest_orf"])
    picks = rng.integers(0, count, size=(DRAWS, count))
    drawn = {name: mcc(np.stack([rows[pick].sum(axis=0) for pick in picks])) for name, rows in blocks.items()}
    return {
        name: {
            "mcc": mcc(blocks[name].sum(axis=0)).tolist(),
            "mcc_95": np.quantile(values, [0.025, 0.975], axis=0).T.tolist(),
            "above_scan_95": np.quantile(values - drawn["longest_orf"], [0.025, 0.975], axis=0).T.tolist(),
        }
        for name, values in drawn.items()
    }


def main() -> None:
    """Train, predict and score."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    folders = [given.runs / f"seed-{seed}" for seed in range(given.seeds)]
    seconds = [train(given.data, folder, seed) for seed, folder in enumerate(folders)]
    found = [predict(folder) for folder in folders]
    members, truth = [told for told, _ in found], found[0][1]
    methods = {f"seed {seed}": told for seed, told in enumerate(members)}
    methods["ensemble"] = {chrom: np.mean([told[chrom] for told in members], axis=0) for chrom in truth}
    methods["longest_orf"] = scan(folders[0])["longest_orf"]
    scores = {name: score(told, truth, members if name == "ensemble" else []) for name, told in methods.items()}
    intervals = draw({name: count_blocks(told, truth) for name, told in methods.items()})
    result = {
        "settings": SETTINGS,
        "environment": environment(),
        "cpu_seconds_of_training": seconds,
        "methods": {name: {**scores[name], **intervals[name]} for name in methods},
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    for name, one in intervals.items():
        print(name, one)


if __name__ == "__main__":
    main()
