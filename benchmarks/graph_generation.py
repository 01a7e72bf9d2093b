"""Does a generator on a graph draw from the law of its data?

The data are a Gaussian Markov field on a ring of 16 nodes with four chords: its precision is the graph's Laplacian
plus a tenth of the identity, scaled so that the mean variance is 1. A ``UNet`` on ``Graph()`` with EDM's
parameterisation is trained through ``fit`` for less than a minute of one processor. The covariance of 768 samples of 40
Heun steps is then compared with the true one, beside as many true samples, and beside samples of the exact denoiser
with the same noise.

    OMP_NUM_THREADS=1 python benchmarks/graph_generation.py [--seeds 0 1 2] [--epochs 6]

Needs no data; adds to benchmarks/results/graph_generation.json.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from multiunet import Graph, GraphField, Recipe, Sample, TrainingData, UNet, fit
from multiunet.core import ConditionEmbedding, Fourier
from multiunet.diffusion import EDM, Denoiser, Denoising, DiffusionData, Preconditioned, Sampler, SiteNoise
from multiunet.geometries.graph.conv import SAGE
from multiunet.geometries.graph.merge import HeavyEdgeMatching
from multiunet.training.run_folder import environment

RESULTS = Path(__file__).parent / "results" / "graph_generation.json"
NODES, SAMPLES, STEPS = 16, 768, 40
CHORDS = ((0, 8), (2, 13), (4, 11), (6, 15))


def make_edges() -> Tensor:
    """Both directions of each edge, ``(2, edges)``."""
    ring = [(node, (node + 1) % NODES) for node in range(NODES)]
    ends = torch.tensor([*ring, *CHORDS]).T
    return torch.cat([ends, ends.flip(0)], dim=1)


def make_covariance() -> Tensor:
    """Covariance of the field, ``(nodes, nodes)``, of mean variance 1."""
    adjacency = torch.zeros(NODES, NODES, dtype=torch.float64)
    adjacency[tuple(make_edges())] = 1
    precision = torch.diag(adjacency.sum(dim=1)) - adjacency + 0.1 * torch.eye(NODES, dtype=torch.float64)
    covariance = torch.linalg.inv(precision)
    return covariance / covariance.diagonal().mean()


class MarkovField(TrainingData[GraphField]):
    """New samples of the field in each draw."""

    def __init__(self) -> None:
        self.root = torch.linalg.cholesky(make_covariance()).float()
        self.empty = GraphField.of(torch.zeros(NODES, 0), make_edges())

    def __len__(self) -> int:
        return 12_800

    def draw(self, item: int, rng: np.random.Generator) -> Sample[GraphField]:
        noise = torch.from_numpy(rng.standard_normal((NODES, 1), dtype=np.float32))
        return Sample(self.empty, self.root @ noise)


def relative_error(samples: Tensor) -> float:
    """Distance of the samples' covariance from the true one, ``samples``: ``(samples, nodes)``."""
    true = make_covariance()
    found = samples.double().T @ samples.double() / len(samples)
    return float((found - true).norm() / true.norm())


def denoise_exactly(x: Tensor, sigma: float) -> Tensor:
    """Return the expected field, of samples one after the other, ``(samples * nodes, 1)``."""
    covariance = make_covariance()
    matrix = torch.linalg.solve(covariance + sigma**2 * torch.eye(NODES, dtype=torch.float64), covariance)
    return (x.reshape(-1, NODES) @ matrix.to(x)).reshape(-1, 1)


def run(seed: int, epochs: int) -> dict[str, Any]:
    torch.manual_seed(seed)
    parts = {"conv": SAGE(), "pool": HeavyEdgeMatching(), "convs": 2, "residual": True, "condition_channels": 64}
    graph = Graph(activation="silu", **parts)
    net = UNet(graph, 1, 1, [48, 96], embed=ConditionEmbedding(64, noise=Fourier(32)))
    clean, told = MarkovField(), Preconditioned(sigma_data=1.0)
    data = DiffusionData(clean, graph, told, EDM(sigma_data=1.0))
    started = time.process_time()
    recipe = Recipe(epochs=epochs, batch_size=64, lr=3e-3, ema=0.995, seed=seed, precision="32", device="cpu")
    fit(net, Denoising(), graph, data, recipe=recipe)
    seconds = time.process_time() - started
    field = GraphField.union([clean.empty] * SAMPLES)
    denoise = Denoiser(net.eval(), told, graph).on(field)
    noise = SiteNoise(graph, seed).on(field, range(SAMPLES), 1)
    sampler = Sampler(EDM(sigma_data=1.0).sigmas(STEPS))
    drawn, exact = (sampler.run(by, noise).reshape(SAMPLES, NODES) for by in (denoise, denoise_exactly))
    true = torch.randn(SAMPLES, NODES, generator=torch.Generator().manual_seed(seed)) @ clean.root.T
    return {
        "seed": seed,
        "cpu_seconds": round(seconds, 1),
        "steps": epochs * len(clean) // 64,
        "error": round(relative_error(drawn), 4),
        "error_of_exact_denoiser": round(relative_error(exact), 4),
        "error_of_true_samples": round(relative_error(true), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=6)
    given = parser.parse_args()
    rows = []
    for seed in given.seeds:
        rows.append(run(seed, given.epochs))
        print(json.dumps(rows[-1]), flush=True)
    RESULTS.write_text(json.dumps({"environment": environment(), "runs": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
