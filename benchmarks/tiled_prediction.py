"""Is tiled prediction as fast as the bare network, faster than MONAI's sliding window, and small in memory?

With the default network of images (random weights: neither time nor memory asks what was learnt), one process, the
settings of the command line:

- ``bare``: the network alone on the same pixels, cut into pieces without halo, nothing kept;
- ``tiled``: ``GridPredictor.into`` a store: reading from Zarr, halos, probabilities, variances, classes, writing;
- ``monai_constant``, ``monai_gaussian``: ``sliding_window_inference``, windows of 256 x 256, overlap 0.25, image and
  result in memory. It gets the network with fused layers (`fuse_layers`), too.

``tiled`` takes turns with each of the others, first with ``bare``. Ratios are medians of the rounds' own, of seconds
that passed and of those that the processors worked for this process, which others on the machine change less; the first
rounds are those of a new process, which touches its memory for the first time. All compute in bf16 where the hardware
does, as ``predict image`` does by default; ``largest_difference``, in 32 bits, is between the probabilities of tiles
and of the whole image at once, where that fits (``--whole``).

    python benchmarks/tiled_prediction.py [--size 4096] [--rounds 3] [--memory 5] [--whole 2048]
    python benchmarks/tiled_prediction.py --peak 16384 [--samples 1] [--peak-memory 1.8]

``--peak`` measures the highest resident memory of a process that predicts a Zarr image of that size into a Zarr store,
and adds it to the results. Writes benchmarks/results/tiled_prediction.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
from multiunet_cli.heap import keep_large_blocks
from torch import Tensor, nn

from multiunet import Grid, GridPredictor, GridSource, Segmentation
from multiunet.device import computes_bf16
from multiunet.domains.image.data.inputs import Input, compute_moments, make_source
from multiunet.domains.image.files.readers import read_image
from multiunet.geometries.grid.fuse import fuse_layers
from multiunet.models.image_unet import image_unet
from multiunet.prediction import PredictionStore
from multiunet.prediction.tile_memory import compute_max_sites
from multiunet.training.run_folder import environment

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results" / "tiled_prediction.json"
CLASSES = ["matrix", "precipitate", "void"]
CPU = torch.device("cpu")
BF16 = computes_bf16(CPU)
"""Networks compute in it where the hardware does, as they do by default."""
BARE = 1024
"""Side of the pieces that the bare network takes."""


def network() -> nn.Module:
    """The default network, as ``predict image`` applies it (one view)."""
    torch.manual_seed(0)
    net = image_unet(2, 1, len(CLASSES), dropout=0.05).to(memory_format=torch.channels_last)
    return fuse_layers(net.eval())


def write_image(path: Path, size: int) -> None:
    """Smooth noise, 8 bits, in chunks of 512 x 512."""
    array = zarr.create_array(str(path), shape=(size, size), chunks=(512, 512), dtype="u1")
    rng = np.random.default_rng(0)
    patch = np.kron(rng.integers(60, 160, (64, 64)), np.ones((8, 8))) + rng.normal(0, 10, (512, 512))
    for y in range(0, size, 512):
        band = np.tile(patch, (1, -(-size // 512)))[: min(512, size - y), :size]
        array[y : y + 512] = band.astype(np.uint8)


def opened(path: Path) -> tuple[Input, GridSource]:
    """The image as ``predict image`` reads it."""
    picture = read_image(path)
    loaded = Input(picture, *compute_moments(picture))
    return loaded, make_source("image", str(path), loaded)


def predictor(net: nn.Module, memory: float, samples: int = 1) -> GridPredictor:
    """With tiles for this memory."""
    task, geometry = Segmentation(CLASSES), Grid(2)
    made = GridPredictor(net, task, geometry, CPU, bf16=BF16)
    with made.autocast():
        sites = compute_max_sites(int(memory * 1e9), net, task, geometry, 1, samples, CPU)
    return replace(made, sites=sites)


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds that passed, and those of processors."""
    started, worked = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - worked


@torch.inference_mode()
@torch.autocast("cpu", torch.bfloat16, enabled=BF16)
def bare(net: nn.Module, pixels: Tensor) -> None:
    """Each pixel once."""
    for y in range(0, pixels.shape[2], BARE):
        for x in range(0, pixels.shape[3], BARE):
            net(pixels[:, :, y : y + BARE, x : x + BARE])


@torch.inference_mode()
@torch.autocast("cpu", torch.bfloat16, enabled=BF16)
def monai(net: nn.Module, pixels: Tensor, mode: str) -> None:
    """Logits of the whole image."""
    from monai.inferers import sliding_window_inference

    sliding_window_inference(pixels, (256, 256), 4, net, overlap=0.25, mode=mode)


def into_store(made: GridPredictor, source: GridSource, out: Path, samples: int = 1) -> None:
    """As the command does."""
    with PredictionStore(out, overwrite=True) as store:
        made.into(store, source, samples)


def speed(size: int, rounds: int, memory: float, folder: Path) -> dict[str, Any]:
    """Times by turns with each rival."""
    net = network()
    write_image(folder / "image.zarr", size)
    loaded, source = opened(folder / "image.zarr")
    made = predictor(net, memory)
    pixels = torch.from_numpy(loaded.window((0, 0), (size, size)))[None]
    rivals: dict[str, Callable[[], None]] = {
        "bare": lambda: bare(net, pixels),
        "monai_constant": lambda: monai(net, pixels, "constant"),
        "monai_gaussian": lambda: monai(net, pixels, "gaussian"),
    }
    bare(net, pixels[:, :, :256, :256])  # what is made once is not counted
    rows: dict[str, list[dict[str, tuple[float, float]]]] = {}
    for name, rival in rivals.items():
        rows[name] = []
        for _ in range(rounds):
            taken = {name: timed(rival), "tiled": timed(lambda: into_store(made, source, folder / "out.zarr"))}
            rows[name].append(taken)
            print("; ".join(f"{way}: {wall:.1f} s, {cpu:.1f} s of processors" for way, (wall, cpu) in taken.items()))
    plan = made.plan((size, size))
    reads = sum(np.prod([b - a for a, b in zip(tile.start, tile.stop)]) for tile in plan)

    def summary(clock: int) -> dict[str, Any]:
        times = {rival: [{way: row[way][clock] for way in row} for row in of] for rival, of in rows.items()}
        over = {rival: statistics.median(row[rival] / row["tiled"] for row in of) for rival, of in times.items()}
        return {
            "rounds": {
                rival: [{way: round(value, 2) for way, value in row.items()} for row in of]
                for rival, of in times.items()
            },
            "tiled_over_bare": round(1 / over["bare"], 3),
            "monai_constant_over_tiled": round(over["monai_constant"], 3),
            "monai_gaussian_over_tiled": round(over["monai_gaussian"], 3),
        }

    return {
        "size": size,
        "memory_gb": memory,
        "bf16": BF16,
        "tiles": len(plan),
        "sites_read_per_pixel": round(float(reads) / size**2, 3),
        "seconds": summary(0),
        "processor_seconds": summary(1),
    }


def difference(size: int, folder: Path) -> dict[str, Any]:
    """The largest difference of tiles and whole, for one sample and for three."""
    net = network()
    write_image(folder / "whole.zarr", size)
    _, source = opened(folder / "whole.zarr")
    parts = net, Segmentation(CLASSES), Grid(2), CPU
    found = {}
    for samples in (1, 3):
        tiled = GridPredictor(*parts, tile=size // 4).whole(source, samples)
        whole = GridPredictor(*parts, tile=size).whole(source, samples)
        found[str(samples)] = max(
            float((getattr(tiled, name) - getattr(whole, name)).abs().max())
            for name in ("mean", "epistemic", "aleatoric")
        )
    return {"size": size, "tile": size // 4, "by_samples": found}


def peak(size: int, samples: int, memory: float) -> dict[str, Any]:
    """The highest resident memory of a process that does nothing but predict."""
    with tempfile.TemporaryDirectory() as folder:
        write_image(Path(folder) / "image.zarr", size)
        words = [sys.executable, __file__, "--child", folder, "--samples", samples, "--peak-memory", memory]
        started = time.perf_counter()
        done = subprocess.run(list(map(str, words)), check=True, stdout=subprocess.PIPE, text=True)
    highest = int(done.stdout.split()[-1])
    return {
        "size": size,
        "samples": samples,
        "memory_gb": memory,
        "peak_gib": round(highest / 2**30, 3),
        "seconds": round(time.perf_counter() - started, 1),
    }


def child(folder: Path, samples: int, memory: float) -> None:
    """Predicts, and prints the peak in bytes."""
    _, source = opened(folder / "image.zarr")
    into_store(predictor(network(), memory, samples), source, folder / "out.zarr", samples)
    lines = Path("/proc/self/status").read_text().splitlines()
    print(next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:")))


def main() -> None:
    """Measures what is asked and keeps the other results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=float, default=5.0)
    parser.add_argument("--whole", type=int, default=2048)
    parser.add_argument("--peak", type=int)
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--peak-memory", type=float, default=1.8)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    keep_large_blocks()
    if chosen.child is not None:
        child(chosen.child, chosen.samples, chosen.peak_memory)
        return
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    machine = environment() | {"threads": torch.get_num_threads()}
    if chosen.peak is not None:
        name = f"peak_{chosen.peak}_samples_{chosen.samples}"
        results[name] = peak(chosen.peak, chosen.samples, chosen.peak_memory) | {"machine": machine}
    else:
        with tempfile.TemporaryDirectory() as folder:
            # first: tiles are as large as the memory that the process has left
            found = speed(chosen.size, chosen.rounds, chosen.memory, Path(folder))
            results[f"speed_{chosen.size}"] = found | {"machine": machine}
            results["largest_difference"] = difference(chosen.whole, Path(folder)) | {"machine": machine}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
