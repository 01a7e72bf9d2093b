"""Digits whose lower half is hidden, filled in: are they the digits, and does the spread of samples hold the truth?

A generator of digits that has learnt labels (see ``digits.py``) is trained for so many minutes of a processor. Of
held-out digits, as many of each class, the lower 14 of 28 rows are hidden and filled in 39 times: told the label, and
not told. Known sites are kept and each step is repeated (RePaint, Lugmayr et al. 2022).

Scores:

- the judge's accuracy on what is filled in, beside that on the whole real digits and on those with a black lower half;
- the largest change of a known pixel;
- coverage of a band of 90 %: from the second lowest to the second highest of the 39 samples, between which one more
  sample would be in 36 of 40 cases. Samples are rounded to the 256 grey levels that the digits have. Pixels are of two
  kinds: *open* ones, where the 39 samples are not all the same, and *settled* ones, almost all black. A true value that
  equals samples at the band's end is ranked among them at random, so that a band of true samples holds 90 %; beside it
  stands the share in the closed band, which ties with black make larger.

    python benchmarks/inpainting.py [--minutes 16] [--per-digit 3] [--steps 40] [--turns 3] [--runs DIR]

With ``--runs`` the trained network and a sheet are kept there, and a network that is there is not trained again. Adds
to benchmarks/results/inpainting.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from digits import Share, build_ours, score, share_digits, train, train_judge
from multiunet_cli.heap import keep_large_blocks
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from multiunet.core import Condition
from multiunet.device import computes_bf16
from multiunet.diffusion import EDM, Denoiser, Heun, Known, Preconditioned, Sampler, SiteNoise
from multiunet.domains.image.generation.contact_sheet import make_sheet
from multiunet.geometries import Grid
from multiunet.seeds import generator
from multiunet.training.run_folder import environment

RESULTS = Path(__file__).parent / "results" / "inpainting.json"
GRID = Grid(2)
SAMPLES, OUTSIDE = 39, 1
"""Samples of each digit, and how many of them lie on either side of the band: 36 of 40 cases are between."""

HIDDEN_ROWS = 14


def make_network(own: Share, minutes: float, lr: float, seed: int, runs: Path) -> tuple[nn.Module, dict[str, Any]]:
    """Train the generator, or read the one that was trained; return it and what there is to say of its training."""
    torch.manual_seed(seed)
    net, kept = build_ours(), runs / f"generator-{minutes:g}-{seed}.safetensors"
    if not kept.exists():
        mean, deviation = own.digits.mean(), own.digits.std()
        clean = 0.5 * (own.digits - mean) / deviation
        seconds = 60 * minutes * torch.get_num_threads()
        averaged, steps = train(net, clean, own.labels, seconds, lr, seed)
        save_file(averaged.state_dict(), kept)
        kept.with_suffix(".json").write_text(json.dumps({"steps": steps, "processor_seconds": seconds}))
    net.load_state_dict(load_file(kept))
    return net.eval(), json.loads(kept.with_suffix(".json").read_text())


def fill(net: nn.Module, wanted: Share, given: argparse.Namespace, scale: tuple[float, float]) -> Tensor:
    """Return each digit filled in ``SAMPLES`` times, ``(SAMPLES, N, 1, 28, 28)``, not cut off at 0 and 1."""
    (digits, labels), (mean, deviation) = wanted, scale
    denoiser = Denoiser(net, Preconditioned(), GRID, null_class=True)
    known = torch.zeros(1, 1, 28, 28, dtype=torch.bool)
    known[:, :, :-HIDDEN_ROWS] = True
    values = 0.5 * (digits - mean) / deviation
    sampler = Sampler(EDM().sigmas(given.steps), Heun(), Known(values, known, turns=given.turns))
    made = []
    for number in range(SAMPLES):
        numbers = range(number * len(digits), (number + 1) * len(digits))
        noise = SiteNoise(GRID, given.seed).on(digits, numbers, 1)
        with torch.autocast("cpu", torch.bfloat16, enabled=computes_bf16(torch.device("cpu"))):
            made.append(sampler.run(denoiser.on(digits, Condition(labels=labels)), noise).float())
        print(f"sample {number + 1} of {SAMPLES}", flush=True)
    return torch.stack(made) / 0.5 * deviation + mean


def cover(samples: np.ndarray, truth: np.ndarray) -> dict[str, float | None]:
    """Return how often the band of samples ``(SAMPLES, pixels)`` holds the true value of a pixel, all as grey levels.

    ``coverage``: of open pixels, ties ranked at random; ``coverage_closed``: of open pixels, ends included;
    ``coverage_all_closed``: of all hidden pixels, ends included; ``open``: share of the pixels that are open;
    ``settled_right``: of settled pixels, the share that have the value that all samples have; None without such.
    """
    ordered = np.sort(samples, axis=0)
    low, high = ordered[OUTSIDE], ordered[-1 - OUTSIDE]
    is_open = ordered[0] != ordered[-1]
    held = (low <= truth) & (truth <= high)
    below, ties = (samples < truth).sum(0), (samples == truth).sum(0)
    rank = below + generator("ties", 0).integers(0, ties + 1)  # among 40 places, 0 to 39
    inside = (rank > OUTSIDE) & (rank < SAMPLES - OUTSIDE)
    return {
        "coverage": float(inside[is_open].mean()),
        "coverage_closed": float(held[is_open].mean()),
        "coverage_all_closed": float(held.mean()),
        "coverage_all": float(inside.mean()),
        "open": float(is_open.mean()),
        "settled_right": None if is_open.all() else float(held[~is_open].mean()),
        "mean_width": float((high - low)[is_open].mean()),
    }


def choose(held_out: Share, per_digit: int) -> Share:
    """Return the first digits of each class."""
    rows = torch.cat([torch.nonzero(held_out.labels == digit)[:per_digit, 0] for digit in range(10)])
    return Share(held_out.digits[rows], held_out.labels[rows])


def run(given: argparse.Namespace, runs: Path) -> dict[str, Any]:
    """Train, fill in, and score."""
    own, judged, held_out = share_digits()
    judge = train_judge(judged.digits, judged.labels)
    scale = float(own.digits.mean()), float(own.digits.std())
    net, about = make_network(own, given.minutes, given.lr, given.seed, runs)
    digits, labels = choose(held_out, given.per_digit)
    hidden = digits.clone()
    hidden[:, :, -HIDDEN_ROWS:] = 0
    with torch.no_grad():
        reference = judge.body(digits)
    found: dict[str, Any] = {"digits": len(digits), "samples": SAMPLES, "threads": torch.get_num_threads(), **about}
    found["accuracy_of_real"] = score(judge, digits, labels, reference)["accuracy"]
    found["accuracy_of_hidden"] = score(judge, hidden, labels, reference)["accuracy"]
    for name, told in (("told", labels), ("untold", torch.full_like(labels, -1))):
        began = time.process_time()
        made = fill(net, Share(digits, told), given, scale)
        changed = (made - digits)[..., :-HIDDEN_ROWS, :].abs().max()
        grey = (255 * made.clamp(0, 1)).round()
        pixels = (grey / 255).flatten(0, 1)
        samples, truth = grey[..., -HIDDEN_ROWS:, :].flatten(1).numpy(), (255 * digits).round()[..., -HIDDEN_ROWS:, :]
        found[name] = {
            "accuracy": score(judge, pixels, labels.repeat(SAMPLES), reference)["accuracy"],
            "known_changed": float(changed),
            **cover(samples, truth.flatten().numpy()),
            "sampling_processor_seconds": round(time.process_time() - began, 1),
        }
        print(name, json.dumps(found[name], indent=1), flush=True)
        show = range(0, len(digits), given.per_digit)
        rows = [[digits[n].numpy(), hidden[n].numpy(), *(made[k, n].numpy() for k in range(8))] for n in show]
        Image.fromarray(make_sheet(rows, 0.0, 1.0)).save(runs / f"inpainting-{name}.png")
    return found


def main() -> None:
    """Run, and add to the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=16.0, help="of training, of all threads")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--per-digit", type=int, default=3, help="held-out digits of each class")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=Path, default=None)
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    keep_large_blocks()
    with tempfile.TemporaryDirectory() as place:
        runs = given.runs or Path(place)
        runs.mkdir(parents=True, exist_ok=True)
        row = run(given, runs)
    print(json.dumps(row, indent=1))
    known = json.loads(given.results.read_text()) if given.results.exists() else {}
    known[f"{given.minutes:g} minutes, {given.steps} steps, {given.turns} turns, seed {given.seed}"] = row
    known["environment"] = environment()
    given.results.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
