"""Digits from noise: are they the digits asked for, and as diverse as real ones, after so many minutes of a processor?

Our network is that of ``train image --task generate --labels``: residual blocks, norms of each site's channels, widths
32, 64, 128. The peer is diffusers' ``UNet2DModel`` of the same widths, with two blocks a level and attention at the
coarsest one, its usual form. Both are trained in one loop on the same digits, with the same loss (Karras et al. 2022),
batch, optimiser and average of the weights, for the same processor time, and sampled by the same 18 steps of DPM++ 2M.

The 10 000 digits are shared out at random (seed 0): 6 500 train the generator, 2 500 train the judge, a small
convolutional classifier with random shifts, and 1 000 are held out. Scores are the judge's accuracy on 1 000 samples,
100 of each digit, and their Frechet distance to the generator's training digits in the judge's 64 features (Heusel et
al. 2017, eq. 6), of all and as a mean of thirds (few samples are farther away), beside the same of the held-out digits.

    python benchmarks/generation_mnist.py [--minutes 15] [--networks ours diffusers] [--seeds 0] [--sheets DIR]
        [--keep DIR]

Weights in the folder ``--keep`` are not trained again. diffusers is optional. Reads MULTIUNET_DATA (default
../shared/data beside the checkout); adds to benchmarks/results/generation_mnist.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from digits import WIDTHS, Judge, build_ours, score, share_digits, train, train_judge
from multiunet_cli.heap import keep_large_blocks
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_model, save_model
from torch import Tensor, nn

from multiunet.core import Condition
from multiunet.device import computes_bf16
from multiunet.diffusion import EDM, Denoiser, DPMSolver2M, Guidance, Preconditioned, Sampler, SiteNoise
from multiunet.domains.image.generation.contact_sheet import make_sheet
from multiunet.geometries import Grid
from multiunet.training.run_folder import environment

RESULTS = Path(__file__).parent / "results" / "generation_mnist.json"
STEPS = 18
GUIDANCE = {
    "guidance 1": Guidance(1.0),
    "guidance 1.25": Guidance(1.25),
    "guidance 1.5": Guidance(1.5),
    "guidance 2": Guidance(2.0),
    "guidance 2 at levels up to 2": Guidance(2.0, high=2.0),
    "guidance 3 at levels from 0.2 to 1": Guidance(3.0, low=0.2, high=1.0),
}
GRID = Grid(2)


class Peer(nn.Module):
    """diffusers' network, called as ours is."""

    reads_condition = ("noise", "labels")

    def __init__(self) -> None:
        from diffusers import UNet2DModel

        super().__init__()
        self.net = UNet2DModel(
            sample_size=28,
            in_channels=1,
            out_channels=1,
            block_out_channels=WIDTHS,
            down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
            norm_num_groups=8,
            num_class_embeds=11,
        )

    def forward(self, x: Tensor, condition: Condition) -> Tensor:
        """Return what the network predicts; its time steps, 0 to 1000, are the range of ``log(sigma) / 4``."""
        assert condition.noise is not None
        assert condition.labels is not None
        labels = condition.labels.where(condition.labels >= 0, 10)
        return self.net(x, 350 * (condition.noise + 1.6), class_labels=labels).sample


NETWORKS: dict[str, Callable[[], nn.Module]] = {"ours": build_ours, "diffusers": Peer}


def sample(net: nn.Module, guidance: Guidance, seed: int, count: int) -> tuple[Tensor, Tensor]:
    """Return so many samples of each digit, not yet scaled, and their labels."""
    labels = torch.arange(10).repeat_interleave(count)
    denoiser = Denoiser(net, Preconditioned(), GRID, null_class=True)
    sampler = Sampler(EDM().sigmas(STEPS), DPMSolver2M())
    made = []
    for first in range(0, len(labels), 250):
        told = labels[first : first + 250]
        field = torch.zeros(len(told), 1, 28, 28)
        noise = SiteNoise(GRID, seed).on(field, range(first, first + len(told)), 1)
        with torch.autocast("cpu", torch.bfloat16, enabled=computes_bf16(torch.device("cpu"))):
            made.append(sampler.run(denoiser.on(field, Condition(labels=told), guidance), noise))
    return torch.cat(made).float(), labels


def score_all(judge: Judge, digits: Tensor, labels: Tensor, reference: Tensor) -> dict[str, float]:
    """Return the scores of all digits, and the mean distance of thirds of them."""
    thirds = [score(judge, digits[first::3], labels[first::3], reference)["frechet"] for first in range(3)]
    return {**score(judge, digits, labels, reference), "frechet_of_a_third": sum(thirds) / 3}


def run(
    name: str, seed: int, minutes: float, lr: float, count: int, sheets: Path | None, keep: Path | None
) -> dict[str, Any]:
    """Train and score one network."""
    own, judged, held_out = share_digits()
    judge = train_judge(judged.digits, judged.labels)
    with torch.no_grad():
        reference = torch.cat([judge.body(part) for part in own.digits.split(500)])
    real = score_all(judge, held_out.digits, held_out.labels, reference)
    mean, deviation = own.digits.mean(), own.digits.std()
    torch.manual_seed(seed)
    net = NETWORKS[name]()
    seconds, clean = 60 * minutes * torch.get_num_threads(), 0.5 * (own.digits - mean) / deviation
    weights = None if keep is None else keep / f"{name}-{seed}-{minutes:g}.safetensors"
    if weights is not None and weights.exists():
        load_model(net, weights)
        with safe_open(weights, "pt") as file:
            averaged, steps = net, int(file.metadata()["steps"])
    else:
        averaged, steps = train(net, clean, own.labels, seconds, lr, seed)
        if weights is not None:
            weights.parent.mkdir(parents=True, exist_ok=True)
            save_model(averaged, weights, {"steps": str(steps)})
    found: dict[str, Any] = {}
    for words, guidance in GUIDANCE.items():
        made, told = sample(averaged.eval(), guidance, seed, count)
        pixels = (made / 0.5 * deviation + mean).clamp(0, 1)
        found[words] = score_all(judge, pixels, told, reference)
        if sheets is not None:
            sheets.mkdir(parents=True, exist_ok=True)
            rows = [[digit.numpy() for digit in pixels[count * n :][: min(count, 10)]] for n in range(10)]
            Image.fromarray(make_sheet(rows, 0.0, 1.0)).save(
                sheets / f"mnist-{name}-{seed}-{words.replace(' ', '-')}.png"
            )
    return {
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "minutes": minutes,
        "threads": torch.get_num_threads(),
        "steps": steps,
        "samples": 10 * count,
        "steps_per_processor_second": round(steps / seconds, 3),
        "held_out_digits": real,
        **found,
    }


def main() -> None:
    """Run what is asked for, and add it to the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=15.0, help="of all threads")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--per-digit", type=int, default=100, help="samples of each digit")
    parser.add_argument("--sheets", type=Path, default=None, help="folder for pictures of samples")
    parser.add_argument("--keep", type=Path, default=None, help="folder of trained weights")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    keep_large_blocks()
    for name in given.networks:
        for seed in given.seeds:
            row = run(name, seed, given.minutes, given.lr, given.per_digit, given.sheets, given.keep)
            print(name, seed, json.dumps(row, indent=1), flush=True)
            known = json.loads(given.results.read_text()) if given.results.exists() else {}
            known.setdefault(f"{given.minutes:g} minutes", {}).setdefault(name, {})[str(seed)] = row
            known["environment"] = environment()
            given.results.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
