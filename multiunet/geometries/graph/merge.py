"""Coarser graphs by merging neighbours into super-nodes, and the way back."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from multiunet.core import reads_sites_alone
from multiunet.geometries.choices import check_choice
from multiunet.geometries.graph.attributes import pool_edge_attr
from multiunet.geometries.graph.edges import Edges, round_coarsely
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.links import ENTRIES
from multiunet.geometries.graph.pooling import Pooling, make_projection

Reduce = Literal["sum", "mean", "max"]
By = Literal["cut", "weight"]


class Merging(Pooling):
    """Merge pairs of neighbours; edges between two pairs are summed, those within a pair vanish.

    The attributes of summed edges are their mean by weight.

    A stride of 2 merges once, 4 twice and so on. Nodes that find no partner stay as they are, so that a star, whose
    leaves know the hub alone, loses one node a time.
    """

    reduce: Reduce

    @abstractmethod
    def build_pairing(self, channels: int) -> nn.Module:
        """Make ``(field, pairs, weight) -> (priority, factor)``, each ``(pairs,)``; factor None: 1.

        Pairs of the highest priority merge first; the factor multiplies the features of a merged pair.
        """

    def build_down(self, channels: int, stride: float) -> nn.Module:
        rounds = round(math.log2(stride)) if stride >= 1 else 0
        if not rounds or 2**rounds != stride:
            raise ValueError(f"stride {stride} must be 2, 4, 8, ...: nodes are merged in pairs, once or repeatedly")
        return MergePool([self.build_pairing(channels) for _ in range(rounds)], self.reduce)

    def build_up(self, in_channels: int, out_channels: int) -> nn.Module:
        return Unmerge(in_channels, out_channels)


@dataclass(frozen=True)
class HeavyEdgeMatching(Merging):
    """Merge the pairs of the heaviest edges, each node once (heavy-edge matching, Karypis & Kumar 1998).

    Attributes:
        reduce: combines the features of merged nodes.
        by: measure of an edge. ``cut``: its weight times the sum of the reciprocals of its ends' sums of weights, which
            leaves the smallest normalised cut (Graclus, Dhillon et al. 2007); ``weight``: its weight. Equal edges, of
            which a graph without weights has many, are ordered by the cosine of their ends' features.
    """

    reduce: Reduce = "mean"
    by: By = "cut"

    def __post_init__(self) -> None:
        check_choice("reduce", self.reduce, get_args(Reduce))
        check_choice("by", self.by, get_args(By))

    def build_pairing(self, channels: int) -> nn.Module:
        return HeavyEdgeScore(self.by)


@dataclass(frozen=True)
class Contraction(Merging):
    """Merge the pairs of the edges of highest learnt score, each node once.

    Diehl 2019, "Edge contraction pooling".

    The merged features are multiplied by the score, through which it learns: ``1/2 + sigmoid(x_s a + x_t b + c)``, the
    larger of the two directions. The paper's softmax over the edges into a node would leave ``b`` and ``c`` idle.

    Attributes:
        reduce: combines the features of merged nodes.
    """

    reduce: Reduce = "sum"

    def __post_init__(self) -> None:
        check_choice("reduce", self.reduce, get_args(Reduce))

    def build_pairing(self, channels: int) -> nn.Module:
        return LearntScore(channels)


class HeavyEdgeScore(nn.Module):
    """Priority of pairs by their edges; see ``HeavyEdgeMatching``."""

    def __init__(self, by: By) -> None:
        super().__init__()
        self.by = by

    def forward(self, field: GraphField, pairs: Tensor, weight: Tensor) -> tuple[Tensor, None]:
        weight = weight.detach()
        if self.by == "cut":
            sums = weight.new_zeros(len(field.x)).index_add(0, pairs[0], weight).index_add(0, pairs[1], weight)
            sums = sums.where(sums != 0, torch.inf)  # of a node whose edges all weigh nothing
            weight = weight * (1 / sums[pairs[0]] + 1 / sums[pairs[1]])
        return weight, None


class LearntScore(nn.Module):
    """Priority of pairs by a learnt score; see ``Contraction``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.source = nn.Linear(channels, 1)
        self.target = nn.Linear(channels, 1, bias=False)

    def forward(self, field: GraphField, pairs: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        source, target = self.source(field.x)[:, 0], self.target(field.x)[:, 0]
        either = torch.maximum(source[pairs[0]] + target[pairs[1]], source[pairs[1]] + target[pairs[0]])
        score = 0.5 + torch.sigmoid(either)
        return score.detach(), score


class MergePool(nn.Module):
    """``field -> field`` with pairs of neighbours merged, once for each of ``pairings``."""

    is_global = True

    def __init__(self, pairings: Sequence[nn.Module], reduce: Reduce) -> None:
        super().__init__()
        self.pairings = nn.ModuleList(pairings)
        self.reduce = reduce

    def forward(self, field: GraphField) -> GraphField:
        coarse = field
        for pairing in self.pairings:
            merged = self._merge_once(coarse, pairing)
            assert merged.cluster is not None
            assert merged.parent is not None
            if coarse is not field:  # seen from the graph that came in
                merged.parent = coarse.parent[merged.parent]  # type: ignore[index]
                merged.cluster = merged.cluster[coarse.cluster]
            coarse = merged
        return coarse

    def _merge_once(self, field: GraphField, pairing: nn.Module) -> GraphField:
        nodes = len(field.x)
        pairs, weight = list_pairs(field)
        priority, factor = pairing(field, pairs, weight)
        keys = [round_coarsely(priority), _cosine(field.x.detach(), pairs), _scatter(field, pairs)]
        chosen = match_greedily(pairs, keys, nodes)
        first = torch.arange(nodes, device=pairs.device)
        first[pairs[1, chosen]] = pairs[0, chosen]
        is_first = first == torch.arange(nodes, device=pairs.device)
        cluster, parent = (is_first.cumsum(0) - 1)[first], is_first.nonzero()[:, 0]
        x = reduce_clusters(field.x, cluster, len(parent), self.reduce)
        if factor is not None:
            x = x * x.new_ones(len(parent)).index_put((cluster[pairs[0, chosen]],), factor[chosen].to(x.dtype))[:, None]
        ends = cluster[field.edge_index]
        edge_index, edge_weight = sum_parallel(ends, field.weights(), len(parent))
        coarse = GraphField(x, edge_index, field.batch[parent], edge_weight, field.graphs, parent, cluster)
        if field.edge_attr is not None:
            coarse.edge_attr = pool_edge_attr(ends, field.weights(), field.edge_attr, edge_index, len(parent))
        return coarse


class Unmerge(nn.Module):
    """``(coarse, skip) -> field`` on the skip's nodes: each gets the features of its merged node."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.project = make_projection(in_channels, out_channels)

    @reads_sites_alone
    def forward(self, coarse: GraphField, skip: GraphField) -> GraphField:
        if coarse.cluster is None:
            raise ValueError("the coarse graph has no clusters: it was not merged from the graph of the skip")
        return skip.refine(self.project(coarse.x)[coarse.cluster], coarse)


def list_pairs(field: GraphField) -> Edges:
    """List each pair of linked nodes once, the lower number first, and the summed weight of its edges."""
    low, high = field.edge_index.min(dim=0).values, field.edge_index.max(dim=0).values
    return sum_parallel(torch.stack([low, high]), field.weights(), len(field.x))


def sum_parallel(ends: Tensor, weight: Tensor, nodes: int) -> Edges:
    """Sum the weights of edges with the same ends, ordered by their ends; loops are left out."""
    proper = ends[0] != ends[1]
    codes, where = torch.unique(ends[0, proper] * nodes + ends[1, proper], return_inverse=True)
    total = weight.new_zeros(len(codes)).index_add(0, where, weight[proper])
    return torch.stack([codes // max(1, nodes), codes % max(1, nodes)]), total


def match_greedily(pairs: Tensor, keys: Sequence[Tensor], nodes: int) -> Tensor:
    """Return the numbers of the pairs of the greedy matching, by descending ``keys``, each node once.

    A pair that is first at both of its nodes is taken, all at once, until none is left: what taking one after the other
    gives (Preis 1999), in about ``log(nodes)`` rounds.

    Args:
        pairs: nodes of each pair, ``(2, pairs)``.
        keys: values that order the pairs, ``(pairs,)`` each, the most important first.
        nodes: number of nodes.
    """
    order = torch.arange(pairs.shape[1], device=pairs.device)
    for key in reversed(keys):
        order = order[torch.argsort(key[order], descending=True, stable=True)]
    left, rank = pairs[:, order], torch.arange(len(order), device=pairs.device)
    taken = []
    while len(rank):
        first = torch.full((nodes,), len(order), device=pairs.device)
        first = first.scatter_reduce(0, left[0], rank, "amin").scatter_reduce(0, left[1], rank, "amin")
        wins = (first[left[0]] == rank) & (first[left[1]] == rank)
        taken.append(rank[wins])
        used = torch.zeros(nodes, dtype=torch.bool, device=pairs.device)
        used[left[:, wins].flatten()] = True
        open_still = ~used[left].any(dim=0)
        left, rank = left[:, open_still], rank[open_still]
    return order[torch.cat(taken)] if taken else order


def reduce_clusters(x: Tensor, cluster: Tensor, count: int, how: Reduce) -> Tensor:
    """Return the sum, mean or maximum of the features of each cluster's nodes, ``(count, channels)``."""
    if how == "max":
        low = x.new_full((count, x.shape[1]), -math.inf)
        return low.scatter_reduce(0, cluster[:, None].expand_as(x), x, "amax")
    total = x.new_zeros(count, x.shape[1]).index_add(0, cluster, x)
    return total / torch.bincount(cluster, minlength=count)[:, None] if how == "mean" else total


def _cosine(x: Tensor, pairs: Tensor) -> Tensor:
    unit = functional.normalize(x.float(), dim=1)
    step = max(1, ENTRIES // max(1, x.shape[1]))
    parts = [(unit[ends[0]] * unit[ends[1]]).sum(dim=1) for ends in pairs.split(step, dim=1)]
    # equal but for rounding is equal
    return torch.cat(parts).mul(1 << 16).round()


def _scatter(field: GraphField, pairs: Tensor) -> Tensor:
    """Order pairs that are alike in all else, scattered: otherwise a row of equal nodes would match one pair a round.

    Nodes are numbered within their graph: the others of a batch have no say.
    """
    starts = torch.searchsorted(field.batch, torch.arange(field.graphs, device=pairs.device))
    low, high = pairs - starts[field.batch[pairs[0]]]
    scattered: Tensor = (low * 2654435761 + high * 2246822519) % 4294967291
    return scattered
