"""Comparison of what a network draws with and without an opponent.

Micrographs of super_alloy (Super1: 10 train, 4 validate, 4 test) with 4 times fewer pixels along each axis are brought
back to their size: by bicubic interpolation, by a network with the L1 loss, and by the same network, with the same
first weights, patches and steps, against an opponent (``multiunet train image --degrade down:4 --adversarial``).

Of the test images: PSNR (decibels, of a data range of 255), SSIM, sharpness (mean gradient over that of the truth),
``texture_match`` (1 less the mean difference of two-point correlations at 1, 2, 4, 8, 16 and 32 pixels), and these
themselves; each of a single pass without dropout, and of the mean of 16 Monte-Carlo samples, which ``predict`` gives by
default.

    python benchmarks/translation.py [--weights 0.1 1] [--seed 0] [--runs FOLDER] [-- --epochs 24]

With ``--runs`` runs are kept there, and what is done is not trained again. Reads MULTIUNET_DATA (default ../shared/data
beside the checkout); writes benchmarks/results/translation.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

from denoising import DOWN, files_of, write_table
from micrographs import Words, multiunet

from multiunet.training.run_folder import environment

RESULTS = Path(__file__).parent / "results" / "translation.json"
SETTINGS = ["--widths", "16,32,64,128", "--patch-size", "128", "--loss", "mae", "--no-tta-flips", "--no-calibrate"]
SCORES = ("psnr", "ssim", "sharpness", "texture_match", "autocorrelation_by", "true_autocorrelation_by")


def train(out: Path, words: Words) -> float | None:
    """Train a run; return the seconds of the processor, None where it was there already."""
    if (out / "STATUS").exists():
        return None
    started = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    multiunet("train", "image", *words, "--out", out)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - started


def evaluate(run: Path, samples: int) -> dict[str, Any]:
    """Score the test images."""
    report = multiunet("evaluate", "image", "--run", run, "--samples", samples, "--json")
    scored: dict[str, Any] = json.loads(report)
    return scored


def pick(scores: dict[str, Any]) -> dict[str, Any]:
    """Return the scores that are shown."""
    return {name: scores[name] for name in SCORES}


def main() -> None:
    """Train with and without an opponent, score, and write the results."""
    given = sys.argv[1:]
    at = given.index("--") if "--" in given else len(given)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=float, nargs="*", default=[0.1, 1.0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--results", type=Path, default=RESULTS)
    chosen, more = parser.parse_args(given[:at]), given[at + 1 :]
    with tempfile.TemporaryDirectory() as temporary:
        runs = chosen.runs or Path(temporary)
        runs.mkdir(parents=True, exist_ok=True)
        table = write_table(runs / "images.csv", files_of("super_alloy"))
        common = ["--images", table, "--degrade", f"down:{DOWN}", *SETTINGS, "--seed", chosen.seed, *more]
        ways: dict[str, Words] = {"without": []}
        ways |= {f"{weight:g}": ["--adversarial", "--adversarial-weight", weight] for weight in chosen.weights}
        found: dict[str, Any] = {}
        for name, words in ways.items():
            seconds = train(runs / name, [*common, *words])
            one, mean = (evaluate(runs / name, samples) for samples in (1, 16))
            found[name] = {"one_pass": pick(one["metrics"]), "mean_of_16": pick(mean["metrics"]), "seconds": seconds}
            found["bicubic"] = pick(one["baselines"]["bicubic"])
            print(name, json.dumps(found[name]))
        print("bicubic", json.dumps(found["bicubic"]))
    about = {"seed": chosen.seed, "words": [*SETTINGS, *more], "environment": environment()}
    chosen.results.write_text(json.dumps({**found, **about}, indent=1) + "\n")


if __name__ == "__main__":
    main()
