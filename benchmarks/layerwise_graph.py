"""Is a graph of ten million nodes predicted layer by layer within 16 GiB, and as the whole is?

A random graph with 5 edges a node, both ways (mean degree 10), 32 features, 4 classes; a graph U-Net with four ways
down (widths 64,64,64,64,64), pooled by top-k with edges of two steps, at most 8 a node. Weights are random: neither
time nor memory depends on them. Each size is a process of its own whose data are limited to 16 GiB (``RLIMIT_DATA``:
files that are mapped into memory do not count, the system may take their room back at any time). Up to ``--whole``
nodes the prediction at once is made, too, and compared.

    python benchmarks/layerwise_graph.py [--nodes 100000 1000000 10000000] [--part 100000] [--whole 100000]

Writes benchmarks/results/layerwise_graph.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "layerwise_graph.json"

LIMIT = 16 << 30
FEATURES, WIDTH, CLASSES, WAYS, EDGES, NEIGHBOURS = 32, 64, 4, 4, 5, 8


class Watch:
    """Peak of the memory that this process has for itself, looked at ten times a second."""

    def __enter__(self) -> Watch:
        self.peak, self._ends = 0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ends.wait(0.1):
            status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
            self.peak = max(self.peak, int(status["RssAnon"].split()[0]) << 10)


def measure(nodes: int, part: int, whole: bool, folder: Path) -> dict[str, Any]:
    """Seconds, memory and, with ``whole``, the largest difference from the prediction at once."""
    import torch

    from multiunet import Graph, Segmentation
    from multiunet.geometries.graph.edges import TwoHop
    from multiunet.geometries.graph.field import GraphField
    from multiunet.geometries.graph.select import TopK
    from multiunet.models.graph_unet import graph_unet
    from multiunet.prediction import predict_field
    from multiunet.prediction.layerwise import predict_by_layers

    torch.manual_seed(0)
    geometry = Graph(pool=TopK(edges=TwoHop(max_neighbours=NEIGHBOURS)))
    net = graph_unet(FEATURES, CLASSES, [WIDTH] * (WAYS + 1), geometry=geometry).eval()
    ends = torch.randint(0, nodes, (2, EDGES * nodes))
    field = GraphField.of(torch.randn(nodes, FEATURES), torch.cat([ends, ends.flip(0)], dim=1))
    del ends
    task = Segmentation([f"class {number}" for number in range(CLASSES)])
    started, began = time.monotonic(), time.process_time()
    with Watch() as watch:
        found = predict_by_layers(net, task, field, part, folder)
    report: dict[str, Any] = {
        "nodes": nodes,
        "edges": field.edge_index.shape[1],
        "part": part,
        "seconds": round(time.monotonic() - started, 1),
        "cpu_seconds": round(time.process_time() - began, 1),
        "own_memory_gib": round(watch.peak / 2**30, 2),
    }
    if whole:
        started = time.monotonic()
        with Watch() as watch:
            expected = predict_field(net, task, geometry, field)
        report |= {
            "whole_seconds": round(time.monotonic() - started, 1),
            "whole_own_memory_gib": round(watch.peak / 2**30, 2),
            "largest_difference": float((found.mean - expected.mean).abs().max()),
        }
    return report


def main() -> None:
    """Measure each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--part", type=int, default=100_000)
    parser.add_argument("--whole", type=int, default=100_000, help="compare with the whole up to so many nodes")
    parser.add_argument("--folder", type=Path, default=None, help="where features lie meanwhile")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            [nodes] = given.nodes
            print(json.dumps(measure(nodes, given.part, nodes <= given.whole, Path(folder))))
        return
    from multiunet.training.run_folder import environment

    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"sizes": {}}
    more = [] if given.folder is None else ["--folder", str(given.folder)]
    for nodes in given.nodes:
        words = [sys.executable, __file__, "--one", "--nodes", str(nodes), "--part", str(given.part), *more]
        limit = lambda: resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))  # noqa: E731
        done = subprocess.run(
            [*words, "--whole", str(given.whole)], capture_output=True, text=True, preexec_fn=limit, check=False
        )
        row = json.loads(done.stdout) if done.returncode == 0 else {"last_words": done.stderr.splitlines()[-1:]}
        print(nodes, row, flush=True)
        found["sizes"][str(nodes)] = row
    RESULTS.write_text(json.dumps(found | {"environment": environment()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
