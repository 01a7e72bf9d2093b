"""Digits from noise: are they the digits asked for, and as diverse as real ones, after so many minutes of a processor?

Our network is that of ``train image --task generate --labels``: residual blocks, norms of each site's channels, widths
32, 64, 128. The peer is diffusers' ``UNet2DModel`` of the same widths, with two blocks a level and attention at the
coarsest one, its usual form. Both are trained in one loop on the same digits, with the same loss (Karras et al. 2022),
batch, optimiser and average of the weights, for the same processor time, and sampled by the same 18 steps of DPM++ 2M.

The 10 000 digits are shared out at random (seed 0): 6 500 train the generator, 2 500 train the judge, a small
convolutional classifier with random shifts, and 1 000 are held out. Scores are the judge's accuracy on 1 000 samples,
100 of each digit, and their Frechet distance to the generator's training digits in the judge's 64 features (Heusel et
al. 2017, eq. 6), beside the same of the held-out digits.

    python benchmarks/generation_mnist.py [--minutes 15] [--networks ours diffusers] [--seeds 0] [--sheets DIR]

diffusers is optional. Reads MULTIUNET_DATA (default ../shared/data beside the checkout); adds to
benchmarks/results/generation_mnist.json.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from multiunet_cli.heap import keep_large_blocks
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from multiunet.core import Condition, ConditionEmbedding, Fourier, UNet
from multiunet.device import computes_bf16
from multiunet.diffusion import EDM, Denoiser, DPMSolver2M, Preconditioned, Sampler, SiteNoise
from multiunet.domains.image.generation.contact_sheet import make_sheet
from multiunet.geometries import Conv, Grid
from multiunet.seeds import permutation
from multiunet.training.average import MovingAverage
from multiunet.training.run_folder import environment

RESULTS = Path(__file__).parent / "results" / "generation_mnist.json"
DATA = Path(os.environ.get("MULTIUNET_DATA", Path(__file__).parents[2] / "shared" / "data")) / "mnist10k"
WIDTHS, BATCH, STEPS = (32, 64, 128), 64, 18
GUIDANCE = (1.0, 1.5, 2.0)
GRID = Grid(2)


def read_digits() -> tuple[Tensor, Tensor]:
    """Return all digits, ``(10000, 1, 28, 28)`` in [0, 1], and their labels."""
    with gzip.open(DATA / "t10k-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    with gzip.open(DATA / "t10k-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return torch.from_numpy(pixels.astype(np.float32) / 255), torch.from_numpy(labels.astype(np.int64))


class Judge(nn.Module):
    """Classifier whose 64 features the Frechet distance is taken in."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten()),
            *(nn.Linear(576, 64), nn.ReLU()),
        )
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits ``(N, 10)`` of digits in [0, 1]."""
        return self.head(self.body(x))


def train_judge(digits: Tensor, labels: Tensor, epochs: int = 25) -> Judge:
    """Train the judge, each digit shifted by up to two pixels."""
    torch.manual_seed(0)
    judge, rng = Judge(), np.random.default_rng(0)
    optimizer = torch.optim.AdamW(judge.parameters(), 2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for rows in torch.from_numpy(rng.permutation(len(digits))).split(BATCH):
            y, x = rng.integers(-2, 3, 2)
            shifted = functional.pad(digits[rows], (2, 2, 2, 2))[:, :, 2 + y : 30 + y, 2 + x : 30 + x]
            loss = functional.cross_entropy(judge(shifted), labels[rows], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
    return judge.eval()


@torch.no_grad()
def score(judge: Judge, digits: Tensor, labels: Tensor, reference: Tensor) -> dict[str, float]:
    """Return the judge's accuracy, and the Frechet distance to reference features ``(n, 64)``."""
    features = torch.cat([judge.body(part) for part in digits.split(500)])
    accuracy = (judge.head(features).argmax(1) == labels).double().mean()
    means = [part.double().mean(0) for part in (features, reference)]
    covariances = [torch.cov(part.double().T) for part in (features, reference)]
    roots = torch.linalg.eigvals(covariances[0] @ covariances[1]).real.clamp(min=0).sqrt()
    trace = covariances[0].trace() + covariances[1].trace() - 2 * roots.sum()
    return {"accuracy": float(accuracy), "frechet": float((means[0] - means[1]).square().sum() + trace)}


def build_ours() -> nn.Module:
    """Build the network of a generator with labels, as ``train image`` does."""
    embed = ConditionEmbedding(4 * WIDTHS[0], noise=Fourier(64), labels=10)
    block = Conv(residual=True, condition_channels=embed.channels)
    return UNet(Grid(2, block=block, normalization="layer", activation="silu"), 1, 1, WIDTHS, embed=embed)


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


def train(net: nn.Module, data: Tensor, labels: Tensor, seconds: float, lr: float, seed: int) -> tuple[nn.Module, int]:
    """Train for so many seconds of processor time; return the average of the weights, and the number of steps."""
    process, parameterization = EDM(), Preconditioned()
    generator = torch.Generator().manual_seed(seed)
    average = MovingAverage(net, 0.999)
    optimizer = torch.optim.AdamW(net.parameters(), lr, weight_decay=1e-4)
    began, steps = time.process_time(), 0
    while (share := (time.process_time() - began) / seconds) < 1:
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1.0, share / 0.05) * (1 + math.cos(math.pi * share)) / 2
        rows = torch.randint(len(data), (BATCH,), generator=generator)
        clean, told = data[rows], labels[rows]
        told = told.where(torch.rand(BATCH, generator=generator) >= 0.1, -1)
        sigma = process.draw(torch.rand(BATCH, generator=generator).clamp(1e-6, 1 - 1e-6))
        noise = torch.randn(clean.shape, generator=generator)
        skip, out, into, time_ = parameterization.scalings(sigma)
        x = clean + sigma[:, None, None, None] * noise
        with torch.autocast("cpu", torch.bfloat16, enabled=computes_bf16(torch.device("cpu"))):
            found = net(into[:, None, None, None] * x, Condition(noise=time_, labels=told))
        target = (clean - skip[:, None, None, None] * x) / out[:, None, None, None]
        loss = (found.float() - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        average.update(net, steps)
        steps += 1
    return average.net, steps


def sample(net: nn.Module, guidance: float, seed: int, count: int) -> tuple[Tensor, Tensor]:
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


def run(name: str, seed: int, minutes: float, lr: float, count: int, sheets: Path | None) -> dict[str, Any]:
    """Train and score one network."""
    digits, labels = read_digits()
    order = torch.from_numpy(permutation(len(digits), "mnist", 0))
    own, judged, held_out = order[:6500], order[6500:9000], order[9000:]
    judge = train_judge(digits[judged], labels[judged])
    with torch.no_grad():
        reference = torch.cat([judge.body(part) for part in digits[own].split(500)])
    real = score(judge, digits[held_out], labels[held_out], reference)
    mean, deviation = digits[own].mean(), digits[own].std()
    torch.manual_seed(seed)
    net = NETWORKS[name]()
    seconds, clean = 60 * minutes * torch.get_num_threads(), 0.5 * (digits[own] - mean) / deviation
    averaged, steps = train(net, clean, labels[own], seconds, lr, seed)
    found: dict[str, Any] = {}
    for guidance in GUIDANCE:
        made, told = sample(averaged.eval(), guidance, seed, count)
        pixels = (made / 0.5 * deviation + mean).clamp(0, 1)
        found[f"guidance {guidance:g}"] = score(judge, pixels, told, reference)
        if sheets is not None:
            sheets.mkdir(parents=True, exist_ok=True)
            rows = [[digit.numpy() for digit in pixels[count * n :][: min(count, 10)]] for n in range(10)]
            Image.fromarray(make_sheet(rows, 0.0, 1.0)).save(sheets / f"mnist-{name}-{seed}-{guidance:g}.png")
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
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    keep_large_blocks()
    for name in given.networks:
        for seed in given.seeds:
            row = run(name, seed, given.minutes, given.lr, given.per_digit, given.sheets)
            print(name, seed, json.dumps(row, indent=1), flush=True)
            known = json.loads(given.results.read_text()) if given.results.exists() else {}
            known.setdefault(f"{given.minutes:g} minutes", {}).setdefault(name, {})[str(seed)] = row
            known["environment"] = environment()
            given.results.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
