"""Coarser graphs by selection of nodes, and the way back (Gao & Ji 2019, "Graph U-Nets"; Lee et al. 2019)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from multiunet.geometries.choices import check_choice, check_least
from multiunet.geometries.graph.attributes import carried
from multiunet.geometries.graph.edges import CoarseEdges, TwoHop, places
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.links import spread

Gate = Literal["tanh", "sigmoid"]
GATES = {"tanh": torch.tanh, "sigmoid": torch.sigmoid}


class Pooling(ABC):
    """A pair of operators: to a coarser graph, and from it onto the nodes of the finer one."""

    @abstractmethod
    def down(self, channels: int, stride: float) -> nn.Module:
        """``field -> field`` with about ``stride`` times fewer nodes.

        Raises:
            ValueError: for a stride that it cannot have.
        """

    @abstractmethod
    def up(self, c_in: int, c_out: int) -> nn.Module:
        """``(coarse, skip) -> field`` on the skip's nodes."""


@dataclass(frozen=True)
class Selection(Pooling):
    """Keeps the nodes of each graph that score highest.

    Attributes:
        gate: of the score, times which the kept features go on, and through which the score learns.
        nodes: keep so many of each graph, or all where there are fewer; None: ``ceil(nodes / stride)``.
        edges: how the kept nodes are linked. Attributes stay with their edges; edges of two steps have zeros.
    """

    gate: Gate = "tanh"
    nodes: int | None = None
    edges: CoarseEdges = field(default_factory=TwoHop)

    def __post_init__(self) -> None:
        check_choice("gate", self.gate, GATES)
        if self.nodes is not None:
            check_least("nodes", self.nodes, 1)
        if not isinstance(self.edges, CoarseEdges):
            raise ValueError(f"edges {self.edges!r} are no CoarseEdges; give one, e.g. Induced() or TwoHop()")

    @abstractmethod
    def score(self, channels: int) -> nn.Module:
        """``field -> scores``, ``(nodes,)``."""

    def down(self, channels: int, stride: float) -> nn.Module:
        return SelectPool(self.score(channels), stride, self)

    def up(self, c_in: int, c_out: int) -> nn.Module:
        return Unpool(c_in, c_out)


@dataclass(frozen=True)
class TopK(Selection):
    """Scores along a learnt direction (Gao & Ji 2019, section 3.1)."""

    def score(self, channels: int) -> nn.Module:
        return Direction(channels)


@dataclass(frozen=True)
class SAG(Selection):
    """Scores by a graph convolution, so that neighbours count.

    Lee et al. 2019, "Self-attention graph pooling", eq. 3, with the convolution of Morris et al. 2019.
    """

    def score(self, channels: int) -> nn.Module:
        return Attention(channels)


class Direction(nn.Module):
    """``field -> scores``: ``x p / |p|``, ``(nodes,)``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.empty(channels).uniform_(-1, 1) / math.sqrt(channels))

    def forward(self, field: GraphField) -> Tensor:
        length = self.p.norm().clamp_min(torch.finfo(torch.float32).tiny)
        score: Tensor = (field.x * self.p).sum(dim=1) / length
        return score


class Attention(nn.Module):
    """``field -> scores``: ``x_i u + sum_j w_ij x_j v + b``, ``(nodes,)``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.own = nn.Linear(channels, 1)
        self.neighbours = nn.Linear(channels, 1, bias=False)

    def forward(self, field: GraphField) -> Tensor:
        heard = spread(self.neighbours(field.x), field.weights(), field.links())
        score: Tensor = self.own(field.x) + heard
        return score[:, 0]


class SelectPool(nn.Module):
    """``field -> field``: keeps the nodes of highest score, in their old order.

    Args:
        score: ``field -> (nodes,)``.
        stride: how many times fewer nodes; any number of at least 1.
        kind: the other settings.
    """

    def __init__(self, score: nn.Module, stride: float, kind: Selection) -> None:
        super().__init__()
        if not stride >= 1:
            raise ValueError(f"stride {stride} must be at least 1; 2 keeps every other node")
        self.score = score
        self.stride = stride
        self.kind = kind

    def forward(self, field: GraphField) -> GraphField:
        score = self.score(field)
        kept = top_per_graph(score, field.batch, field.graphs, self.stride, self.kind.nodes)
        edge_index, edge_weight = self.kind.edges(field, kept, score[kept])
        edge_attr = None
        if field.edge_attr is not None:
            ends = places(kept, field.x.shape[0])[field.edge_index]
            edge_attr = carried(ends, field.weights(), field.edge_attr, edge_index, len(kept))
        return GraphField(
            x=field.x[kept] * GATES[self.kind.gate](score[kept])[:, None],
            edge_index=edge_index,
            batch=field.batch[kept],
            edge_weight=edge_weight,
            graphs=field.graphs,
            parent=kept,
            edge_attr=edge_attr,
        )

    def extra_repr(self) -> str:
        return f"stride={self.stride}, kind={self.kind}"


class Unpool(nn.Module):
    """``(coarse, skip) -> field`` on the skip's nodes: kept nodes get their features back, all others zeros.

    Gao & Ji 2019, section 3.2; a linear map brings ``c_in`` to ``c_out`` channels where they differ.
    """

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.project = projection(c_in, c_out)

    def forward(self, coarse: GraphField, skip: GraphField) -> GraphField:
        if coarse.parent is None:
            raise ValueError("the coarse graph has no parent: it was not pooled from the graph of the skip")
        x = self.project(coarse.x)
        return skip.refined(x.new_zeros(len(skip.x), x.shape[1]).index_copy(0, coarse.parent, x), coarse)


def projection(c_in: int, c_out: int) -> nn.Module:
    """A linear map without bias where channels differ: mapping the fewer coarse nodes equals mapping the fine ones."""
    return nn.Identity() if c_in == c_out else nn.Linear(c_in, c_out, bias=False)


def top_per_graph(score: Tensor, batch: Tensor, graphs: int, stride: float, nodes: int | None = None) -> Tensor:
    """Indices of the highest scores of each graph, ascending; ties go to the lower index.

    Of each graph ``ceil(nodes / stride)`` are taken, or ``nodes`` at most.
    """
    counts = torch.bincount(batch, minlength=graphs)
    keep = _shares(counts, stride) if nodes is None else counts.clamp_max(nodes)
    by_score = torch.argsort(score.detach(), descending=True, stable=True)
    order = by_score[torch.argsort(batch[by_score], stable=True)]
    rank = torch.arange(len(order), device=order.device) - (counts.cumsum(0) - counts)[batch[order]]
    kept: Tensor = order[rank < keep[batch[order]]].sort().values
    return kept


def _shares(counts: Tensor, stride: float) -> Tensor:
    """``ceil(counts / stride)``."""
    # in float64, which not every device has; a stride is the rounded reciprocal of a ratio, and 7.0000001 nodes are 7
    exact = counts.cpu().double() / stride
    return (exact * (1 - 1e-12)).ceil().long().to(counts.device)
