"""Convolutions that are layers of torch-geometric: any of them, and its attention GATv2."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from multiunet.geometries.choices import check_least
from multiunet.geometries.graph.attributes import check_edge_attr
from multiunet.geometries.graph.conv import Convolution
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.layers import Layers
from multiunet.geometries.graph.links import ENTRIES, group_by, split_ranges
from multiunet.geometries.graph.pyg_templates import removing_templates

HEADS = 4
"""Attention heads of ``GATv2``."""


@dataclass(frozen=True)
class PyGConv(Convolution):
    """Wrap a layer of torch-geometric, ``(x, edge_index, ...) -> x``.

    Edges' weights are handed on as ``edge_weight`` where the layer takes that, and their attributes as ``edge_attr``
    where it was made with ``edge_dim`` equal to ``edge_features``; with an ``edge_dim`` of one more, the weight is the
    first column of ``edge_attr``. A layer that takes ``edge_attr`` but has no ``edge_dim`` gets the attributes. Other
    layers see which nodes are linked, but no weights. A dropped edge is left out, a dropped node sends nothing to
    others.

    Attributes:
        make: ``(in_channels, out_channels) -> layer``; a class of ``torch_geometric.nn`` is one.
        edge_features: number of edge attributes.
        reach: number of hops that the layer looks around a node; None: unknown. Most look one.
    """

    make: Callable[[int, int], nn.Module]
    edge_features: int = 0
    reach: int | None = None

    def __post_init__(self) -> None:
        check_least("edge_features", self.edge_features, 0)

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        with removing_templates():
            layer = self.make(in_channels, out_channels)
        return PyGLayer(layer, out_channels, layers, self.edge_features, self.reach)


@dataclass(frozen=True)
class GATv2(Convolution):
    """Weigh neighbours by attention, from both nodes and the edge's weight and attributes.

    Brody et al. 2022, "How attentive are graph attention networks?" The outputs of the heads are averaged.

    Attributes:
        edge_features: number of edge attributes that are read.
        heads: number of attention heads.
    """

    edge_features: int = 0
    heads: int = HEADS

    def __post_init__(self) -> None:
        check_least("edge_features", self.edge_features, 0)
        check_least("heads", self.heads, 1)

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        from torch_geometric.nn import GATv2Conv  # costs seconds to import

        settings = {"heads": self.heads, "concat": False, "edge_dim": 1 + self.edge_features, "bias": layers.needs_bias}
        with removing_templates():
            conv = GATv2Conv(in_channels, out_channels, **settings)
        return GATv2Layer(conv, out_channels, layers, self.edge_features, reach=1)


class PyGLayer(nn.Module):
    """A layer of torch-geometric with dropout of nodes and edges, ``field -> field``; see ``PyGConv``."""

    def __init__(
        self, layer: nn.Module, out_channels: int, layers: Layers, edge_features: int, reach: int | None = None
    ) -> None:
        super().__init__()
        self.out_channels, self.reach = out_channels, reach
        self.node_dropout = layers.make_node_dropout()
        self.edge_dropout = layers.make_edge_dropout()
        self.layer = layer
        self.edge_features = edge_features
        accepted = inspect.signature(layer.forward).parameters
        # a layer that does not say how many it was made for takes what there are
        columns = (getattr(layer, "edge_dim", edge_features) or 0) if "edge_attr" in accepted else 0
        self.takes_weight = "edge_weight" in accepted
        self.weight_first = not self.takes_weight and columns == edge_features + 1
        self.takes_attributes = edge_features > 0 and columns in (edge_features, edge_features + 1)

    def forward(self, field: GraphField) -> GraphField:
        weight = field.weights()
        mask = self.edge_dropout(field, torch.ones_like(weight))
        mask = mask * self.node_dropout(field, mask)[field.edge_index[0], 0]
        edge_index = field.edge_index
        columns = [weight[:, None]] if self.weight_first else []
        if self.takes_attributes:
            columns.append(check_edge_attr(field, self.edge_features).to(weight))
        inputs = {"edge_attr": torch.cat(columns, dim=1)} if columns else {}
        if self.takes_weight:
            inputs["edge_weight"] = weight
        inputs = {name: value.to(field.x.dtype) for name, value in inputs.items()}
        if not mask.all():
            edge_index, inputs = edge_index[:, mask > 0], {name: value[mask > 0] for name, value in inputs.items()}
        x = self.mix(field.x.to_dense(), edge_index, inputs)
        if x.shape[1] != self.out_channels:
            raise ValueError(
                f"{type(self.layer).__name__} gives {x.shape[1]} channels where {self.out_channels} are to come out; "
                "if it has several heads, make it average them (concat=False)"
            )
        return replace(field, x=x)

    def mix(self, x: Tensor, edge_index: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
        """Apply the layer to features ``(nodes, channels)``, edges ``(2, edges)`` and values of the edges."""
        found: Tensor = self.layer(x, edge_index, **inputs)
        return found


class GATv2Layer(PyGLayer):
    """A ``GATv2Conv`` whose arrays of edges times heads times channels are bounded without gradients.

    What arrives at a node depends on the edges into it alone, so some nodes at a time are looked at: as many as have
    ``ENTRIES`` such numbers together.
    """

    def mix(self, x: Tensor, edge_index: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
        layer: Any = self.layer
        most = ENTRIES // (layer.heads * layer.out_channels)
        if torch.is_grad_enabled() or edge_index.shape[1] + len(x) <= most:
            return super().mix(x, edge_index, inputs)
        order, starts = group_by(edge_index[1], len(x))
        found = []
        for first, last in split_ranges(starts.diff() + 1, most):  # each node hears itself, too
            these = slice(int(starts[first]), int(starts[last]))
            edges = these if order is None else order[these]
            part, place = gather_sources(edge_index[:, edges], first, last)
            chosen = {name: value[edges] for name, value in inputs.items()}
            # targets come first among the sources, so that the layer adds the right loops
            found.append(layer((x[part], x[first:last]), place, **chosen))
        return torch.cat(found)


def gather_sources(edge_index: Tensor, first: int, last: int) -> tuple[Tensor, Tensor]:
    """Gather nodes ``first..last-1`` and, after them, the other sources of the edges into them.

    Returns:
        numbers of the nodes, ``(gathered,)``, and source and target of each edge as places among them, ``(2, edges)``.
    """
    inside = torch.arange(first, last, device=edge_index.device)
    source = edge_index[0]
    outside = source[(source < first) | (source >= last)].unique()
    place = torch.searchsorted(outside, source) + len(inside)
    place = (source - first).where((source >= first) & (source < last), place)
    return torch.cat([inside, outside]), torch.stack([place, edge_index[1] - first])
