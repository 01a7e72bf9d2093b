"""Edges in the orders that sparse products need, and the product of edges with features."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

ENTRIES = 1 << 24
"""How many numbers a temporary array of the products' gradients may hold."""


FILLED = 0.25
"""From this share of entries on, a matrix is quicker as an array than as compressed rows."""


@dataclass(frozen=True)
class Rows:
    """Edges grouped by one end: compressed rows of a matrix.

    Attributes:
        order: of the edges; None: as they are.
        starts: where each group starts in that order, ``(groups + 1,)``.
        others: the other end of each edge, in that order.
    """

    order: Tensor | None
    starts: Tensor
    others: Tensor


class Links:
    """Edges grouped by target and by source: the compressed rows of the adjacency matrix and of its transpose.

    Args:
        edge_index: source and target of each edge, ``(2, edges)``.
        sources, targets: how many nodes there are at either end.
    """

    def __init__(self, edge_index: Tensor, sources: int, targets: int) -> None:
        self.edge_index = edge_index
        self.sources, self.targets = sources, targets

    @cached_property
    def loops(self) -> Tensor:
        """Which edges lead from a node to itself, their numbers ascending."""
        return (self.edge_index[0] == self.edge_index[1]).nonzero()[:, 0]

    @cached_property
    def in_degree(self) -> Tensor:
        """How many edges lead to each target."""
        return self.by_target.starts.diff()

    @cached_property
    def by_target(self) -> Rows:
        return self._grouped(self.edge_index[1], self.edge_index[0], self.targets)

    @cached_property
    def by_source(self) -> Rows:
        return self._grouped(self.edge_index[0], self.edge_index[1], self.sources)

    @staticmethod
    def _grouped(key: Tensor, other: Tensor, groups: int) -> Rows:
        order, starts = grouped(key, groups)
        return Rows(order, starts.int(), taken(other, order).int())

    def matrix(self, weight: Tensor, transposed: bool = False) -> Tensor:
        """Of targets by sources, or its transpose: of compressed rows, or an array where much of it is filled."""
        if len(weight) >= FILLED * self.sources * self.targets:
            array = self._array(weight)
            return array.t() if transposed else array
        rows = self.by_source if transposed else self.by_target
        shape = (self.sources, self.targets) if transposed else (self.targets, self.sources)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse")  # torch's remark that the layout is in beta
            values = taken(weight, rows.order)
            return torch.sparse_csr_tensor(rows.starts, rows.others, values, shape, check_invariants=False)

    def _array(self, weight: Tensor) -> Tensor:
        source, target = self.edge_index
        entries = weight.new_zeros(self.targets * self.sources)
        return entries.index_add_(0, target * self.sources + source, weight).view(self.targets, self.sources)


def spread(x: Tensor, weight: Tensor, links: Links) -> Tensor:
    """``A x``: for each target the weighted sum of its sources' features, ``(targets, channels)``.

    Ten times as fast as gathering and scattering features by edge, and without an array of edges times channels.
    Differentiable in ``x`` and in ``weight``. Computed in the weights' type, never below float32; given back in that of
    ``x``.

    Args:
        x: ``(sources, channels)``.
        weight: of each edge, ``(edges,)``.
    """
    found: Tensor = _Spread.apply(x.to(weight.dtype), weight, links)  # type: ignore[no-untyped-call]
    return found.to(x.dtype)


class _Spread(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, links: Links) -> Tensor:
        matrix = links.matrix(weight.detach())
        filled = matrix.layout == torch.strided
        ctx.save_for_backward(x if weight.requires_grad else None, weight, matrix if filled else None)
        ctx.links = links
        return _product(matrix, x)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight, array = ctx.saved_tensors
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            of_x = _product(ctx.links.matrix(weight, transposed=True) if array is None else array.t(), gradient)
        if ctx.needs_input_grad[1]:
            of_weight = _agreement(gradient, x, ctx.links.edge_index)
        return of_x, of_weight, None


def _product(matrix: Tensor, x: Tensor) -> Tensor:
    with torch.autocast(x.device.type, enabled=False):
        return matrix @ x


def _agreement(gradient: Tensor, x: Tensor, edge_index: Tensor) -> Tensor:
    step = max(1, ENTRIES // max(1, x.shape[1]))
    parts = [(gradient[ends[1]] * x[ends[0]]).sum(dim=1) for ends in edge_index.split(step, dim=1)]
    return torch.cat(parts)


def ranges(sizes: Tensor, most: int) -> list[tuple[int, int]]:
    """Ranges of consecutive places whose sizes sum to ``most`` at most, or that are one place."""
    behind, count = sizes.cumsum(0), len(sizes)
    if not count or behind[-1] <= most:
        return [(0, count)]
    bounds, first, before = [], 0, 0
    while first < count:
        last = max(first + 1, int(torch.searchsorted(behind, before + most, right=True)))
        bounds.append((first, last))
        first, before = last, int(behind[last - 1])
    return bounds


def grouped(key: Tensor, groups: int) -> tuple[Tensor | None, Tensor]:
    """The stable order of ``key`` (integers in 0..groups-1), None where it is in order already, and where each group
    starts in it, ``(groups + 1,)``."""
    in_order = bool((key[1:] >= key[:-1]).all())  # as the edges of pooled graphs are
    if in_order or key.device.type != "cpu":
        counts = torch.bincount(key, minlength=groups)
        order = None if in_order else torch.argsort(key, stable=True)
        return order, torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    # a transposition of compressed rows is a counting sort, which torch lacks: five times as fast as argsort
    rows = (np.ones(len(key), dtype=np.int8), key.int().numpy(), np.arange(len(key) + 1, dtype=np.int32))
    columns = scipy.sparse.csr_array(rows, shape=(len(key), groups)).tocsc()
    return torch.from_numpy(columns.indices).long(), torch.from_numpy(columns.indptr).long()


def taken(values: Tensor, order: Tensor | None) -> Tensor:
    """In an order that ``grouped`` found."""
    return values if order is None else values[order]
