"""Readout: the features of a graph's nodes as one vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from multiunet.geometries.graph.field import GraphField

ReadoutName = Literal["mean", "max", "sum"]


class Readout(nn.Module):
    """``field -> (graphs, channels * len(kinds))``: mean, maximum or sum over each graph, side by side.

    A graph without nodes has zeros. Other graphs of the batch change nothing.

    Raises:
        ValueError: without a kind, or for an unknown one.
    """

    def __init__(self, kinds: Sequence[ReadoutName]) -> None:
        super().__init__()
        unknown = [kind for kind in kinds if kind not in READOUTS]
        if unknown or not kinds:
            raise ValueError(f"readouts {list(kinds)}: give at least one of {', '.join(READOUTS)}")
        self.kinds = tuple(kinds)

    def forward(self, field: GraphField) -> Tensor:
        return torch.cat([READOUTS[kind](field) for kind in self.kinds], dim=1)

    def extra_repr(self) -> str:
        return ", ".join(self.kinds)


def reduce_sum(field: GraphField) -> Tensor:
    """Sum features over the nodes of each graph, ``(graphs, channels)``; never below float32."""
    x = field.x.to(torch.promote_types(field.x.dtype, torch.float32))
    return x.new_zeros(field.graphs, x.shape[1]).index_add(0, field.batch, x)


def reduce_mean(field: GraphField) -> Tensor:
    """Average features over the nodes of each graph, ``(graphs, channels)``; never below float32."""
    nodes = torch.bincount(field.batch, minlength=field.graphs).clamp_min(1)
    return reduce_sum(field) / nodes[:, None]


def reduce_max(field: GraphField) -> Tensor:
    """Return the maximum over the nodes of each graph, ``(graphs, channels)``."""
    x = field.x
    low = x.new_zeros(field.graphs, x.shape[1])
    return low.scatter_reduce(0, field.batch[:, None].expand_as(x), x, "amax", include_self=False)


READOUTS = {"mean": reduce_mean, "max": reduce_max, "sum": reduce_sum}
