"""Is the default better than a peer's network that trains for as long on the same machine?

The peer is MONAI's BasicUNet (32-32-64-128-256) with batch normalisation, as somebody who knows it well would train it
on ``super_alloy`` Super1: Dice + cross-entropy, AdamW with a warm-up and a cosine decay, 600 steps of four 256 x 256
patches with quarter turns, mirroring, brightness and noise; the last weights; the mean over mirrored views. It is given
what makes ours fast: channels-last, bf16 where the hardware computes in it, and freed memory kept.

Each is a process of its own, timed as a whole, reading and scoring included. Ours is ``multiunet train image`` with
defaults but for ``--epochs``: as many as fit the peer's time, from the seconds that its epochs took in a short run
before.

    python benchmarks/same_clock.py [--seeds 0 1 2]

Reads MULTIUNET_DATA (default ../shared/data beside the checkout); adds to benchmarks/results/same_clock.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from micrographs import DATA, multiunet, super_alloy
from multiunet_cli.heap import keep_large_blocks
from PIL import Image

from multiunet.device import computes_bf16
from multiunet.metrics import Confusion
from multiunet.training.run_folder import environment

RESULTS = Path(__file__).parent / "results" / "same_clock.json"
SPLIT = "Super1"
STEPS, BATCH, SIDE = 600, 4, 256
T = TypeVar("T")


def images_of(split: str) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Each image, standardised, ``(1, y, x)``, and its classes ``(y, x)``."""
    folder = DATA / "super_alloy"
    found = []
    for name in json.loads((folder / "splits.json").read_text())[SPLIT][split]:
        pixels = np.asarray(Image.open(folder / f"images/{name}.png"), dtype=np.float32)
        classes = torch.from_numpy(np.asarray(Image.open(folder / f"labels/{name}.png")).astype(np.int64))
        found.append((torch.from_numpy((pixels - pixels.mean()) / pixels.std())[None], classes))
    return found


def patch(image: torch.Tensor, classes: torch.Tensor, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """A random patch, turned and mirrored, of another brightness and with noise."""
    y, x = (int(rng.integers(0, n - SIDE + 1)) for n in classes.shape)
    field, target = image[:, y : y + SIDE, x : x + SIDE], classes[y : y + SIDE, x : x + SIDE]
    turns = int(rng.integers(4))
    field, target = field.rot90(turns, (1, 2)), target.rot90(turns)
    if rng.random() < 0.5:
        field, target = field.flip(2), target.flip(1)
    field = field * float(rng.uniform(0.8, 1.2)) + float(rng.uniform(-0.2, 0.2))
    return field + 0.1 * float(rng.random()) * torch.randn(field.shape), target


def peer(seed: int) -> dict[str, Any]:
    """Trains and scores MONAI's network in this process."""
    from monai.losses import DiceCELoss
    from monai.networks.nets import BasicUNet

    keep_large_blocks()
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = BasicUNet(2, 1, 3, features=(32, 32, 64, 128, 256, 32), norm="batch").to(memory_format=torch.channels_last)
    loss_of = DiceCELoss(to_onehot_y=True, softmax=True, batch=True)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-4)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=STEPS, pct_start=0.05)
    bf16 = torch.autocast("cpu", torch.bfloat16, enabled=computes_bf16(torch.device("cpu")))
    train = images_of("train")
    for _ in range(STEPS):
        fields, targets = zip(*(patch(*train[int(rng.integers(len(train)))], rng) for _ in range(BATCH)))
        with bf16:
            logits = net(torch.stack(fields).to(memory_format=torch.channels_last))
        loss = loss_of(logits.float(), torch.stack(targets)[:, None])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
    net.eval()
    return {split: scored(net, split, bf16) for split in ("val", "test")}


def peer_alone(seed: int) -> dict[str, Any]:
    """``peer`` in a process of its own."""
    found: dict[str, Any] = json.loads(subprocess.check_output([sys.executable, __file__, "--peer", str(seed)]))
    return found


@torch.inference_mode()
def scored(net: torch.nn.Module, split: str, bf16: torch.autocast) -> dict[str, Any]:
    """The mean over four mirrored views, against the truth."""
    confusion = Confusion(3)
    for image, classes in images_of(split):
        total: torch.Tensor | float = 0.0
        for axes in ((), (2,), (3,), (2, 3)):
            with bf16:
                logits = net(image[None].flip(axes).to(memory_format=torch.channels_last))
            total = total + logits.float().softmax(1).flip(axes)
        assert isinstance(total, torch.Tensor)
        confusion.update(total.argmax(1)[0].numpy(), classes.numpy())
    return chosen(dict(confusion.scores()))


def chosen(scores: dict[str, Any]) -> dict[str, Any]:
    """What is compared."""
    return {key: scores[key] for key in ("micro_iou", "mean_iou", "iou")}


def ours(seed: int, epochs: int, run: Path) -> dict[str, Any]:
    """Trains and scores ours."""
    multiunet("train", "image", *super_alloy(SPLIT), "--out", run, "--seed", seed, "--epochs", epochs)
    found = {}
    for split in ("val", "test"):
        report = json.loads(multiunet("evaluate", "image", "--run", run, "--split", split, "--json", "--samples", 1))
        found[split] = chosen(report["metrics"])
    return found


def main() -> None:
    """The peer, then ours for as long, for each seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--peer", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer is not None:
        print(json.dumps(peer(options.peer)))
        return
    rows = []
    with tempfile.TemporaryDirectory() as place:
        one, three = (timed(ours, 0, epochs, Path(place) / f"short-{epochs}")[1] for epochs in (1, 3))
        for seed in options.seeds:
            theirs, limit = timed(peer_alone, seed)
            epochs = max(1, int(1 + (limit - one) / ((three - one) / 2)))
            own, seconds = timed(ours, seed, epochs, Path(place) / f"seed-{seed}")
            row = {"seed": seed, "epochs": epochs, "seconds": {"peer": round(limit, 1), "ours": round(seconds, 1)}}
            rows.append({**row, "peer": theirs, "ours": own})
            print(json.dumps(rows[-1]), flush=True)
    before = json.loads(RESULTS.read_text())["runs"] if RESULTS.exists() else []
    rows = [row for row in before if row["seed"] not in options.seeds] + rows
    RESULTS.write_text(json.dumps({"split": SPLIT, "runs": rows, "machine": environment()}, indent=1) + "\n")


def timed(work: Callable[..., T], *given: Any) -> tuple[T, float]:
    """What it gives, and the seconds that passed."""
    started = time.monotonic()
    result = work(*given)
    return result, time.monotonic() - started


if __name__ == "__main__":
    main()
