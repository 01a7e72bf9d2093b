"""What do 20 Monte-Carlo samples cost, against 20 full forward passes?

Ways, measured by turns in one process, on one field each:

- ``naive``: 20 full forward passes, batch norms fused into the convolutions;
- ``encoder once``: the encoder runs once, all the rest for each sample;
- ``shared``: also what saved fields contribute to each level's first layer is computed once, and the bottleneck up to
  its dropout;
- ``as predict does``: also resizing is fused with the convolution behind it (``fuse_layers``).

Of each the operations (torch's counter, 1e9), the seconds of processors and of the clock (medians over rounds), the
bytes of all tensors alive at the worst moment (not of graphs), and the largest difference of a probability from the
naive way in 32 bits. Times are in the precision that the command line chooses here.

    python benchmarks/sampling.py [--rounds 5] [--threads 1] [--case 2-D ...]

Writes benchmarks/results/sampling.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from multiunet_cli.heap import keep_large_blocks
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from multiunet import Graph, Grid, Segmentation, UNet
from multiunet.core import Geometry
from multiunet.device import computes_bf16
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.network import build_network
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.grid.fuse import fuse_conv_bn, fuse_layers
from multiunet.memory import LiveTensors
from multiunet.models.genomic import genomic_unet
from multiunet.models.image_unet import image_unet
from multiunet.prediction import predict_field
from multiunet.training.run_folder import environment

RESULTS = Path(__file__).parent / "results" / "sampling.json"
SAMPLES = 20
TASK = Segmentation(["a", "b", "c"])
CPU = torch.device("cpu")
Case = tuple[nn.Module, Geometry[Any], Any, bool]
"""A network, its geometry, a field, and whether the command line computes it in bf16 where the hardware does."""


def image(ndim: int, *space: int) -> Case:
    """The default network of images, or of volumes."""
    net = build_network(ImageTrain(images=Path("images")), ndim, 1, 3, [(2,) * ndim] * 4)
    return net, Grid(ndim), torch.randn(1, 1, *space), True


def genome() -> Case:
    """The default network of genomes, bins of 100 bases; both strands are read."""
    return genomic_unet(3, bin_size=100), Grid(1), torch.rand(1, 4, 51_200), True


def graph(nodes: int = 5_000, neighbours: int = 5) -> Case:
    """A graph U-Net with concatenation, and dropout from the bottleneck on."""
    source = torch.arange(nodes).repeat_interleave(neighbours)
    ends = torch.stack([source, torch.randint(0, nodes, source.shape)])
    field = GraphField.of(torch.randn(nodes, 64), torch.cat([ends, ends.flip(0)], dim=1))
    net = UNet(Graph(), 64, 3, [64, 64, 64], decoder=Graph(dropout=0.5))
    return net, Graph(), field, False


CASES: dict[str, Callable[[], Case]] = {
    "2-D": lambda: image(2, 256, 256),
    "3-D": lambda: image(3, 32, 64, 64),
    "1-D": lambda: (image_unet(1, 1, 3), Grid(1), torch.randn(1, 1, 1 << 14), True),
    "genome": genome,
    "graph": graph,
}


class FullForward(nn.Module):
    """The network without its parts, so that every sample is a full forward pass."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def prefix(self) -> list[nn.Module]:
        return []

    def encode(self, x: Any) -> Any:
        return x

    def decode(self, x: Any) -> Any:
        return self.net(x)


class EncoderOnce(FullForward):
    """The network's two halves, of which the second is repeated."""

    def encode(self, x: Any) -> Any:
        return self.net.encode(x)

    def decode(self, x: Any) -> Any:
        return self.net.decode(x)


def ways_of(net: nn.Module) -> dict[str, nn.Module]:
    """The network as each way has it."""
    fused = fuse_conv_bn(net)
    ways = {"naive": FullForward(fused), "encoder once": EncoderOnce(fused), "shared": fused}
    return {**ways, "as predict does": fuse_layers(net)}


def probabilities(net: nn.Module, geometry: Geometry[Any], field: Any) -> list[Tensor]:
    """Those of the first three samples."""
    found: list[Tensor] = []
    predict_field(net, TASK, geometry, field, 3, watch=lambda t, mean: found.append(mean.clone()))
    return found


@torch.no_grad()
def measure(name: str, rounds: int) -> dict[str, Any]:
    """All figures of one case."""
    torch.manual_seed(0)
    net, geometry, field, lowers = CASES[name]()
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.running_mean, std=0.1)
    ways = ways_of(net.eval())
    naive = probabilities(ways["naive"], geometry, field)
    differences = {
        way: max(float((a - b).abs().max()) for a, b in zip(probabilities(one, geometry, field), naive))
        for way, one in ways.items()
    }
    bf16 = lowers and computes_bf16(CPU)

    def run(one: nn.Module) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            predict_field(one, TASK, geometry, field, SAMPLES)

    seconds: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for place in range(rounds + 1):  # the first is not counted
        for way, one in ways.items():
            started, worked = time.perf_counter(), time.process_time()
            run(one)
            if place:
                seconds[way].append((time.process_time() - worked, time.perf_counter() - started))
    rows = {}
    for way, one in ways.items():
        with FlopCounterMode(display=False) as counter:
            run(one)
        grid = isinstance(geometry, Grid)  # tensors of compressed rows, as graphs have, cannot be counted
        with LiveTensors() if grid else nullcontext() as alive:
            run(one)
        processors, clock = (statistics.median(values) for values in zip(*seconds[way]))
        rows[way] = {
            "operations": round(counter.get_total_flops() / 1e9, 2),
            "processor_seconds": round(processors, 3),
            "seconds": round(clock, 3),
            "peak_megabytes": None if alive is None else round(alive.most / 1e6, 1),
            "largest_difference": differences[way],
        }
    over = {
        way: {key: round(row[key] / rows["naive"][key], 3) for key in ("operations", "processor_seconds", "seconds")}
        for way, row in rows.items()
        if rows["naive"]["operations"]
    }
    return {"bf16": bf16, "samples": SAMPLES, "ways": rows, "over_naive": over}


def main() -> None:
    """Measures the cases that are asked for and keeps the other results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--case", choices=CASES, nargs="*", default=list(CASES))
    chosen = parser.parse_args()
    keep_large_blocks()
    torch.set_num_threads(chosen.threads)
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    about = {"threads": chosen.threads, "rounds": chosen.rounds, "machine": environment()}
    for name in chosen.case:
        results[name] = measure(name, chosen.rounds) | about
        print(name, json.dumps(results[name]["ways"], indent=1), json.dumps(results[name]["over_naive"]), flush=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
