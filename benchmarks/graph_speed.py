"""How fast is the graph U-Net, and what does it need?

- ``speed``: forward and backward of torch-geometric's ``GraphUNet``, of our network with its weights (the same
  mathematics, checked), and of ours with renormalised weights and at most 64 neighbours (the default), on Cora's and on
  PubMed's edges with random features; depth 3, ratio 0.5, width 32. Each step sees a graph of which nothing is
  prepared, or (``kept``) the same field again and again, as in training on one graph. One step of each in turn; ratios
  are medians over the rounds of the ratio within a round, so that what else the machine does hits all alike.
- ``memory``: resident memory while each trains for many steps on Cora, each in a process of its own; also drawn, in
  benchmarks/results/graph_memory.png.
- ``scaling``: time of the default network on random graphs with 4 edges a node, as Cora has, and the exponent that fits
  the times of graphs of 10^4 to 10^6 edges.
- ``depth``: whether ten levels on Cora stay finite in float32 and in bfloat16 autocast, and how far the output moves,
  relative to its largest value, when nodes are renumbered.

    python benchmarks/graph_speed.py [speed memory scaling depth] [--rounds 5] [--steps 1000] [--edges 10000,...]

Reads MULTIUNET_DATA (default ../shared/data beside the checkout); writes benchmarks/results/graph_speed.json.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from multiunet.core import Add, UNet
from multiunet.geometries.graph.edges import TwoHop
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.graph import Graph
from multiunet.geometries.graph.select import TopK
from multiunet.models.graph_unet2019 import from_torch_geometric, graph_unet2019
from multiunet.training.run_folder import environment

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("MULTIUNET_DATA", ROOT.parent / "shared" / "data")) / "graphs"
RESULTS = ROOT / "benchmarks" / "results" / "graph_speed.json"
PICTURE = RESULTS.with_name("graph_memory.png")

FEATURES, WIDTH, CLASSES, DEPTH = 64, 32, 8, 3
Step = Callable[[], Tensor]


def graph(name: str) -> GraphField:
    """The edges of a data set with random features."""
    with np.load(DATA / f"{name}.npz", allow_pickle=False) as arrays:
        edges = torch.from_numpy(arrays["edge_index"].astype(np.int64))
        nodes = int(arrays["num_nodes"]) if "num_nodes" in arrays else len(arrays["x"])
    return GraphField.of(torch.randn(nodes, FEATURES), edges)


def fresh(field: GraphField) -> GraphField:
    """The same graph, nothing of which has been prepared."""
    return GraphField.of(field.x, field.edge_index)


def networks(field: GraphField) -> dict[str, tuple[nn.Module, Step]]:
    """The peer, ours of the same mathematics and weights, and our default; each with its forward pass."""
    from torch_geometric.nn import GraphUNet

    torch.manual_seed(0)
    peer = GraphUNet(FEATURES, WIDTH, CLASSES, DEPTH)
    same = from_torch_geometric(peer)
    ours = graph_unet2019(FEATURES, CLASSES, WIDTH, DEPTH, edges=TwoHop(max_neighbours=64))
    return {
        "peer": (peer, lambda: peer(field.x, field.edge_index)),
        "same": (same, lambda: same(fresh(field)).x),
        "default": (ours, lambda: ours(fresh(field)).x),
        "same_kept": (same, lambda: same(field).x),
        "default_kept": (ours, lambda: ours(field).x),
    }


def seconds(step: Step) -> float:
    started = time.perf_counter()
    step().square().mean().backward()
    return time.perf_counter() - started


def speed(arguments: argparse.Namespace) -> dict[str, Any]:
    """Times by data set and network."""
    found: dict[str, Any] = {}
    for name in ("cora", "pubmed_edges"):
        field = graph(name)
        steps = {kind: step for kind, (_, step) in networks(field).items()}
        with torch.no_grad():
            difference = float((steps["peer"]() - steps["same"]()).abs().max())
        for step in steps.values():
            seconds(step)  # caches and allocators are warm
        rounds = [{kind: seconds(step) for kind, step in steps.items()} for _ in range(arguments.rounds)]
        found[name] = {
            "largest_difference_to_peer": difference,
            "seconds": {kind: statistics.median(times[kind] for times in rounds) for kind in steps},
            "times_as_fast_as_peer": {
                kind: statistics.median(times["peer"] / times[kind] for times in rounds)
                for kind in steps
                if kind != "peer"
            },
        }
    return found


def memory(arguments: argparse.Namespace) -> dict[str, Any]:
    """Resident MiB over the steps, by network."""
    found = {}
    for kind in ("peer", "same", "default"):
        words = [sys.executable, __file__, "--only", kind, "--steps", str(arguments.steps)]
        answer = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
        at = json.loads(answer)
        tenth = at[str(arguments.steps // 10)]
        growth = round(at[str(arguments.steps)] - tenth, 1)
        found[kind] = {"resident_mib_at_step": at, "growth_mib_after_a_tenth": growth}
    draw({kind: found[kind]["resident_mib_at_step"] for kind in found})
    return found


def draw(resident: dict[str, dict[str, float]]) -> None:
    """MiB over the steps, a line for each network."""
    from matplotlib.figure import Figure

    shown = {
        "peer": ("torch-geometric's GraphUNet", "C0o-"),
        "same": ("ours, same mathematics", "C1o-"),
        "default": ("ours, default", "C2--"),  # lies on the one before
    }
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.add_subplot(xlabel="training steps on Cora", ylabel="resident memory (MiB)")
    for kind, at in resident.items():
        label, style = shown[kind]
        axes.plot([int(step) for step in at], list(at.values()), style, label=label)
    axes.set_ylim(bottom=0)
    axes.legend()
    figure.savefig(PICTURE, dpi=120)


def resident(kind: str, steps: int) -> dict[int, float]:
    """MiB held by this process at each tenth of the steps of training one network on Cora."""
    net, step = networks(graph("cora"))[kind]
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    found = {}
    for number in range(1, steps + 1):
        optimizer.zero_grad()
        step().square().mean().backward()
        optimizer.step()
        if number % (steps // 10) == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            found[number] = round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)
    return found


def scaling(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds by the number of edges, the least of the rounds, and the slope of a least-squares line of logarithms."""
    sizes = [int(size) for size in arguments.edges.split(",")]
    times = {}
    for size in sizes:
        g = torch.Generator().manual_seed(0)
        one_way = torch.randint(0, size // 4, (2, size // 2), generator=g)
        field = GraphField.of(torch.randn(size // 4, FEATURES), torch.cat([one_way, one_way.flip(0)], dim=1))
        _, step = networks(field)["default"]
        times[size] = min(seconds(step) for _ in range(arguments.rounds))
    slope = np.polyfit([math.log(size) for size in sizes], [math.log(times[size]) for size in sizes], 1)[0]
    return {"seconds": times, "exponent": float(slope)}


def depth(arguments: argparse.Namespace) -> dict[str, Any]:
    """Ten levels on Cora's edges."""
    field = graph("cora")
    torch.manual_seed(0)
    geometry = Graph(pool=TopK(edges=TwoHop(max_neighbours=64)))
    net = UNet(geometry, FEATURES, CLASSES, [WIDTH] * 11, skip=Add)
    found: dict[str, Any] = {}
    for name, half in (("float32", False), ("bfloat16", True)):
        net.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            output = net(fresh(field)).x
        output.float().square().mean().backward()
        gradients = [parameter.grad for parameter in net.parameters() if parameter.grad is not None]
        found[f"finite_in_{name}"] = bool(all(torch.isfinite(values).all() for values in [output, *gradients]))
    with torch.no_grad():
        output = net(fresh(field)).x
        order = torch.randperm(len(field.x))
        moved = net(GraphField.of(field.x[order], torch.argsort(order)[field.edge_index])).x
        found["renumbering_moves_output_by"] = float((moved - output[order]).abs().max() / output.abs().max())
    return found


QUESTIONS = {"speed": speed, "memory": memory, "scaling": scaling, "depth": depth}


def main() -> None:
    """Answers the chosen questions and keeps the others' results."""
    warnings.filterwarnings("ignore", message="Sparse")  # the peer's products
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", nargs="*", default=list(QUESTIONS), metavar="QUESTION")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--edges", default="10000,30000,100000,300000,1000000")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    if arguments.only:
        print(json.dumps(resident(arguments.only, arguments.steps)))
        return
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for question in arguments.questions:
        load = os.getloadavg()[0]
        results[question] = QUESTIONS[question](arguments) | {"load_before": load, "machine": environment()}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        print(question, json.dumps(results[question], indent=1))


if __name__ == "__main__":
    main()
