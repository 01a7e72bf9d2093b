"""Does attention pay, on the same clock, and what does a step with it cost?

- ``step``: processor time of a training step of the default network of images (four patches of 256 x 256, bf16 where
  the hardware computes in it), with attention at its coarsest level over that without.
- ``super_alloy`` (Super1), ``uhcs`` (fold 5), ``yeast`` (replication timing, bins of 1 kb), ``cora`` (public split):
  the defaults of ``multiunet train`` (convolutions), the same with ``--attention window`` and ``--attention full``
  (hybrids; graphs have ``full``), and for images ``--model swin_unetr``. Convolutions train for their default epochs,
  or a ``--share`` of them; each other one for as many as take the same seconds, from what its epochs took in a short
  run before. Seconds are those of epochs, validation included; start is left out, and nothing is calibrated. Scores
  are those of a single pass, of images of its four mirrored views.

    python benchmarks/attention.py [step super_alloy uhcs yeast cora] [--seeds 0 1 2] [--share 0.25] [--runs FOLDER]

With ``--runs`` runs are kept there, and what is done is not trained again. Reads MULTIUNET_DATA (default
../shared/data beside the checkout); adds to benchmarks/results/attention.json, and prints one line a run. Run it on an
idle machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from micrographs import DATA, epoch_seconds, multiunet, super_alloy, uhcs

from multiunet.device import computes_bf16
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.network import build_network
from multiunet.training.run_folder import environment

RESULTS = Path(__file__).parent / "results" / "attention.json"

Words = list[Any]
VARIANTS: dict[str, dict[str, Words]] = {
    "image": {
        "convolutions": [],
        "window": ["--attention", "window"],
        "full": ["--attention", "full"],
        "swin": ["--model", "swin_unetr"],
    },
    "genome": {"convolutions": [], "window": ["--attention", "window"], "full": ["--attention", "full"]},
    "graph": {"convolutions": [], "full": ["--attention", "full"]},
}
EPOCHS = {"image": 84, "genome": 30, "graph": 200}
"""Defaults of the commands."""

SCORES = {"image": ("micro_iou", "mean_iou"), "genome": ("pearson_r",), "graph": ("accuracy",)}


def words_of(name: str, folder: Path) -> tuple[str, Words]:
    """The domain of a data set, and the words that train on it."""
    if name == "super_alloy":
        return "image", super_alloy("Super1")
    if name == "uhcs":
        return "image", uhcs(5, folder)
    if name == "cora":
        return "graph", ["--graph", DATA / "graphs/cora.npz"]
    source = DATA / "yeast"
    files = ["--fasta", source / "sacCer3.fa.gz", "--targets", source / "replication_timing_1kb.bedGraph"]
    split = ["--val-chroms", "chrII,chrX", "--test-chroms", "chrI,chrIV,chrXVI", "--bin-size", 1000]
    return "genome", [*files, *split]


def train(domain: str, words: Words, epochs: int, seed: int, run: Path) -> list[float]:
    """Trains for so many epochs, unless that is done; the seconds that each took."""
    own = ["--epochs", epochs, "--seed", seed, "--no-calibrate", "--out", run, "--resume", "auto"]
    multiunet("train", domain, *words, *own)
    return epoch_seconds(run)


def count_epochs(domain: str, words: Words, limit: float, epochs: int, folder: Path) -> int:
    """How many epochs take ``limit`` seconds, in which convolutions train for ``epochs``."""
    first, *rest = train(domain, words, 3 + epochs // 20, 0, folder / "short")
    return max(1, 1 + round((limit - first) / statistics.mean(rest)))


def score(domain: str, run: Path) -> dict[str, Any]:
    """What ``evaluate`` says of validation and test."""
    found = {}
    for split in ("val", "test"):
        report = json.loads(multiunet("evaluate", domain, "--run", run, "--split", split, "--samples", 1, "--json"))
        found[split] = {key: report["metrics"][key] for key in SCORES[domain]}
    return found


def compare(name: str, seeds: list[int], share: float, folder: Path) -> dict[str, Any]:
    """All variants on one data set: epochs, seconds and scores by seed, and means over the seeds."""
    folder.mkdir(parents=True, exist_ok=True)
    domain, words = words_of(name, folder)
    rows: dict[str, Any] = {}
    limit, alone = 0.0, max(1, round(share * EPOCHS[domain]))
    epochs = alone
    for variant, more in VARIANTS[domain].items():
        if variant != "convolutions":
            epochs = count_epochs(domain, [*words, *more], limit, alone, folder / variant)
        runs: dict[str, Any] = {}
        for seed in seeds:
            run = folder / variant / f"seed-{seed}"
            seconds = sum(train(domain, [*words, *more], epochs, seed, run))
            runs[str(seed)] = {"seconds": round(seconds, 1), **score(domain, run)}
            print(name, variant, seed, json.dumps(runs[str(seed)]), flush=True)
        limit = limit or statistics.mean(row["seconds"] for row in runs.values())
        means = {key: statistics.mean(row["test"][key] for row in runs.values()) for key in SCORES[domain]}
        rows[variant] = {"epochs": epochs, "seeds": runs, "test": means}
    return rows


def measure_steps(repeats: int = 7) -> dict[str, Any]:
    """Processor time of a step by variant, the least of several, taken in turn, and over that of convolutions."""
    kinds = ("none", "window", "full")
    nets = {kind: build_network(_settings(kind), 2, 1, 3, [(2, 2)] * 4).train() for kind in kinds}
    x = torch.randn(4, 1, 256, 256).to(memory_format=torch.channels_last)
    least = dict.fromkeys(kinds, float("inf"))
    for _ in range(repeats + 1):  # the first one warms up
        for kind, net in nets.items():
            started = time.process_time()
            with torch.autocast("cpu", torch.bfloat16, enabled=computes_bf16(torch.device("cpu"))):
                output = net(x)
            output.float().square().mean().backward()
            net.zero_grad()
            least[kind] = min(least[kind], time.process_time() - started)
    return {
        kind: {
            "milliseconds": round(1000 * least[kind]),
            "ratio": round(least[kind] / least["none"], 3),
            "parameters": sum(p.numel() for p in nets[kind].parameters()),
        }
        for kind in kinds
    }


def _settings(attention: str) -> ImageTrain:
    return ImageTrain(images=Path(), masks=Path(), attention=attention)  # type: ignore[arg-type]


def main() -> None:
    """Measures what is chosen and keeps the other results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["step", "super_alloy", "uhcs", "yeast", "cora"])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--share", type=float, default=1.0, help="of the default epochs, for shorter trainings")
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    for name in options.names:
        if name == "step":
            found = measure_steps()
        else:
            with tempfile.TemporaryDirectory() as place:
                found = compare(name, options.seeds, options.share, (options.runs or Path(place)).absolute() / name)
        results = json.loads(options.results.read_text()) if options.results.exists() else {}
        results[name] = {"variants": found, "machine": environment()}
        options.results.write_text(json.dumps(results, indent=1) + "\n")
        print(name, json.dumps(found, indent=1), flush=True)


if __name__ == "__main__":
    main()
