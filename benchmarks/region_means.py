"""Do the intervals of ``multiunet measure genome`` hold the true means over regions of held-out chromosomes?

The folds of a cross-validation each predict their test chromosomes. Intervals are fitted to what the folds validated
on, without the chromosomes that are tested, as ``multiunet calibrate`` does it. Regions of a length follow each other
without a gap; one counts if half of its bins were measured.

    multiunet train genome --fasta sacCer3.fa.gz --targets replication_timing_1kb.bedGraph --bin-size 1000 \
        --folds 5 --out yeast
    python benchmarks/region_means.py --runs yeast [--samples 16]

Writes benchmarks/results/region_means.json.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from multiunet.domains.collected import Collected, collect
from multiunet.domains.runs import Run, folds_in, load
from multiunet.training.run_folder import environment
from multiunet.uncertainty.sums import Totals

RESULTS = Path(__file__).parent / "results" / "region_means.json"
LENGTHS = (1, 3, 10, 30, 100)
"""Bins of the regions."""


def regions_of(mean: np.ndarray, variance: np.ndarray, target: np.ndarray, length: int) -> tuple[Totals, np.ndarray]:
    """Sums of each region, ``(regions, tracks)``, over its measured bins; and the true ones."""
    count = mean.shape[1] // length
    cut = [part[:, : count * length].reshape(len(part), count, length) for part in (mean, variance, target)]
    known = np.isfinite(cut[0]) & np.isfinite(cut[2])
    sums = [np.where(known, part, 0).sum(axis=-1).T for part in (known, *cut)]
    enough = 2 * sums[0][:, 0] >= length
    sites, stated, spread, true = (part[enough].astype(float) for part in sums)
    return Totals(sites, stated, spread), true


def test_fold(fold: Run, pooled: Collected, options: Any) -> list[dict[str, Any]]:
    """A row for each region of each test chromosome of a fold."""
    rest = pooled.without(list(fold.info.split.test))
    calibration = fold.task.fit_calibration(rest.sites)
    sums = rest.fit_sums(calibration, fold.info.groups())["sites"]
    data = fold.domain.read(fold.config, fold.info, options)
    model = replace(fold.model, calibration=calibration)
    rows = []
    for piece in fold.domain.predict_sites(model, fold.config, fold.info, data, options):
        mean, total, target = (
            part[0].double().numpy() for part in (piece.moments.mean, piece.moments.total, piece.target)
        )
        for length in LENGTHS:
            totals, true = regions_of(mean, total, target, length)
            found, naive = sums.each(totals), np.sqrt(totals.variance)
            rows += [
                {"chrom": piece.item, "length": length, "error": e, "sd": sd, "half": half, "independent_sd": alone}
                for e, sd, half, alone in zip(
                    ((totals.mean - true) / totals.sites)[:, 0].tolist(),
                    (found.deviation / totals.sites)[:, 0].tolist(),
                    ((found.high - found.low) / 2 / totals.sites)[:, 0].tolist(),
                    (naive / totals.sites)[:, 0].tolist(),
                )
            ]
    return rows


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """How often 90% intervals hold the truth, and how large errors are in stated deviations."""
    error, sd, half, alone = (np.array([row[key] for row in rows]) for key in ("error", "sd", "half", "independent_sd"))
    held = np.abs(error) <= half
    chroms = np.array([row["chrom"] for row in rows])
    by_chromosome = {str(chrom): float(held[chroms == chrom].mean()) for chrom in np.unique(chroms)}
    worst = min(by_chromosome, key=lambda chrom: by_chromosome[chrom])
    return {
        "regions": len(rows),
        "coverage_90": float(np.mean(list(by_chromosome.values()))),
        "worst_chromosome": worst,
        "coverage_90_of_worst": by_chromosome[worst],
        "regions_of_worst": int((chroms == worst).sum()),
        "rms_of_stated": float(np.sqrt(np.mean((error / sd) ** 2))),
        "rms_of_independent_bins": float(np.sqrt(np.mean((error / alone) ** 2))),
        "mean_width": float(2 * half.mean()),
    }


def main() -> None:
    """Compare and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=16)
    chosen = parser.parse_args()
    folds = [load(run) for run in folds_in(chosen.runs)]
    settings = {"samples": chosen.samples}
    validation, test = (folds[0].spec.evaluate(**settings, split=split) for split in ("val", "test"))
    held_out = [collect(fold, fold.domain.read(fold.config, fold.info, validation), validation) for fold in folds]
    pooled = Collected.join(held_out)
    rows = [row for fold in folds for row in test_fold(fold, pooled, test)]
    lengths = {str(length): summary([row for row in rows if row["length"] == length]) for length in LENGTHS}
    results = {"folds": len(folds), "samples": chosen.samples, "bins": lengths}
    RESULTS.write_text(json.dumps({**results, "machine": environment()}, indent=1) + "\n")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
