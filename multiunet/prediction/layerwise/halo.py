"""Edges of a graph without features, and what some of its nodes hear of the others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from multiunet.geometries.graph.field import GraphField


@dataclass(frozen=True)
class Heard:
    """Consecutive nodes with the others that they hear.

    Attributes:
        rows: numbers of all nodes, own ones first, ``(nodes,)``.
        own: how many are their own.
        edges: numbers of the edges among them that matter, ``(edges,)``.
        edge_index: their ends, as places in ``rows``, ``(2, edges)``.
    """

    rows: Tensor
    own: int
    edges: Tensor
    edge_index: Tensor


class Sites:
    """Nodes of one level of a network, of one graph, and the edges between them.

    Args:
        bare: the level's field, whose features have no channels.
    """

    def __init__(self, bare: GraphField) -> None:
        self.bare, self.count = bare, len(bare.x)

    @cached_property
    def _places(self) -> Tensor:
        return torch.full((self.count,), -1, dtype=torch.int32)

    def hear(self, first: int, last: int, hops: int = 1) -> Heard:
        """Return nodes ``first`` to ``last``, without the last, with all that reaches them in so many hops."""
        rows = [torch.arange(first, last)]
        self._places[first:last] = torch.arange(last - first, dtype=torch.int32)
        edges, sources, targets, known = [], [], [], last - first
        for _ in range(hops):
            number, source, target = self._edges_into(rows[-1])
            new = source[self._places[source] < 0].unique()
            self._places[new] = torch.arange(known, known + len(new), dtype=torch.int32)
            known += len(new)
            rows.append(new)
            edges.append(number)
            sources.append(source)
            targets.append(target)
        ends = torch.stack([self._places[torch.cat(part)].long() for part in (sources, targets)])
        every = torch.cat(rows)
        self._places[every] = -1
        return Heard(every, last - first, torch.cat(edges), ends)

    def _edges_into(self, nodes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the numbers, sources and targets of all edges into some nodes."""
        grouped = self.bare.links().by_target
        begin = grouped.starts[nodes].long()
        counts = grouped.starts[nodes + 1].long() - begin
        place = torch.arange(int(counts.sum())) + (begin - (counts.cumsum(0) - counts)).repeat_interleave(counts)
        number = place if grouped.order is None else grouped.order[place]
        return number, grouped.others[place].long(), nodes.repeat_interleave(counts)

    def parts(self, size: int) -> list[tuple[int, int]]:
        """Return the first and the last node, which is not in it, of each part of at most ``size`` nodes."""
        return [(first, min(first + size, self.count)) for first in range(0, self.count, size)]
