"""How many edges do parts of a graph lose, cut by Voronoi cells and by METIS?

Cora and PubMed (edges alone), parts of a tenth of the nodes, seeds 0 to 2. ``inside``: share of edges within a patch.
``kept``: share of the edges of a node that are in the part that holds it, the mean over 200 random parts. With
``--train``, also the accuracy on Cora's public test split of ``train graph --batch-nodes 271``, seed 0 to 2.

    python benchmarks/graph_parts.py [--train]

Needs pymetis. Writes benchmarks/results/graph_parts.json.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import multiunet
from multiunet.domains.graph.nodes.config import GraphEvaluate, GraphTrain
from multiunet.domains.graph.nodes.metis import cut_by_metis
from multiunet.domains.graph.nodes.parts import PATCHES, cut_patches
from multiunet.progress import Progress

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("MULTIUNET_DATA", ROOT.parent / "shared" / "data")) / "graphs"
RESULTS = ROOT / "benchmarks" / "results" / "graph_parts.json"
CUTS = {"voronoi": cut_patches, "metis": cut_by_metis}
SEEDS = range(3)


def kept_edges(edges: NDArray[np.int64], patch: NDArray[np.int64], nodes: int, rng: np.random.Generator) -> float:
    """Return the share of edges with both ends in a random part, of those with one end in it."""
    sizes, shares = np.bincount(patch), []
    for _ in range(200):
        order = rng.permutation(len(sizes))
        taken = np.zeros(len(sizes), dtype=bool)
        taken[order[sizes[order].cumsum() <= nodes]] = True
        inside = taken[patch][edges]
        shares.append(inside.all(axis=0).sum() / inside[0].sum())
    return float(np.mean(shares))


def measure_cuts(edges: NDArray[np.int64], count: int) -> dict[str, Any]:
    """Cut a graph in both ways, and return what is lost."""
    size, found = count // 10, {}
    for name, cut in CUTS.items():
        inside, kept, seconds = [], [], []
        for seed in SEEDS:
            started = time.process_time()
            patch = cut(edges, count, size // PATCHES, seed)
            seconds.append(time.process_time() - started)
            inside.append(float((patch[edges[0]] == patch[edges[1]]).mean()))
            kept.append(kept_edges(edges, patch, size, np.random.default_rng(seed)))
        found[name] = {
            "inside": round(float(np.mean(inside)), 3),
            "kept": round(float(np.mean(kept)), 3),
            "cpu_seconds": round(float(np.mean(seconds)), 3),
        }
    return found


def train(folder: Path, partition: str, seed: int) -> float:
    """Train on Cora in parts, and return the accuracy on its test nodes."""
    graph = DATA / "cora.npz"
    config = GraphTrain(graph=graph, batch_nodes=271, epochs=40, seed=seed, partition=partition)  # type: ignore[arg-type]
    multiunet.train("graph", config, folder, progress=Progress())
    return float(multiunet.evaluate(folder, GraphEvaluate(samples=1)).metrics["accuracy"])


def main() -> None:
    """Measure, and keep what is found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--train", type=Path, help="folder for runs of Cora")
    options = parser.parse_args()
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name, file in (("cora", "cora.npz"), ("pubmed", "pubmed_edges.npz")):
        with np.load(DATA / file) as archive:
            edges = archive["edge_index"].astype(np.int64)
        known[name] = measure_cuts(edges, int(edges.max()) + 1)
        print(name, known[name], flush=True)
    if options.train is not None:
        for partition in CUTS:
            scores = [train(options.train / f"{partition}-{seed}", partition, seed) for seed in SEEDS]
            known.setdefault("accuracy", {})[partition] = [round(score, 4) for score in scores]
            print(partition, scores, flush=True)
    RESULTS.write_text(json.dumps(known, indent=2) + "\n")


if __name__ == "__main__":
    main()
