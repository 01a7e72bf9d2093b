"""Coarser graphs by learnt soft clusters, and the way back (Bianchi et al. 2020, "MinCutPool").

For small graphs: memory grows with nodes times clusters, time with nodes times clusters squared, and all clusters of a
graph are linked.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from multiunet.core import reads_sites_alone
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.links import Links, spmm
from multiunet.geometries.graph.pooling import Pooling, make_projection


@dataclass(frozen=True)
class MinCut(Pooling):
    """Pool each graph into ``clusters`` nodes; every node goes into all of them, in learnt shares.

    With shares ``S = softmax(mlp(x))`` the clusters have the features ``S^T x`` and the edges ``S^T A S`` without its
    diagonal, divided by the square roots of both ends' sums (Bianchi et al. 2020, eq. 7-8). Two penalties (eq. 5) keep
    clusters apart and balanced: in training the network's output carries them, all pools' together, as ``penalty``, to
    be added to the loss, as ``fit`` does. Each level has the same number of clusters, whatever the stride; give each
    level a ``Graph`` of its own for fewer and fewer. An attribute ``a`` of edges becomes ``S^T (A a) S / S^T A S``, the
    mean by weight and shares.

    Attributes:
        clusters: number of nodes of each pooled graph, at least 2.
        penalty: weight of the penalties.
    """

    clusters: int = 16
    penalty: float = 1.0

    def build_down(self, channels: int, stride: float) -> nn.Module:
        return SoftPool(channels, self.clusters, self.penalty)

    def build_up(self, in_channels: int, out_channels: int) -> nn.Module:
        return Unshare(in_channels, out_channels)


class SoftPool(nn.Module):
    """``field -> field`` of ``clusters`` nodes for each graph; see ``MinCut``.

    Raises:
        ValueError: for fewer than two clusters.
    """

    is_global = True

    def __init__(self, channels: int, clusters: int, penalty: float) -> None:
        super().__init__()
        if clusters < 2:
            raise ValueError(f"clusters {clusters} must be at least 2")
        self.mlp = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, clusters))
        self.clusters = clusters
        self.penalty = penalty

    def forward(self, field: GraphField) -> GraphField:
        weight = field.weights()
        with torch.autocast(field.x.device.type, enabled=False):
            logits = self.mlp(field.x.to(next(self.mlp.parameters()).dtype))
        shares = logits.to(weight.dtype).softmax(dim=1)
        penalised = self.training and self.penalty
        count, device = field.graphs * self.clusters, field.x.device
        parent = _find_central(field, shares)
        x = spmm(field.x, shares.flatten(), _link_members(field, self.clusters, gather=True))
        adjacency = _multiply(field, shares, spmm(shares, weight, field.links()))
        adjacency = adjacency * (1 - torch.eye(self.clusters, device=device, dtype=weight.dtype))
        apart = (1 - torch.eye(self.clusters, device=device)).nonzero().T
        edge_attr = None if field.edge_attr is None else _pool_attributes(field, shares, adjacency, apart)
        size = adjacency.sum(dim=2).clamp_min(torch.finfo(weight.dtype).eps).sqrt()
        adjacency = adjacency / (size[:, :, None] * size[:, None, :])
        target, source = apart
        starts = torch.arange(0, count, self.clusters, device=device)[:, None]
        return GraphField(
            x=x,
            edge_index=torch.stack([(starts + source).flatten(), (starts + target).flatten()]),
            batch=torch.arange(field.graphs, device=device).repeat_interleave(self.clusters),
            edge_weight=adjacency[:, target, source].flatten(),
            graphs=field.graphs,
            parent=parent,
            shares=shares,
            edge_attr=edge_attr,
            penalty=self.penalty * compute_penalties(field, shares).sum() if penalised else None,
        )

    def extra_repr(self) -> str:
        return f"clusters={self.clusters}, penalty={self.penalty}"


class Unshare(nn.Module):
    """``(coarse, skip) -> field`` on the skip's nodes: ``S x``, the mixture of a node's clusters."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.project = make_projection(in_channels, out_channels)

    @reads_sites_alone
    def forward(self, coarse: GraphField, skip: GraphField) -> GraphField:
        if coarse.shares is None:
            raise ValueError("the coarse graph has no shares: it was not softly pooled from the graph of the skip")
        links = _link_members(skip, coarse.shares.shape[1], gather=False)
        return skip.refine(spmm(self.project(coarse.x), coarse.shares.flatten(), links), coarse)


def compute_penalties(field: GraphField, shares: Tensor) -> Tensor:
    """Return cut and imbalance of soft clusters, ``(2,)``, means over the graphs.

    Bianchi et al. 2020, eq. 5:

    ``-tr(S^T A S) / tr(S^T D S)`` and ``| S^T S / |S^T S| - I / sqrt(clusters) |``.
    """
    weight, clusters = field.weights(), shares.shape[1]
    tiny = torch.finfo(weight.dtype).eps
    heard = spmm(shares, weight, field.links())
    degree = spmm(torch.ones_like(shares[:, :1]), weight, field.links())
    inside, all_in = (
        shares.new_zeros(field.graphs).index_add(0, field.batch, (shares * other).sum(dim=1))
        for other in (heard, degree * shares)
    )
    together = _multiply(field, shares, shares)
    size = together.flatten(1).norm(dim=1).clamp_min(tiny)
    even = torch.eye(clusters, device=shares.device, dtype=shares.dtype) / clusters**0.5
    imbalance = (together / size[:, None, None] - even).flatten(1).norm(dim=1)
    return torch.stack([-(inside / all_in.clamp_min(tiny)).mean(), imbalance.mean()])


def _link_members(field: GraphField, clusters: int, gather: bool) -> Links:
    """Link each node with each cluster of its graph, from the nodes (``gather``) or to them."""
    nodes, device = len(field.batch), field.batch.device
    node = torch.arange(nodes, device=device).repeat_interleave(clusters)
    cluster = (field.batch[:, None] * clusters + torch.arange(clusters, device=device)).flatten()
    count = field.graphs * clusters
    if gather:
        return Links(torch.stack([node, cluster]), nodes, count)
    return Links(torch.stack([cluster, node]), count, nodes)


def _multiply(field: GraphField, one: Tensor, other: Tensor) -> Tensor:
    """Return ``one^T other`` for each graph, ``(graphs, clusters, clusters)``."""
    sizes = torch.bincount(field.batch, minlength=field.graphs).tolist()
    return torch.stack([a.T @ b for a, b in zip(one.split(sizes), other.split(sizes))])


def _pool_attributes(field: GraphField, shares: Tensor, adjacency: Tensor, apart: Tensor) -> Tensor:
    """Return attributes of the edges between clusters, ``(graphs * pairs, K)``.

    ``apart``: target and source of the pairs of a graph, ``(2, pairs)``.
    """
    assert field.edge_attr is not None
    weight, (target, source) = field.weights(), apart
    mass = adjacency.clamp_min(torch.finfo(weight.dtype).tiny)
    found = [
        (_multiply(field, shares, spmm(shares, weight * one.to(weight), field.links())) / mass)[:, target, source]
        for one in field.edge_attr.T
    ]
    return torch.stack([one.flatten() for one in found], dim=1)


def _find_central(field: GraphField, shares: Tensor) -> Tensor:
    """Return the node of the largest share in each cluster, graph by graph, ``(graphs * clusters,)``."""
    graph = field.batch[:, None].expand_as(shares)
    shape, shares = (field.graphs, shares.shape[1]), shares.detach()
    largest = shares.new_zeros(shape).scatter_reduce(0, graph, shares, "amax")
    node = torch.arange(len(shares), device=shares.device)[:, None].where(shares == largest[field.batch], 0)
    return torch.zeros(shape, dtype=torch.int64, device=shares.device).scatter_reduce(0, graph, node, "amax").flatten()
