"""Edges between the nodes that a selection keeps: of the fine graph, or of two steps (Gao & Ji 2019)."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from multiunet.geometries.choices import check_choice, check_least
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.links import group_by, permute, split_ranges

Edges = tuple[Tensor, Tensor]
"""``edge_index``, ``(2, edges)``, and the weight of each edge, ``(edges,)``."""

PathWeights = Literal["renormalised", "binary", "paths"]

TABLE = 1 << 20
"""Number of edges that are searched together for the strongest of each node; as many as caches hold."""

WORTH_AN_ARRAY = 0.01
"""From this share of all multiplications on, a product of arrays takes less time than one of compressed rows."""

ARRAY = 1 << 24
"""Most numbers in such an array."""


class CoarseEdges(ABC):
    """A rule that links the nodes that a selection keeps."""

    @abstractmethod
    def __call__(self, field: GraphField, kept: Tensor, score: Tensor) -> Edges:
        """Return the edges between the nodes ``kept`` of ``field``, numbered by their place in ``kept``.

        Args:
            kept: numbers of the kept nodes, ascending, ``(kept,)``.
            score: score of each kept node, ``(kept,)``; it settles ties, so that node numbers settle nothing.
        """


@dataclass(frozen=True)
class Induced(CoarseEdges):
    """Edges of the fine graph between kept nodes, with their weights. Nodes soon lose all of theirs."""

    def __call__(self, field: GraphField, kept: Tensor, score: Tensor) -> Edges:
        ends = index_kept(kept, field.x.shape[0])[field.edge_index]
        inside = (ends >= 0).all(dim=0)
        return ends[:, inside], field.weights()[inside]


@dataclass(frozen=True)
class TwoHop(CoarseEdges):
    """Edges of ``(A + I)^2`` between kept nodes, without loops (Gao & Ji 2019, eq. 4).

    Only kept rows times kept columns are multiplied, a quarter of the work at stride 2, and a bounded number of rows at
    a time. Differentiable in the edges' weights.

    Attributes:
        weights: ``renormalised``: the number of paths divided by the square roots of both ends' sums (Kipf & Welling
            2017, eq. 2); ``binary``: 1; ``paths``: their number as it is, which leaves float32 after six levels.
        max_neighbours: of each node keep this many incoming edges, the strongest; None: all. Pooled graphs otherwise
            grow denser with each level.
        chunk: most edges of the product that are held at a time, before ``max_neighbours``.
        limit: most edges of the result.
    """

    weights: PathWeights = "renormalised"
    max_neighbours: int | None = None
    chunk: int = 1 << 22
    limit: int = 1 << 28

    def __post_init__(self) -> None:
        check_choice("weights", self.weights, get_args(PathWeights))
        if self.max_neighbours is not None:
            check_least("max_neighbours", self.max_neighbours, 1)

    def __call__(self, field: GraphField, kept: Tensor, score: Tensor) -> Edges:
        """See ``CoarseEdges``.

        Raises:
            ValueError: before memory runs out, when the result would have more than ``limit`` edges.
        """
        factors = _Factors(field, kept)
        bounds = factors.chunks(self.chunk)
        count = len(kept)
        # with several chunks the product is formed twice, rather than held: a node's sum is over all of them
        parts = [factors.product(*bounds[0])] if len(bounds) == 1 else None
        leaving = entering = factors.weight.new_zeros(count)
        if self.weights == "renormalised":
            for (source, target), weight in parts or factors.products(bounds):
                leaving = leaving.index_add(0, source, weight.abs())
                entering = entering.index_add(0, target, weight.abs())
        chosen: list[Edges] = []
        total = 0
        for ends, weight in parts or factors.products(bounds):
            if self.weights == "renormalised":
                weight = weight / (leaving[ends[0]].sqrt() * entering[ends[1]].sqrt())
            if self.max_neighbours is not None:
                ends, weight = keep_strongest(ends, weight, count, self.max_neighbours, score)
            total += len(weight)
            if total > self.limit:
                raise ValueError(
                    f"the pooled graph of {count} nodes has more than {self.limit} edges of two steps; bound them with "
                    "max_neighbours, keep those of the fine graph alone (Induced()), or merge nodes instead "
                    "(HeavyEdgeMatching())"
                )
            chosen.append((ends, torch.ones_like(weight) if self.weights == "binary" else weight))
        return torch.cat([ends for ends, _ in chosen], dim=1), torch.cat([weight for _, weight in chosen])


@dataclass(frozen=True)
class Estimate:
    """Cost of ``TwoHop``, known before anything is multiplied.

    Attributes:
        paths: number of paths of two steps, which is that of multiplications.
        edges: most edges that come out, without ``max_neighbours``.
    """

    paths: int
    edges: int


def estimate(field: GraphField, kept: Tensor) -> Estimate:
    """Estimate the cost of the two-hop edges between the nodes ``kept``, in time linear in the edges."""
    paths = _Factors(field, kept).paths
    # a node's path to itself and back is none of its edges
    return Estimate(int(paths.sum()), int((paths - 1).clamp_max(max(0, len(kept) - 1)).sum()))


def keep_strongest(edge_index: Tensor, weight: Tensor, nodes: int, count: int, score: Tensor) -> Edges:
    """Keep each node's ``count`` incoming edges of largest weight; at ties, of the source of higher score."""
    source, target = edge_index
    order, starts = group_by(target, nodes)
    degree = starts.diff()
    if not bool((degree > count).any()):
        return edge_index, weight
    preference = target.new_empty(nodes)
    preference[torch.argsort(score.detach(), stable=True)] = torch.arange(nodes, device=target.device)
    key = round_coarsely(weight.detach().abs()).long() * nodes + preference[source]
    keep = (degree <= count)[target]
    # rows of about the same length as a table: a partial sort of short rows takes a tenth of a sort of all edges
    size, longest = count + 1, int(degree.max())
    while size <= longest:
        columns = torch.arange(2 * size - 1, device=target.device)
        alike = ((degree >= size) & (degree < 2 * size)).nonzero()[:, :1]
        for rows in alike.split(max(1, TABLE // len(columns))):
            spots = (starts[rows] + columns).clamp_max(len(source) - 1)
            edges = spots if order is None else order[spots]
            keys = key[edges].where(columns < degree[rows], torch.iinfo(key.dtype).min)
            keep[edges.gather(1, keys.topk(count, dim=1, sorted=False).indices).flatten()] = True
        size *= 2
    kept = _find(keep)
    return edge_index[:, kept], weight[kept]


def round_coarsely(size: Tensor) -> Tensor:
    """Round the logarithm of sizes to one part in a thousand: those that differ by rounding become ties."""
    return (size.clamp_min(torch.finfo(size.dtype).tiny).log2() * 1024).round()


class _Factors:
    """The kept rows and the kept columns of ``A + I``; rows are targets."""

    def __init__(self, field: GraphField, kept: Tensor) -> None:
        self.nodes, self.count = field.x.shape[0], len(kept)
        place = index_kept(kept, self.nodes)
        (source, target), weight = _drop_loops(field)
        own, ones = torch.arange(self.count, device=kept.device), weight.new_ones(self.count)
        enters, leaves = _find(place[target] >= 0), _find(place[source] >= 0)
        self.into = torch.stack([torch.cat([place[target[enters]], own]), torch.cat([source[enters], kept])])
        self.out_of = torch.stack([torch.cat([target[leaves], kept]), torch.cat([place[source[leaves]], own])])
        self.left = torch.cat([weight[enters], ones])
        self.right = torch.cat([weight[leaves], ones])
        self.weight = weight

    @cached_property
    def paths(self) -> Tensor:
        """Number of paths of two steps that lead to each kept node, ``(kept,)``."""
        onward = torch.bincount(self.out_of[0], minlength=self.nodes)
        return onward.new_zeros(self.count).index_add(0, self.into[0], onward[self.into[1]])

    def chunks(self, most: int) -> list[tuple[int, int]]:
        """Ranges of rows whose products have at most ``most`` entries each, or that are one row."""
        return split_ranges(self.paths.clamp_max(self.count), most)

    def products(self, bounds: list[tuple[int, int]]) -> Iterator[Edges]:
        return (self.product(first, last) for first, last in bounds)

    def product(self, first: int, last: int) -> Edges:
        """The edges into rows ``first`` to ``last`` of the product, without loops."""
        fast = self.left.device.type == "cpu" and not (torch.is_grad_enabled() and self.weight.requires_grad)
        if fast and self._fills(first, last):
            target, source, weight = self._multiply_arrays(first, last)
            return torch.stack([source, target + first]), weight  # zeros are left out already
        target, source, weight = self._multiply_rows(first, last) if fast else self._multiply_with_gradient(first, last)
        target = target + first
        # a path over an edge of weight 0 is none: a node of no other has no sum to divide by
        proper = _find((target != source) & (weight != 0))
        return torch.stack([source[proper], target[proper]]), weight[proper]

    def _fills(self, first: int, last: int) -> bool:
        every = (last - first) * self.nodes * self.count
        return self.nodes * self.count <= ARRAY and int(self.paths[first:last].sum()) > WORTH_AN_ARRAY * every

    def _multiply_arrays(self, first: int, last: int) -> Matrix:
        """Multiply arrays: many paths meet, and zeros cost less than to look for them; without loops."""
        left, _ = self._compressed
        with torch.autocast("cpu", enabled=False):
            product = torch.from_numpy(left[first:last].toarray()) @ self._right_array
        product.diagonal(first).zero_()
        target, source = product.nonzero(as_tuple=True)
        return target, source, product[target, source]

    def _multiply_rows(self, first: int, last: int) -> Matrix:
        """SciPy's product of compressed rows: up to ten times as fast as torch's, but on the CPU, without gradient."""
        left, right = self._compressed
        product = left[first:last] @ right
        of_row = np.repeat(np.arange(last - first), np.diff(product.indptr))
        return torch.from_numpy(of_row), torch.from_numpy(product.indices).long(), torch.from_numpy(product.data)

    def _multiply_with_gradient(self, first: int, last: int) -> Matrix:
        rows = (self.into[0] >= first) & (self.into[0] < last)
        into = self.into[:, rows] - torch.tensor([[first], [0]], device=self.into.device)
        shape = (last - first, self.nodes, self.count)
        return _multiply_sparse(into, self.left[rows], self.out_of, self.right, shape)

    @cached_property
    def _compressed(self) -> tuple[Any, Any]:
        """Both factors, grouped once for all chunks."""
        left = _compress(self.into, self.left, (self.count, self.nodes))
        return left, _compress(self.out_of, self.right, (self.nodes, self.count))

    @cached_property
    def _right_array(self) -> Tensor:
        return torch.from_numpy(self._compressed[1].toarray())


Matrix = tuple[Tensor, Tensor, Tensor]
"""Rows, columns and values."""


def _compress(ends: Tensor, values: Tensor, shape: tuple[int, int]) -> Any:
    order, starts = group_by(ends[0], shape[0])
    content = (permute(values.detach(), order).numpy(), permute(ends[1], order).int().numpy(), starts.int().numpy())
    return scipy.sparse.csr_array(content, shape=shape)


def _multiply_sparse(a: Tensor, left: Tensor, b: Tensor, right: Tensor, shape: tuple[int, int, int]) -> Matrix:
    """Torch's product, COO on both sides: that of two CSR matrices leaks memory on the CPU."""
    rows, inner, columns = shape
    with torch.autocast(a.device.type, enabled=False), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse")  # torch's remarks on its own internals
        one = torch.sparse_coo_tensor(a, left, (rows, inner), check_invariants=False)
        other = torch.sparse_coo_tensor(b, right, (inner, columns), check_invariants=False)
        product = torch.sparse.mm(one, other).coalesce()
    target, source = product.indices()
    return target, source, product.values()


def _drop_loops(field: GraphField) -> Edges:
    if not len(field.links().loops):
        return field.edge_index, field.weights()
    proper = _find(field.edge_index[0] != field.edge_index[1])
    return field.edge_index[:, proper], field.weights()[proper]


def index_kept(kept: Tensor, nodes: int) -> Tensor:
    """Return each node's number among the kept ones, -1 for the others, ``(nodes,)``."""
    place = kept.new_full((nodes,), -1)
    place[kept] = torch.arange(len(kept), device=kept.device)
    return place


def _find(mask: Tensor) -> Tensor:
    """The places of what is true: found once, where indexing by the mask would look for them each time."""
    return mask.nonzero()[:, 0]
