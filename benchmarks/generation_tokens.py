"""Two digits from a caption: does "three left of seven" give both, each in its place, for pairs that were never seen?

Two digits lie side by side, and their caption is words: the left one, "left", "of", the right one. 80 of the 100 pairs
are trained, each from all digits of its two classes; 20 are never seen: each digit is in two of these on either side,
drawn by seed 0. The network is that of ``train image --task generate --captions --coordinates``: residual blocks, whose
two coarsest levels read the words by cross-attention, and two channels that say where in the image a pixel is. In
training a tenth of the captions is left out, for guidance.

- ``pixels``: on digits of half their size, 14 x 28 pixels for a pair.
- ``latents``: on digits of full size, in latents that are coarser by 4, of an autoencoder that was trained on single
  digits before, for ``--coder-minutes`` of the processor.
- ``without coordinates``: on pixels, without those two channels.
- ``without words``: on pixels, without cross-attention, so that nothing tells it which digits are asked for.

Digits are shared out, and judged, as in ``generation_mnist.py``: 6 500 train the generator, 2 500 the judge. The judge
sees each half of a sample by itself; scores are the shares of samples whose left, right and both digits are as asked:
10 samples of each unseen pair, 2 of each seen one.

    python benchmarks/generation_tokens.py [--minutes 6] [--ways pixels latents] [--sheets DIR]

Minutes are those of the processor. Reads MULTIUNET_DATA (default ../shared/data beside the checkout); adds to
benchmarks/results/generation_tokens.json.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from digits import Judge, read_digits, train_judge
from multiunet_cli.heap import keep_large_blocks
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from multiunet.core import Autoencoder, Condition, ConditionEmbedding, Fourier, UNet
from multiunet.device import computes_bf16
from multiunet.diffusion import (
    EDM,
    AutoencoderData,
    Denoiser,
    DPMSolver2M,
    Preconditioned,
    Sampler,
    SiteNoise,
    learn_scale,
)
from multiunet.domains.image.generation.contact_sheet import make_sheet
from multiunet.geometries import Conv, CrossAttention, Grid, InTurn
from multiunet.models import autoencoder
from multiunet.seeds import permutation
from multiunet.training.average import MovingAverage
from multiunet.training.data import Sample, TrainingData
from multiunet.training.run_folder import environment

RESULTS = Path(__file__).parent / "results" / "generation_tokens.json"
WIDTHS = {"pixels": (32, 64, 128), "latents": (64, 128)}
BATCH, STEPS, LR = 64, 18, 2e-3
GUIDANCE = (1.0, 2.0, 3.0)
PLAIN = Grid(2, normalization="layer", activation="silu")
BF16 = computes_bf16(torch.device("cpu"))
Pair = tuple[int, int]


@dataclass(frozen=True)
class Way:
    """A network and what it is given."""

    in_latents: bool = False
    coordinates: bool = True
    words: bool = True


WAYS = {
    "pixels": Way(),
    "latents": Way(in_latents=True),
    "without coordinates": Way(coordinates=False),
    "without words": Way(words=False),
}


def share_out_pairs() -> tuple[list[Pair], list[Pair]]:
    """Return the pairs that are trained, and those that are not."""
    order = permutation(10, "pairs", 0)
    unseen = {(int(order[place]), int(order[(place + step) % 10])) for place in range(10) for step in (1, 4)}
    return [(a, b) for a in range(10) for b in range(10) if (a, b) not in unseen], sorted(unseen)


def say(pairs: Sequence[Pair]) -> Tensor:
    """Return captions, ``(N, 4)``: words 1 to 10 are digits, 11 is "left" and 12 "of"."""
    return torch.tensor([[a + 1, 11, 12, b + 1] for a, b in pairs])


class Pairs:
    """Images of random pairs, ``(N, 1, height, 2 width)``, of digits ``(n, 1, height, width)``."""

    def __init__(self, digits: Tensor, labels: Tensor, seen: Sequence[Pair]) -> None:
        self.digits, self.seen = digits, seen
        self.rows = [torch.nonzero(labels == digit).flatten() for digit in range(10)]

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return images and their captions."""
        pairs = [self.seen[int(place)] for place in torch.randint(len(self.seen), (count,), generator=generator)]
        halves = []
        for digits in zip(*pairs):
            u = torch.rand(count, generator=generator)
            rows = [self.rows[digit][int(share * len(self.rows[digit]))] for digit, share in zip(digits, u)]
            halves.append(self.digits[torch.stack(rows)])
        return torch.cat(halves, dim=3), say(pairs)


class Singles(TrainingData[Tensor]):
    """Single digits, of which the scale of latents is learnt."""

    def __init__(self, digits: Tensor) -> None:
        self.digits = digits

    def __len__(self) -> int:
        return len(self.digits)

    def draw(self, item: int, rng: np.random.Generator) -> Sample[Tensor]:
        return Sample(self.digits[item : item + 1, :0], self.digits[item : item + 1])


def build(way: Way, channels: int) -> UNet[Tensor]:
    """Build the network of a generator with captions, as ``train image`` does."""
    widths = WIDTHS["latents" if way.in_latents else "pixels"]
    words = {"words": 12, "most_words": 4} if way.words else {}
    embed = ConditionEmbedding(4 * widths[0], noise=Fourier(64), **words)
    block = Conv(residual=True, condition_channels=embed.channels)
    blocks: list[Any] = [block] * len(widths)
    if way.words:
        blocks[-2:] = [InTurn(block, CrossAttention(embed.channels, width // 32)) for width in widths[-2:]]
    into = channels + 2 * way.coordinates
    return UNet([replace(PLAIN, block=part) for part in blocks], into, channels, widths, embed=embed)


def steps_within(seconds: float, net: nn.Module) -> Iterator[torch.optim.Optimizer]:
    """Yield the optimiser for each step that begins within so many seconds of processor time, its rate set."""
    optimizer, began = torch.optim.AdamW(net.parameters(), LR, weight_decay=1e-4), time.process_time()
    while (share := (time.process_time() - began) / seconds) < 1:
        for group in optimizer.param_groups:
            group["lr"] = LR * min(1.0, share / 0.05) * (1 + math.cos(math.pi * share)) / 2
        optimizer.zero_grad()
        yield optimizer
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()


def train_coder(digits: Tensor, seconds: float) -> tuple[Autoencoder[Tensor], int]:
    """Train an autoencoder on digits of deviation 1, and learn the scale of its latents."""
    torch.manual_seed(0)
    coder, generator, steps = autoencoder(2, 1, 4, [16, 32, 64]), torch.Generator().manual_seed(0), 0
    for _ in steps_within(seconds, coder):
        clean = digits[torch.randint(len(digits), (BATCH,), generator=generator)]
        with torch.autocast("cpu", torch.bfloat16, enabled=BF16):
            found = coder(clean)
        (found.float() - clean).square().mean().backward()
        steps += 1
    learn_scale(coder.eval(), AutoencoderData(Singles(digits[:256]), Grid(2)))
    return coder, steps


def train(way: Way, pairs: Pairs, coder: Autoencoder[Tensor] | None, seconds: float) -> tuple[nn.Module, int]:
    """Train a network for so long; return the average of its weights and the number of steps."""
    torch.manual_seed(0)
    net, process, parameterization = build(way, 1 if coder is None else 4), EDM(), Preconditioned()
    generator, average, steps = torch.Generator().manual_seed(0), MovingAverage(net, 0.998), 0
    for _ in steps_within(seconds, net):
        if steps:
            average.update(net, steps - 1)
        clean, words = pairs.draw(BATCH, generator)
        if coder is not None:
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=BF16):
                clean = coder.encode(clean).float()
        clean = 0.5 * clean
        words = words * (torch.rand(BATCH, 1, generator=generator) >= 0.1)
        sigma = process.draw(torch.rand(BATCH, generator=generator).clamp(1e-6, 1 - 1e-6))
        skip, out, into, told = parameterization.scalings(sigma)
        skip, out, into, level = (part[:, None, None, None] for part in (skip, out, into, sigma))
        x = clean + level * torch.randn(clean.shape, generator=generator)
        field = torch.cat([into * x, place(x)], 1) if way.coordinates else into * x
        with torch.autocast("cpu", torch.bfloat16, enabled=BF16):
            found = net(field, Condition(noise=told, words=words if way.words else None))
        (found.float() - (clean - skip * x) / out).square().mean().backward()
        steps += 1
    return average.net.eval(), steps


def place(x: Tensor) -> Tensor:
    """Return where each site lies, ``(N, 2, height, width)``: from -1 to 1 between the borders."""
    axes = [(2 * torch.arange(n) + 1) / n - 1 for n in x.shape[2:]]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")).expand(len(x), -1, -1, -1)


@torch.no_grad()
def sample(
    way: Way, net: nn.Module, coder: Autoencoder[Tensor] | None, pairs: Sequence[Pair], guidance: float
) -> Tensor:
    """Return a sample for each pair, of the digits' deviation 1."""
    denoiser = Denoiser(net, Preconditioned(), Grid(2), null_class=True)
    sampler, made = Sampler(EDM().sigmas(STEPS), DPMSolver2M()), []
    channels, space = (1, (14, 28)) if coder is None else (4, (7, 14))
    for first in range(0, len(pairs), 100):
        asked = pairs[first : first + 100]
        field = torch.zeros(len(asked), channels, *space)
        noise = SiteNoise(Grid(2), 0).on(field, range(first, first + len(asked)), channels)
        told = Condition(words=say(asked)) if way.words else None
        with torch.autocast("cpu", torch.bfloat16, enabled=BF16):
            found = sampler.run(denoiser.on(field, told, guidance, place(field) if way.coordinates else None), noise)
            found = found.float() / 0.5
            if coder is not None:
                found = coder.decode(found, coder.sites(torch.zeros(len(asked), 1, 28, 56)))
        made.append(found.float())
    return torch.cat(made)


def enlarge(digits: Tensor) -> Tensor:
    """Return digits of 28 x 28 pixels, smaller ones doubled."""
    return digits if digits.shape[2] == 28 else functional.interpolate(digits, scale_factor=2)


@torch.no_grad()
def score(judge: Judge, images: Tensor, pairs: Sequence[Pair]) -> dict[str, float]:
    """Return the shares of samples whose digits are as asked: both, the left and the right one."""
    right = [judge(enlarge(h)).argmax(1) == asked for h, asked in zip(images.chunk(2, dim=3), torch.tensor(pairs).T)]
    both = {"both": right[0] & right[1], "left": right[0], "right": right[1]}
    return {name: round(float(hits.double().mean()), 3) for name, hits in both.items()}


@dataclass(frozen=True)
class Digits:
    """Digits of one size, as they are shared out, with their judge, which sees smaller ones doubled."""

    pixels: Tensor
    labels: Tensor
    own: Tensor
    held_out: Tensor
    judge: Judge

    def judged_rightly(self) -> float:
        """Return the judge's accuracy on held-out digits."""
        right = self.judge(enlarge(self.pixels[self.held_out])).argmax(1) == self.labels[self.held_out]
        return round(float(right.double().mean()), 3)


@functools.cache
def share_out(full: bool) -> Digits:
    """Read the digits, at full or half their size, and train their judge."""
    pixels, labels = read_digits()
    pixels = pixels if full else functional.avg_pool2d(pixels, 2)
    order = torch.from_numpy(permutation(len(pixels), "mnist", 0))
    judged = order[6500:9000]
    judge = train_judge(enlarge(pixels[judged]), labels[judged], epochs=12)
    return Digits(pixels, labels, order[:6500], order[9000:], judge)


def run(name: str, seconds: float, coder_seconds: float, sheets: Path | None) -> dict[str, Any]:
    """Train and score one way."""
    way = WAYS[name]
    known = share_out(way.in_latents)
    digits, labels, own, held_out = known.pixels, known.labels, known.own, known.held_out
    mean, deviation = digits[own].mean(), digits[own].std()
    data = (digits - mean) / deviation
    seen, unseen = share_out_pairs()
    row: dict[str, Any] = {"processor_seconds": seconds}
    coder = None
    if way.in_latents:
        coder, row["coder_steps"] = train_coder(data[own], coder_seconds)
        row["coder_processor_seconds"] = coder_seconds
        with torch.no_grad():
            error = (coder(data[held_out]) - data[held_out]).square().mean() * deviation**2
        row["coder_psnr"] = round(-10 * math.log10(float(error)), 2)
    net, row["steps"] = train(way, Pairs(data[own], labels[own], seen), coder, seconds)
    row["parameters"] = sum(parameter.numel() for parameter in net.parameters())
    row["judge_on_held_out_digits"] = known.judged_rightly()
    kinds = {"unseen": unseen * 10, "seen": seen * 2}
    for guidance, kind in itertools.product(GUIDANCE if way.words else (1.0,), kinds):
        pairs = kinds[kind]
        images = (sample(way, net, coder, pairs, guidance) * deviation + mean).clamp(0, 1)
        row.setdefault(f"guidance {guidance:g}", {})[kind] = score(known.judge, images, pairs)
        if sheets is not None:
            sheets.mkdir(parents=True, exist_ok=True)
            rows = [[image.numpy() for image in images[10 * n : 10 * n + 10]] for n in range(4)]
            Image.fromarray(make_sheet(rows, 0.0, 1.0)).save(
                sheets / f"tokens-{name.replace(' ', '-')}-{guidance:g}-{kind}.png"
            )
    return row


def main() -> None:
    """Run what is asked for, and add it to the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=6.0, help="of the processor, for each network")
    parser.add_argument("--coder-minutes", type=float, default=2.0, help="of the processor, for the autoencoder")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--sheets", type=Path, default=None, help="folder for pictures of samples")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    keep_large_blocks()
    for name in given.ways:
        row = run(name, 60 * given.minutes, 60 * given.coder_minutes, given.sheets)
        print(name, json.dumps(row, indent=1), flush=True)
        known = json.loads(given.results.read_text()) if given.results.exists() else {}
        known[name] = row
        known["environment"] = environment()
        given.results.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
