"""What does a block of attention cost, against a block of convolutions with as many channels?

- ``blocks``: processor seconds of a training step (forward and backward) of one block for one image, by channels and
  sites: two convolutions, a window block (windows of 8), attention to all sites (``Attention``), a whole transformer
  block (``Transformer``), and attention to 16 tokens (``CrossAttention``). Heads have 32 channels. The ratios are to
  the block of convolutions.
- ``ddpm``: a training step of ``ddpm_unet`` against that of diffusers' ``UNet2DModel`` with the same weights.

Blocks take turns, several rounds; a figure is the median over rounds, a ratio the median of the rounds' ratios. So both
sides of a ratio saw the same machine.

    python benchmarks/attention_cost.py [blocks ddpm] [--rounds 5] [--threads 2]

Adds to benchmarks/results/attention_cost.json, and prints a line a figure. ``ddpm`` needs diffusers.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from multiunet import Condition, Grid
from multiunet.geometries import Attention, Block, Conv, CrossAttention, Transformer, Window
from multiunet.models import from_diffusers
from multiunet.training.run_folder import environment

RESULTS = Path(__file__).parent / "results" / "attention_cost.json"

SIZES = ((64, 64), (128, 32), (256, 16), (128, 16), (128, 64))
"""Channels, and sites along each of two axes."""

HEAD = 32
"""Channels of a head."""

MOST = 1024
"""Attention to more sites than this is measured with the fewest channels alone, as it takes long."""

TOKENS = 16


def blocks_of(channels: int) -> dict[str, Block]:
    """The blocks that are compared, the one of convolutions first."""
    heads = channels // HEAD
    return {
        "convolutions": Conv(),
        "window": Window(8, heads=heads),
        "attention": Attention(heads=heads),
        "transformer": Transformer(heads=heads),
        "tokens": CrossAttention(channels, heads=heads),
    }


def measure(work: dict[str, Callable[[], None]], rounds: int) -> dict[str, dict[str, float]]:
    """Median processor seconds of each, and the median of its ratios to the first, one a round."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for once in [False] + [True] * rounds:  # the first round warms up
        for name, run in work.items():
            started = time.process_time()
            run()
            if once:
                seconds[name].append(time.process_time() - started)
    first = next(iter(seconds.values()))
    return {
        name: {
            "seconds": statistics.median(found),
            "ratio": statistics.median(a / b for a, b in zip(found, first)),
        }
        for name, found in seconds.items()
    }


def step_of(net: Any, *given: Any) -> Callable[[], None]:
    """Forward and backward pass."""

    def step() -> None:
        output = net(*given)
        (output if isinstance(output, torch.Tensor) else output.sample).square().mean().backward()
        net.zero_grad()

    return step


def measure_blocks(rounds: int) -> list[dict[str, Any]]:
    """Of each size all blocks."""
    rows = []
    for channels, side in SIZES:
        x = torch.randn(1, channels, side, side, requires_grad=True)
        told = Condition(tokens=torch.randn(1, TOKENS, channels))
        parts = blocks_of(channels)
        if side * side > MOST and channels > min(width for width, _ in SIZES):
            parts = {name: part for name, part in parts.items() if name not in ("attention", "transformer")}
        work = {}
        for name, part in parts.items():
            block = Grid(2, part).make_block(channels, channels)
            work[name] = step_of(block, x, told if name == "tokens" else None)
        rows.append({"channels": channels, "sites": side * side, **measure(work, rounds)})
        print(json.dumps(rows[-1]), flush=True)
    return rows


def measure_ddpm(rounds: int) -> dict[str, Any]:
    """Steps of diffusers' network and of ours; batches of 16 images of 32 x 32."""
    from diffusers import UNet2DModel

    peer = UNet2DModel(
        sample_size=32,
        in_channels=1,
        out_channels=1,
        block_out_channels=(32, 64, 128),
        down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
        attention_head_dim=HEAD,
    )
    ours = from_diffusers(peer)
    x, steps = torch.randn(16, 1, 32, 32), torch.arange(16)
    work = {"diffusers": step_of(peer, x, steps), "multiunet": step_of(ours, x, Condition(noise=steps.float()))}
    found = measure(work, rounds)
    print(json.dumps(found), flush=True)
    return {"parameters": sum(p.numel() for p in peer.parameters()), **found}


def main() -> None:
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="blocks|ddpm")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(0)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for part in chosen.parts or ["blocks", "ddpm"]:
        measured = measure_blocks(chosen.rounds) if part == "blocks" else measure_ddpm(chosen.rounds)
        results[part] = {"rounds": chosen.rounds, "measured": measured, "environment": environment()}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
