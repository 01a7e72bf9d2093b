"""Coarser graphs by selection of nodes, and the way back (Gao & Ji 2019; Lee et al. 2019)."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor, nn

from multiunet.core import reads_sites_alone
from multiunet.geometries.choices import check_choice, check_least
from multiunet.geometries.graph.attributes import pool_edge_attr
from multiunet.geometries.graph.edges import CoarseEdges, TwoHop, index_kept
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.links import spmm
from multiunet.geometries.graph.pooling import Pooling, make_projection

Gate = Literal["tanh", "sigmoid"]
GATES = {"tanh": torch.tanh, "sigmoid": torch.sigmoid}


@dataclass(frozen=True)
class Selection(Pooling):
    """Keep the nodes of each graph that score highest.

    Attributes:
        gate: function of the score that multiplies the kept features, and through which the score learns.
        nodes: number of nodes to keep of each graph, or all where there are fewer; None: ``ceil(nodes / stride)``.
        edges: links the kept nodes. Attributes stay with their edges; edges of two steps have zeros.

    Raises:
        ValueError: when a setting is not one of those known, or out of range.
    """

    gate: Gate = "tanh"
    nodes: int | None = None
    edges: CoarseEdges = field(default_factory=TwoHop)

    def __post_init__(self) -> None:
        check_choice("gate", self.gate, GATES)
        if self.nodes is not None:
            check_least("nodes", self.nodes, 1)
        if not isinstance(self.edges, CoarseEdges):
            raise ValueError(f"edges {self.edges!r} must be CoarseEdges, e.g. Induced() or TwoHop()")

    @abstractmethod
    def build_score(self, channels: int) -> nn.Module:
        """Make ``field -> scores``, ``(nodes,)``."""

    def build_down(self, channels: int, stride: float) -> nn.Module:
        return SelectPool(self.build_score(channels), stride, self)

    def build_up(self, in_channels: int, out_channels: int) -> nn.Module:
        return Unpool(in_channels, out_channels)


@dataclass(frozen=True)
class TopK(Selection):
    """Score nodes along a learnt direction (Gao & Ji 2019, section 3.1)."""

    def build_score(self, channels: int) -> nn.Module:
        return Direction(channels)


@dataclass(frozen=True)
class SAG(Selection):
    """Score nodes by a graph convolution, so that neighbours count.

    Lee et al. 2019, "Self-attention graph pooling", eq. 3, with the convolution of Morris et al. 2019.
    """

    def build_score(self, channels: int) -> nn.Module:
        return SAGScore(channels)


class Direction(nn.Module):
    """``field -> scores``: ``x p / |p|``, ``(nodes,)``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.empty(channels).uniform_(-1, 1) / math.sqrt(channels))

    def forward(self, field: GraphField) -> Tensor:
        length = self.p.norm().clamp_min(torch.finfo(torch.float32).tiny)
        score: Tensor = (field.x * self.p).sum(dim=1) / length
        return score


class SAGScore(nn.Module):
    """``field -> scores``: ``x_i u + sum_j w_ij x_j v + b``, ``(nodes,)``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.own = nn.Linear(channels, 1)
        self.neighbours = nn.Linear(channels, 1, bias=False)

    def forward(self, field: GraphField) -> Tensor:
        heard = spmm(self.neighbours(field.x), field.weights(), field.links())
        score: Tensor = self.own(field.x) + heard
        return score[:, 0]


class SelectPool(nn.Module):
    """``field -> field``: keep the nodes of highest score, in their old order.

    Args:
        score: ``field -> scores``, ``(nodes,)``.
        stride: ratio of fine to coarse nodes, at least 1.
        kind: the other settings.

    Raises:
        ValueError: for a stride below 1.
    """

    is_global = True

    def __init__(self, score: nn.Module, stride: float, kind: Selection) -> None:
        super().__init__()
        if not stride >= 1:
            raise ValueError(f"stride {stride} must be at least 1; 2 keeps every other node")
        self.score = score
        self.stride = stride
        self.kind = kind

    def forward(self, field: GraphField) -> GraphField:
        coarse, gate = self.select(field, self.score(field))
        assert coarse.parent is not None
        return replace(coarse, x=field.x[coarse.parent] * gate)

    def select(self, field: GraphField, score: Tensor) -> tuple[GraphField, Tensor]:
        """Return the coarser graph, without features, and the gate of each of its nodes, ``(nodes, 1)``.

        The gate multiplies the features of the nodes that are kept.

        Args:
            score: of each node, ``(nodes,)``.
        """
        kept = select_top(score, field.batch, field.graphs, self.stride, self.kind.nodes)
        edge_index, edge_weight = self.kind.edges(field, kept, score[kept])
        edge_attr = None
        if field.edge_attr is not None:
            ends = index_kept(kept, field.x.shape[0])[field.edge_index]
            edge_attr = pool_edge_attr(ends, field.weights(), field.edge_attr, edge_index, len(kept))
        coarse = GraphField(
            x=score.new_empty(len(kept), 0),
            edge_index=edge_index,
            batch=field.batch[kept],
            edge_weight=edge_weight,
            graphs=field.graphs,
            parent=kept,
            edge_attr=edge_attr,
        )
        return coarse, GATES[self.kind.gate](score[kept])[:, None]

    def extra_repr(self) -> str:
        return f"stride={self.stride}, kind={self.kind}"


class Unpool(nn.Module):
    """``(coarse, skip) -> field`` on the skip's nodes: kept nodes get their features, all others zeros.

    Gao & Ji 2019, section 3.2; a linear map brings ``in_channels`` to ``out_channels`` channels where they differ.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.project = make_projection(in_channels, out_channels)

    @reads_sites_alone
    def forward(self, coarse: GraphField, skip: GraphField) -> GraphField:
        if coarse.parent is None:
            raise ValueError("the coarse graph has no parent: it was not pooled from the graph of the skip")
        x = self.project(coarse.x)
        return skip.refine(x.new_zeros(len(skip.x), x.shape[1]).index_copy(0, coarse.parent, x), coarse)


def select_top(score: Tensor, batch: Tensor, graphs: int, stride: float, nodes: int | None = None) -> Tensor:
    """Return the numbers of the best nodes of each graph, ascending; ties go to the lower number.

    Args:
        score: score of each node, ``(nodes,)``.
        batch: number of the graph of each node, ``(nodes,)``.
        graphs: number of graphs.
        stride: of each graph the share ``1 / stride`` is kept, rounded up.
        nodes: keep this many of each graph instead.
    """
    counts = torch.bincount(batch, minlength=graphs)
    keep = _count_kept(counts, stride) if nodes is None else counts.clamp_max(nodes)
    by_score = torch.argsort(score.detach(), descending=True, stable=True)
    order = by_score[torch.argsort(batch[by_score], stable=True)]
    rank = torch.arange(len(order), device=order.device) - (counts.cumsum(0) - counts)[batch[order]]
    kept: Tensor = order[rank < keep[batch[order]]].sort().values
    return kept


def _count_kept(counts: Tensor, stride: float) -> Tensor:
    """``ceil(counts / stride)``."""
    # in float64, which not every device has; a stride is the rounded reciprocal of a ratio, and 7.0000001 nodes are 7
    exact = counts.cpu().double() / stride
    return (exact * (1 - 1e-12)).ceil().long().to(counts.device)
