"""Does a graph of a million nodes train within 16 GiB, and what does it take?

A random graph with 5 edges a node (mean degree 10), 32 features, 4 classes, half of the nodes for training; the default
network with four ways down (widths 64,64,64,64,64). Each question is a process of its own, whose address space is
limited to 16 GiB, and whose peak resident memory is told by the system when it ends.

- ``parts``: ``multiunet train graph --batch-nodes 100000``, one pass, then validation on the whole graph.
- ``whole``: the same with steps on the whole graph.
- ``predict``: ``multiunet predict graph --samples 1`` of the whole graph with the run of ``parts``.
- ``peer``: one forward and backward pass of torch-geometric's ``GraphUNet`` of the same depth, ratios and width.

    python benchmarks/large_graph.py [parts whole predict peer] [--nodes 1000000]

Writes benchmarks/results/large_graph.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from multiunet.training.run_folder import environment

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "large_graph.json"

LIMIT = 16 << 30
FEATURES, WIDTH, CLASSES, DEPTH, EDGES = 32, 64, 4, 4, 5
WIDTHS = ",".join([str(WIDTH)] * (DEPTH + 1))
COMMAND = [sys.executable, "-m", "multiunet_cli"]


def write_graph(path: Path, nodes: int) -> None:
    """The graph; features hint at the class."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, CLASSES, nodes)
    x = rng.normal(0, 1, (nodes, FEATURES)).astype(np.float32)
    x[np.arange(nodes), y] += 1
    split = rng.random(nodes)
    masks = {"train_mask": split < 0.5, "val_mask": (split >= 0.5) & (split < 0.75), "test_mask": split >= 0.75}
    np.savez(path, x=x, edge_index=rng.integers(0, nodes, (2, EDGES * nodes)), y=y, **masks)


def measured(command: list[str], threads: int = 1) -> dict[str, Any]:
    """Seconds and peak resident memory of a command within the limit, and the last words of one that fails."""
    started = time.monotonic()
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))  # noqa: E731
    environ = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(command, stdout=log, stderr=log, env=environ, preexec_fn=limit)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        words = log.read().decode(errors="replace").strip().splitlines()
    found: dict[str, Any] = {
        "completes": child.returncode == 0,
        "seconds": round(time.monotonic() - started, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_resident_gib": round(usage.ru_maxrss / 2**20, 2),
    }
    return found if child.returncode == 0 else found | {"exit_code": child.returncode, "last_words": words[-1:]}


def train(folder: Path, name: str, *more: str) -> dict[str, Any]:
    """One pass from the command line, with the seconds of the pass without reading, and what it scored."""
    run = folder / name
    words = ["train", "graph", "--graph", str(folder / "large.npz"), "--out", str(run), "--epochs", "1"]
    found = measured([*COMMAND, *words, "--widths", WIDTHS, *more])
    if found["completes"]:
        row = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
        found |= {"seconds_of_the_pass": row["seconds"], "val_accuracy": row["val_accuracy"]}
    return found


def parts(folder: Path) -> dict[str, Any]:
    return train(folder, "parts", "--batch-nodes", "100000")


def whole(folder: Path) -> dict[str, Any]:
    return train(folder, "whole", "--batch-nodes", str(10**9))


def predict(folder: Path) -> dict[str, Any]:
    out = folder / "p.zarr"
    return measured([*COMMAND, "predict", "graph", "--run", str(folder / "parts"), "--out", str(out), "--samples", "1"])


def peer(folder: Path) -> dict[str, Any]:
    return measured([sys.executable, __file__, "--only-peer", str(folder / "large.npz")])


def run_peer(path: str) -> None:
    """One pass of the peer."""
    import torch
    from torch_geometric.nn import GraphUNet
    from torch_geometric.utils import to_undirected

    with np.load(path, allow_pickle=False) as arrays:
        x, edges = torch.from_numpy(arrays["x"]), to_undirected(torch.from_numpy(arrays["edge_index"]))
    GraphUNet(FEATURES, WIDTH, CLASSES, DEPTH)(x, edges).square().mean().backward()


QUESTIONS = {"parts": parts, "whole": whole, "predict": predict, "peer": peer}


def main() -> None:
    """Answers the chosen questions and keeps the others' results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", nargs="*", default=list(QUESTIONS), metavar="QUESTION")
    parser.add_argument("--nodes", type=int, default=1_000_000)
    parser.add_argument("--only-peer", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only_peer:
        run_peer(arguments.only_peer)
        return
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    with tempfile.TemporaryDirectory() as name:
        write_graph(Path(name) / "large.npz", arguments.nodes)
        for question in arguments.questions:
            load = os.getloadavg()[0]
            found = QUESTIONS[question](Path(name)) | {"nodes": arguments.nodes, "limit_gib": LIMIT / 2**30}
            results[question] = found | {"load_before": load, "machine": environment()}
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
            print(question, json.dumps(found, indent=1), flush=True)


if __name__ == "__main__":
    main()
