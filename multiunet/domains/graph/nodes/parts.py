"""Parts of a graph that is too large to be trained on at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import scipy.sparse
import torch
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from multiunet.domains.graph.features.signs import flip_signs
from multiunet.domains.graph.nodes.dataset import repeated, training_sample
from multiunet.domains.graph.nodes.survey import Survey
from multiunet.geometries.graph.field import GraphField
from multiunet.seeds import generator
from multiunet.training.data import Sample, TrainingData

PATCHES = 16
"""Of which a part consists, at least."""


Cut = Callable[[NDArray[np.int64], int, int, int], NDArray[np.int64]]
"""Edges ``(2, edges)``, number of nodes, nodes of a patch at most, seed; to the number of each node's patch."""


class GraphParts(TrainingData[GraphField]):
    """Random parts of a graph, each with the edges among its nodes.

    Cluster-GCN (Chiang et al. 2019, section 3.2). The graph is cut into patches once, see ``cut_patches``. A part is a
    random patch that has training nodes, and random others as long as they fit; edges between its patches are there,
    too, and degrees are those within the part. A pass has as many parts as hold all nodes.

    Args:
        nodes: of a part, at most; fewer than the graph has.
        seed: of the patches.
        views: how often the part is in the batch, as in ``WholeGraph``.
        cut: makes the patches.
    """

    def __init__(self, known: Survey, nodes: int, seed: int, views: int = 1, cut: Cut | None = None) -> None:
        self.sample, self.nodes, self.views = training_sample(known), nodes, views
        self.flipped = known.info.inputs.flipped
        count = known.field.x.shape[0]
        self.parts = -(-count // nodes)
        self.patch = (cut or cut_patches)(known.field.edge_index.numpy(), count, max(1, nodes // PATCHES), seed)
        self.sizes = np.bincount(self.patch)
        self.labelled = np.unique(self.patch[known.masks["train"]])

    def __len__(self) -> int:
        return self.parts

    def draw(self, item: int, rng: np.random.Generator) -> Sample[GraphField]:
        order = rng.permutation(len(self.sizes))
        first = rng.choice(self.labelled)
        order = np.concatenate([[first], order[order != first]])
        taken = np.zeros(len(self.sizes), dtype=bool)
        taken[order[self.sizes[order].cumsum() <= self.nodes]] = True
        found = repeated(part(self.sample, torch.from_numpy(np.flatnonzero(taken[self.patch]))), self.views)
        return found if self.flipped is None else replace(found, field=flip_signs(found.field, self.flipped, rng))


def part(sample: Sample[GraphField], kept: Tensor) -> Sample[GraphField]:
    """The nodes ``kept``, ascending, of a sample of one graph, and the edges among them."""
    field, weight = sample.field, sample.weight
    place = torch.full((field.x.shape[0],), -1)
    place[kept] = torch.arange(len(kept))
    ends = place[field.edge_index]
    inside = (ends >= 0).all(dim=0)
    edge_weight, edge_attr = (
        None if known is None else known[inside] for known in (field.edge_weight, field.edge_attr)
    )
    x = field.x.index_select(0, kept)
    return Sample(
        GraphField.of(x.coalesce() if x.is_sparse else x, ends[:, inside], edge_weight, edge_attr),
        sample.target[kept],
        None if weight is None else weight[kept],
    )


def cut_patches(edges: NDArray[np.int64], nodes: int, size: int, seed: int) -> NDArray[np.int64]:
    """Cut a graph into patches of at most ``size`` nodes near each other.

    Returns:
        The number of each node's patch, ``(nodes,)``.

    They are the cells of the graph's Voronoi diagram (Erwig 2000): all grow at once from random nodes, edge by edge,
    and a node belongs to the one that reaches it first. Those that have grown too large are cut, the nodes near the
    start first. Components in which no cell began are put together, as many as fit.

    Args:
        edges: source and target, ``(2, edges)``; directions do not matter.
    """
    both = np.concatenate([edges, edges[::-1]], axis=1)
    links = scipy.sparse.csr_array((np.ones(both.shape[1], np.int8), (both[0], both[1])), shape=(nodes, nodes))
    front = generator("fronts", seed, nodes, size).choice(nodes, -(-nodes // size), replace=False)
    cell, reached = np.full(nodes, -1), np.zeros(nodes, np.int64)
    cell[front] = np.arange(len(front))
    cells, clock = len(front), 0
    while len(front):
        clock += 1
        counts = np.diff(links.indptr)[front]
        within = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
        found, owner = links.indices[np.repeat(links.indptr[front], counts) + within], np.repeat(cell[front], counts)
        free = cell[found] < 0
        front, first = np.unique(found[free], return_index=True)
        cell[front], reached[front] = owner[free][first], clock
    if len(rest := np.flatnonzero(cell < 0)):
        # in the order of components: each lies in as few patches as can be
        _, component = connected_components(links, directed=False)
        rest = rest[np.argsort(component[rest], kind="stable")]
        cell[rest] = cells + np.arange(len(rest)) // size
    order = np.lexsort((reached, cell))
    counts = np.bincount(cell)
    place = np.arange(nodes) - np.repeat(counts.cumsum() - counts, counts)
    piece = np.empty(nodes, np.int64)
    piece[order] = place // size
    _, number = np.unique(cell * nodes + piece, return_inverse=True)
    return np.asarray(number)
