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
"""Most numbers in a temporary array of the products' gradients."""

FILLED = 0.25
"""From this share of entries on, a matrix is quicker as an array than as compressed rows."""


@dataclass(frozen=True)
class Rows:
    """Edges grouped by one end: compressed rows of a matrix.

    Attributes:
        order: order of the edges, ``(edges,)``; None: as they are.
        starts: where each group starts in that order, ``(groups + 1,)``.
        others: the other end of each edge, in that order, ``(edges,)``.
    """

    order: Tensor | None
    starts: Tensor
    others: Tensor


class Links:
    """Edges grouped by target and by source: compressed rows of the adjacency matrix and its transpose.

    Args:
        edge_index: source and target of each edge, ``(2, edges)``.
        sources: number of nodes that edges come from.
        targets: number of nodes that edges lead to.
    """

    def __init__(self, edge_index: Tensor, sources: int, targets: int) -> None:
        self.edge_index = edge_index
        self.sources, self.targets = sources, targets

    @cached_property
    def loops(self) -> Tensor:
        """Numbers of the edges that lead from a node to itself, ascending, ``(loops,)``."""
        return (self.edge_index[0] == self.edge_index[1]).nonzero()[:, 0]

    @cached_property
    def in_degree(self) -> Tensor:
        """Number of edges that lead to each target, ``(targets,)``."""
        return self.by_target.starts.diff()

    @cached_property
    def by_target(self) -> Rows:
        """Edges grouped by target: compressed rows of the adjacency matrix."""
        return self._group(self.edge_index[1], self.edge_index[0], self.targets)

    @cached_property
    def by_source(self) -> Rows:
        """Edges grouped by source: compressed rows of its transpose."""
        return self._group(self.edge_index[0], self.edge_index[1], self.sources)

    @staticmethod
    def _group(key: Tensor, other: Tensor, groups: int) -> Rows:
        order, starts = group_by(key, groups)
        return Rows(order, starts.int(), permute(other, order).int())

    def matrix(self, weight: Tensor, transposed: bool = False) -> Tensor:
        """Return the adjacency matrix, ``(targets, sources)``, or its transpose.

        It has compressed rows, or is an array where much of it is filled.

        Args:
            weight: weight of each edge, ``(edges,)``.
        """
        if len(weight) >= FILLED * self.sources * self.targets:
            array = self._array(weight)
            return array.t() if transposed else array
        rows = self.by_source if transposed else self.by_target
        shape = (self.sources, self.targets) if transposed else (self.targets, self.sources)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse")  # torch's remark that the layout is in beta
            values = permute(weight, rows.order)
            return torch.sparse_csr_tensor(rows.starts, rows.others, values, shape, check_invariants=False)

    def _array(self, weight: Tensor) -> Tensor:
        source, target = self.edge_index
        entries = weight.new_zeros(self.targets * self.sources)
        return entries.index_add_(0, target * self.sources + source, weight).view(self.targets, self.sources)


def spmm(x: Tensor, weight: Tensor, links: Links) -> Tensor:
    """Return ``A x``: for each target the weighted sum of its sources' features, ``(targets, channels)``.

    Ten times as fast as gathering and scattering features by edge, and without an array of edges times channels.
    Differentiable in ``x`` and in ``weight``. Computed in the weights' type, never below float32; given back in that of
    ``x``.

    Args:
        x: features of the sources, ``(sources, channels)``.
        weight: weight of each edge, ``(edges,)``.
    """
    found: Tensor = _Spmm.apply(x.to(weight.dtype), weight, links)  # type: ignore[no-untyped-call]
    return found.to(x.dtype)


class _Spmm(torch.autograd.Function):
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


def split_ranges(sizes: Tensor, most: int) -> list[tuple[int, int]]:
    """Split places into consecutive ranges ``(first, last)`` of at most ``most`` in sum, or of one place."""
    behind, count = sizes.cumsum(0), len(sizes)
    if not count or behind[-1] <= most:
        return [(0, count)]
    bounds, first, before = [], 0, 0
    while first < count:
        last = max(first + 1, int(torch.searchsorted(behind, before + most, right=True)))
        bounds.append((first, last))
        first, before = last, int(behind[last - 1])
    return bounds


def group_by(key: Tensor, groups: int) -> tuple[Tensor | None, Tensor]:
    """Sort integers ``key`` in 0..groups-1, ``(edges,)``, stably.

    Returns:
        the order, ``(edges,)``, or None where they are in order already; and where each group starts in it,
        ``(groups + 1,)``.
    """
    in_order = bool((key[1:] >= key[:-1]).all())  # as the edges of pooled graphs are
    if in_order or key.device.type != "cpu":
        counts = torch.bincount(key, minlength=groups)
        order = None if in_order else torch.argsort(key, stable=True)
        return order, torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    # a transposition of compressed rows is a counting sort, which torch lacks: five times as fast as argsort
    rows = (np.ones(len(key), dtype=np.int8), key.int().numpy(), np.arange(len(key) + 1, dtype=np.int32))
    columns = scipy.sparse.csr_array(rows, shape=(len(key), groups)).tocsc()
    return torch.from_numpy(columns.indices).long(), torch.from_numpy(columns.indptr).long()


def permute(values: Tensor, order: Tensor | None) -> Tensor:
    """Return values in an order that ``group_by`` found."""
    return values if order is None else values[order]
