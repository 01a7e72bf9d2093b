"""Coarser graphs: top-k pooling, the edges of the kept nodes, and the way back (Gao & Ji 2019, "Graph U-Nets")."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace

import torch
from torch import Tensor, nn

from multiunet.geometries.graph_field import GraphField


class TopKPool(nn.Module):
    """Keeps the nodes of each graph that score highest along a learnt direction ``p``.

    Gao & Ji 2019, section 3.1: ``score = x p / |p|``; the kept features are multiplied by ``tanh(score)``, through
    which ``p`` learns. ``ceil(nodes / stride)`` nodes of each graph stay, in their old order. The kept graph's edges
    are those of ``two_hop`` (with ``augment``) or of ``induced``.

    Args:
        channels: of the field.
        stride: how many times fewer nodes; any number of at least 1.
        augment: link kept nodes that had at most one node between them.
        max_neighbours: of each node, keep this many incoming edges, the strongest; None: all.
    """

    def __init__(self, channels: int, stride: float, augment: bool, max_neighbours: int | None) -> None:
        super().__init__()
        if not stride >= 1:
            raise ValueError(f"stride {stride} must be at least 1; 2 keeps every other node")
        self.p = nn.Parameter(torch.empty(channels).uniform_(-1, 1) / math.sqrt(channels))
        self.stride = stride
        self.augment = augment
        self.max_neighbours = max_neighbours

    def forward(self, field: GraphField) -> GraphField:
        score = (field.x * self.p).sum(dim=1) / self.p.norm().clamp_min(torch.finfo(torch.float32).tiny)
        kept = top_per_graph(score, field.batch, field.graphs, self.stride)
        edge_index, edge_weight = (two_hop if self.augment else induced)(field, kept)
        if self.max_neighbours is not None:
            edge_index, edge_weight = strongest(edge_index, edge_weight, len(kept), self.max_neighbours)
        return GraphField(
            x=field.x[kept] * torch.tanh(score[kept])[:, None],
            edge_index=edge_index,
            batch=field.batch[kept],
            edge_weight=edge_weight,
            graphs=field.graphs,
            parent=kept,
        )

    def extra_repr(self) -> str:
        return f"channels={len(self.p)}, stride={self.stride}, augment={self.augment}"


class Unpool(nn.Module):
    """``(coarse, skip) -> field`` on the skip's nodes: kept nodes get their features back, all others zeros.

    Gao & Ji 2019, section 3.2; a linear map brings ``c_in`` to ``c_out`` channels where they differ.
    """

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        # without bias, so that mapping before scattering (fewer nodes) equals mapping after it
        self.project = nn.Identity() if c_in == c_out else nn.Linear(c_in, c_out, bias=False)

    def forward(self, coarse: GraphField, skip: GraphField) -> GraphField:
        if coarse.parent is None:
            raise ValueError("the coarse graph has no parent: it was not pooled from the graph of the skip")
        x = self.project(coarse.x)
        return replace(skip, x=x.new_zeros(len(skip.x), x.shape[1]).index_copy(0, coarse.parent, x))


def top_per_graph(score: Tensor, batch: Tensor, graphs: int, stride: float) -> Tensor:
    """Indices of the ``ceil(nodes / stride)`` highest scores of each graph, ascending; ties go to the lower index."""
    counts = torch.bincount(batch, minlength=graphs)
    keep = (counts.double() / stride).ceil().long()
    by_score = torch.argsort(score.detach(), descending=True, stable=True)
    order = by_score[torch.argsort(batch[by_score], stable=True)]
    rank = torch.arange(len(order), device=order.device) - (counts.cumsum(0) - counts)[batch[order]]
    kept: Tensor = order[rank < keep[batch[order]]].sort().values
    return kept


def induced(field: GraphField, kept: Tensor) -> tuple[Tensor, Tensor]:
    """The edges between kept nodes, numbered anew, with their weights."""
    place = _places(kept, len(field.x))
    ends = place[field.edge_index]
    inside = (ends >= 0).all(dim=0)
    return ends[:, inside], field.weights()[inside]


def two_hop(field: GraphField, kept: Tensor) -> tuple[Tensor, Tensor]:
    """The edges of ``(A + I)^2`` between kept nodes without self-loops, renormalised.

    Gao & Ji 2019, eq. 4. Only kept rows times kept columns are multiplied, a quarter of the work at stride 2.
    The result is divided by the square roots of its two ends' degrees (Kipf & Welling 2017, eq. 2): powers of raw path
    counts leave float32 after six levels.
    """
    nodes = len(field.x)
    place = _places(kept, nodes)
    loop_free = field.edge_index[0] != field.edge_index[1]
    source, target = field.edge_index[:, loop_free]
    weight = field.weights()[loop_free]
    own = torch.arange(len(kept), device=kept.device)
    ones = weight.new_ones(len(kept))
    enters, leaves = place[target] >= 0, place[source] >= 0
    into = torch.stack([torch.cat([place[target[enters]], own]), torch.cat([source[enters], kept])])
    out_of = torch.stack([torch.cat([target[leaves], kept]), torch.cat([place[source[leaves]], own])])
    product = _sparse_product(
        into, torch.cat([weight[enters], ones]), out_of, torch.cat([weight[leaves], ones]), len(kept), nodes
    )
    target, source = product.indices()
    linked = target != source
    return _renormalised(torch.stack([source[linked], target[linked]]), product.values()[linked], len(kept))


def strongest(edge_index: Tensor, weight: Tensor, nodes: int, count: int) -> tuple[Tensor, Tensor]:
    """Of each node's incoming edges the ``count`` of largest weight, in their old order; ties go to the earlier."""
    target = edge_index[1]
    degree = torch.bincount(target, minlength=nodes)
    by_weight = torch.argsort(weight.detach().abs(), descending=True, stable=True)
    order = by_weight[torch.argsort(target[by_weight], stable=True)]
    rank = torch.arange(len(order), device=order.device) - (degree.cumsum(0) - degree)[target[order]]
    chosen = order[rank < count].sort().values
    return edge_index[:, chosen], weight[chosen]


def _places(kept: Tensor, nodes: int) -> Tensor:
    """Each node's number among the kept ones, -1 for the others."""
    place = kept.new_full((nodes,), -1)
    place[kept] = torch.arange(len(kept), device=kept.device)
    return place


def _sparse_product(a: Tensor, a_values: Tensor, b: Tensor, b_values: Tensor, outer: int, inner: int) -> Tensor:
    """The product of two sparse matrices, ``(outer, inner)`` times ``(inner, outer)``, coalesced."""
    with torch.autocast(a.device.type, enabled=False), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse")  # torch's remarks on its own internals
        # COO on both sides: the product of two CSR matrices leaks memory on the CPU
        left = torch.sparse_coo_tensor(a, a_values, (outer, inner), check_invariants=False)
        right = torch.sparse_coo_tensor(b, b_values, (inner, outer), check_invariants=False)
        product: Tensor = torch.sparse.mm(left, right).coalesce()
    return product


def _renormalised(edge_index: Tensor, weight: Tensor, nodes: int) -> tuple[Tensor, Tensor]:
    source, target = edge_index
    size = weight.abs()
    out_degree = size.new_zeros(nodes).index_add(0, source, size)
    in_degree = size.new_zeros(nodes).index_add(0, target, size)
    return edge_index, weight / (out_degree[source].sqrt() * in_degree[target].sqrt())
