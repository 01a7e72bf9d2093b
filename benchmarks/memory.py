"""Does a training step take the memory that it is planned to take, and what does recomputation save?

Each case is a process of its own, with the command line's allocator settings: network, AdamW, moving average, then
three steps on random data. Measured is the resident peak (VmHWM) minus what was resident before the network was made
and its step estimated, as in training; beside it, what ``training.step_memory.step_memory`` said before the first step.
Seconds are of processor time, the best of the last two steps. ``gain`` compares each case with and without
recomputation.

    python benchmarks/memory.py

Linux only. Writes benchmarks/results/memory.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from multiunet_cli.__main__ import ON_PAGES, SMALL_CACHES
from multiunet_cli.heap import keep_large_blocks, set_blocks_aside

from multiunet.catalogue import PADDED, find_network
from multiunet.geometries.grid.grid import Grid
from multiunet.geometries.grid.memory_format import likes_channels_last, put_channels_last
from multiunet.tasks import Segmentation
from multiunet.training.average import MovingAverage
from multiunet.training.data import Sample
from multiunet.training.step_memory import OPTIMIZER_SLOTS, step_memory
from multiunet.training.supervision import supervised_loss

RESULTS = Path(__file__).parent / "results" / "memory.json"

SHAPES: dict[str, list[tuple[int, ...]]] = {
    "image_unet": [(4, 1, 256, 256), (4, 1, 512, 512), (2, 1, 32, 48, 48), (2, 1, 64, 96, 96)],
    "nnunet_plain": [(2, 1, 192, 192), (2, 1, 16, 64, 64)],
    "unet3d": [(2, 1, 16, 48, 48)],
    "attention_unet": [(4, 3, 128, 128)],
}


def resident(name: str) -> int:
    """Bytes that the kernel names ``VmRSS`` (now) or ``VmHWM`` (at most so far)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) << 10


def measure(name: str, shape: list[int], precision: str, recompute: bool) -> dict[str, Any]:
    """One case, in this process."""
    before, ndim, bf16 = resident("VmRSS"), len(shape) - 2, precision == "bf16"
    own = {"padding": "same"} if name in PADDED else {}
    net = find_network(name)(ndim, shape[1], 3, dropout=0.05, gradient_checkpointing=recompute, **own)
    if likes_channels_last(net, ndim):
        put_channels_last(net, ndim)
    task, geometry = Segmentation(["a", "b", "c"]), Grid(ndim)
    labels = (shape[0], *shape[2:])
    hollow = Sample(torch.empty(shape, device="meta"), torch.empty(labels, dtype=torch.int64, device="meta"))
    copies = OPTIMIZER_SLOTS["adamw"] + 1
    estimate = step_memory(net, task, geometry, hollow, bf16=bf16, copies=copies, cpu=True)
    optimizer, average = torch.optim.AdamW(net.parameters()), MovingAverage(net, 0.99)
    seconds = []
    for step in range(3):
        started = time.process_time()
        batch = Sample(torch.randn(shape), torch.randint(0, 3, labels))
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            outputs = net.outputs(batch.field) if net.deep_supervision else (net(batch.field),)
            loss = supervised_loss(net, task, geometry, outputs, batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        average.update(net, step)
        del batch, outputs, loss
        seconds.append(time.process_time() - started)
    peak = resident("VmHWM") - before
    return {
        "network": name,
        "batch": shape,
        "precision": precision,
        "recompute": recompute,
        "estimate_mb": round(estimate / 1e6),
        "measured_mb": round(peak / 1e6),
        "estimate_over_measured": round(estimate / peak, 3),
        "step_seconds": round(min(seconds[1:]), 2),
    }


def main() -> None:
    """All cases, one process each."""
    from multiunet.training.run_folder import environment

    os.environ |= {"GLIBC_TUNABLES": f"{SMALL_CACHES}=0", ON_PAGES: "1"}  # as the command line begins
    rows = []
    for name, shapes in SHAPES.items():
        for shape in shapes:
            for precision in ("32", "bf16"):
                for recompute in (False, True):
                    case = json.dumps([name, shape, precision, recompute])
                    done = subprocess.run(
                        [sys.executable, __file__, case], check=True, stdout=subprocess.PIPE, text=True
                    )
                    rows.append(json.loads(done.stdout))
                    print(rows[-1], flush=True)
    gains = [
        {
            **{key: plain[key] for key in ("network", "batch", "precision")},
            "memory_saved": round(1 - again["measured_mb"] / plain["measured_mb"], 3),
            "times_as_long": round(again["step_seconds"] / plain["step_seconds"], 2),
        }
        for plain, again in zip(rows[::2], rows[1::2])
    ]
    ratios = sorted(row["estimate_over_measured"] for row in rows)
    summary = {
        "estimate_over_measured": [ratios[0], ratios[-1]],
        "cases": rows,
        "gain": gains,
        "machine": environment(),
    }
    RESULTS.write_text(json.dumps(summary, indent=1) + "\n")
    print(json.dumps({"estimate_over_measured": summary["estimate_over_measured"], "gain": gains}, indent=1))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        keep_large_blocks()
        set_blocks_aside()
        print(json.dumps(measure(*json.loads(sys.argv[1]))))
    else:
        main()
