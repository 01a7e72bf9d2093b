"""Digits, a judge of them, and the training of their generators: what the benchmarks of digits share.

Reads MULTIUNET_DATA (default ../shared/data beside the checkout).
"""

from __future__ import annotations

import gzip
import math
import os
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from multiunet.core import Condition, ConditionEmbedding, Fourier, UNet
from multiunet.device import computes_bf16
from multiunet.diffusion import EDM, Preconditioned
from multiunet.geometries import Conv, Grid
from multiunet.seeds import permutation
from multiunet.training.average import MovingAverage

DATA = Path(os.environ.get("MULTIUNET_DATA", Path(__file__).parents[2] / "shared" / "data")) / "mnist10k"
WIDTHS, BATCH = (32, 64, 128), 64


class Share(NamedTuple):
    """Digits, ``(N, 1, 28, 28)`` in [0, 1], and their labels."""

    digits: Tensor
    labels: Tensor


class Shares(NamedTuple):
    """The 10 000 digits, shared out at random (seed 0)."""

    train: Share
    judge: Share
    held_out: Share


def share_digits() -> Shares:
    """Return 6 500 digits for the generator, 2 500 for the judge, and 1 000 that are held out."""
    digits, labels = read_digits()
    order = torch.from_numpy(permutation(len(digits), "mnist", 0))
    return Shares(*(Share(digits[rows], labels[rows]) for rows in (order[:6500], order[6500:9000], order[9000:])))


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
