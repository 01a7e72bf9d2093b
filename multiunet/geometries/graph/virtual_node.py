"""A virtual node: the mean of a graph reaches all of its nodes in one step."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from multiunet.core import Condition
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.layers import glorot_linear
from multiunet.geometries.graph.readout import reduce_mean


class VirtualNode(nn.Module):
    """``(field, condition) -> field``: add to all nodes what a hidden layer makes of their graph's mean.

    The node that is linked to all others, both ways (Gilmer et al. 2017, "Neural message passing for quantum
    chemistry", section 5.2; in the form of the Open Graph Benchmark, Hu et al. 2020). It is not in the graph, so
    that pooling cannot drop it, and edges of two steps do not lead through it. The mean takes the sum's place, so that
    graphs of all sizes are alike. Zero at first.
    """

    is_global = True

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.hidden, self.out = glorot_linear(channels, channels), nn.Linear(channels, channels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, field: GraphField, condition: Condition | None = None) -> GraphField:
        told: Tensor = self.out(self.hidden(reduce_mean(field).to(field.x.dtype)).relu())
        return replace(field, x=field.x + told[field.batch])
