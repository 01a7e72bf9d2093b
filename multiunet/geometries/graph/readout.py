"""What is said of a whole graph: its nodes' features as one vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from multiunet.geometries.graph.field import GraphField

ReadoutName = Literal["mean", "max", "sum"]


class Readout(nn.Module):
    """``field -> (graphs, channels * len(kinds))``: mean, maximum or sum over the nodes of each graph, side by side.

    A graph without nodes has zeros. What other graphs are in the batch changes nothing.

    Raises:
        ValueError: without a kind, or for one that it does not know.
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


def total(field: GraphField) -> Tensor:
    """The sum over the nodes of each graph, ``(graphs, channels)``; never below float32."""
    x = field.x.to(torch.promote_types(field.x.dtype, torch.float32))
    return x.new_zeros(field.graphs, x.shape[1]).index_add(0, field.batch, x)


def mean(field: GraphField) -> Tensor:
    """The mean over the nodes of each graph, ``(graphs, channels)``; never below float32."""
    nodes = torch.bincount(field.batch, minlength=field.graphs).clamp_min(1)
    return total(field) / nodes[:, None]


def maximum(field: GraphField) -> Tensor:
    """The maximum over the nodes of each graph, ``(graphs, channels)``."""
    x = field.x
    low = x.new_zeros(field.graphs, x.shape[1])
    return low.scatter_reduce(0, field.batch[:, None].expand_as(x), x, "amax", include_self=False)


READOUTS = {"mean": mean, "max": maximum, "sum": total}
