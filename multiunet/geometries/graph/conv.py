"""Convolutions of graphs: those that are one product of edges with features, and any layer of torch-geometric."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from multiunet.core import Dropout
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.links import ENTRIES, grouped, ranges, spread

if TYPE_CHECKING:
    from multiunet.geometries.graph.graph import Graph

ConvolutionName = Literal["gcn", "sage", "gin", "gine", "gatv2"]
Layer = Callable[[int, int], nn.Module]
"""``(c_in, c_out)`` to a layer of torch-geometric, ``(x, edge_index, ...) -> x``; a class of theirs is one."""

HEADS = 4
"""Of ``gatv2``; their outputs are averaged."""


def convolution(geometry: Graph, c_in: int, c_out: int) -> nn.Module:
    """``field -> field``: the convolution that ``geometry.conv`` names or makes."""
    if isinstance(geometry.conv, str):
        return CONVOLUTIONS[geometry.conv](geometry, c_in, c_out)
    return PeerConvolution(geometry, geometry.conv(c_in, c_out), c_out)


class EdgeDropout(nn.Module):
    """``(field, values of edges) -> values``, 0 for the edges that are dropped.

    Args:
        by_graph: a sample of Monte-Carlo dropout drops the same edges of a graph, whatever graphs share the batch.
    """

    def __init__(self, p: float, by_graph: bool) -> None:
        super().__init__()
        self.dropout = Dropout(p, whole_channels=False)
        self.by_graph = by_graph

    def forward(self, field: GraphField, values: Tensor) -> Tensor:
        if self.dropout.key is None or not self.by_graph:
            return self.dropout(values)  # type: ignore[no-any-return]
        source, target = field.edge_index
        # by their ends: in which order edges come may depend on how many there are. Nodes are in the order of graphs
        order = torch.argsort(target * len(field.batch) + source, stable=True)
        graph = field.batch[target]
        counts = torch.bincount(graph, minlength=field.graphs)
        number = torch.arange(len(graph), device=graph.device)
        place = torch.empty_like(order).index_copy(0, order, number - (counts.cumsum(0) - counts)[graph[order]])
        # one mask for the first edges of all graphs, long enough for the largest: a longer one begins alike
        mask: Tensor = self.dropout(values.new_ones(int(counts.max())))
        return values * mask[place]


class NodeDropout(nn.Module):
    """``(field, features) -> mask``, ``(nodes, 1)``, in the features' type; 0 for the nodes that are dropped.

    Args:
        by_graph: a sample of Monte-Carlo dropout drops the same nodes of a graph, whatever graphs share the batch.
    """

    def __init__(self, p: float, by_graph: bool) -> None:
        super().__init__()
        self.dropout = Dropout(p, whole_channels=False)
        self.by_graph = by_graph

    def forward(self, field: GraphField, features: Tensor) -> Tensor:
        ones = torch.ones(len(field.batch), 1, dtype=features.dtype, device=features.device)
        if self.dropout.key is None or not self.by_graph:
            return self.dropout(ones)  # type: ignore[no-any-return]
        counts = torch.bincount(field.batch, minlength=field.graphs)
        place = torch.arange(len(ones), device=ones.device) - (counts.cumsum(0) - counts)[field.batch]
        mask: Tensor = self.dropout(ones[: int(counts.max())])
        return mask[place]


class GraphConvolution(nn.Module, ABC):
    """``field -> field``: a linear map, then a product with the edges; with dropout of nodes and of edges."""

    def __init__(self, geometry: Graph, c_in: int, c_out: int) -> None:
        super().__init__()
        self.node_dropout = NodeDropout(geometry.node_dropout, geometry.whole_channels)
        self.edge_dropout = EdgeDropout(geometry.edge_dropout, geometry.whole_channels)
        self.neighbours = matrix(c_in, c_out)
        # a batch norm behind it would make a bias idle
        self.bias = nn.Parameter(torch.zeros(c_out)) if geometry.normalization != "batch" else None

    def forward(self, field: GraphField) -> GraphField:
        weight = self.edge_dropout(field, field.weights())
        # one mask a node; after the linear map, which has no bias, dropping is the same and cheaper
        sent = times(field.x, self.neighbours)
        sent = sent * self.node_dropout(field, sent)
        x = self.mix(field, sent, weight)
        return replace(field, x=x if self.bias is None else x + self.bias)

    @abstractmethod
    def mix(self, field: GraphField, sent: Tensor, weight: Tensor) -> Tensor:
        """What arrives at each node of what all have sent, without bias."""


class GCN(GraphConvolution):
    """``D^-1/2 (A + s I) D^-1/2 x W`` (Kipf & Welling 2017, eq. 2); several hops: Gasteiger et al. 2019, eq. 4."""

    def __init__(self, geometry: Graph, c_in: int, c_out: int) -> None:
        super().__init__(geometry, c_in, c_out)
        self.hops, self.loop_weight = geometry.hops, geometry.loop_weight
        # one step without return is the propagation of Kipf & Welling
        self.teleport = geometry.teleport if geometry.hops > 1 else 0.0

    def mix(self, field: GraphField, sent: Tensor, weight: Tensor) -> Tensor:
        links = field.links()
        own = weight.new_full((len(sent),), self.loop_weight)
        if len(links.loops):  # a loop that is there already stands for the one to be added
            own = own.index_put((field.edge_index[0, links.loops],), weight[links.loops])
            weight = weight.index_fill(0, links.loops, 0.0)
        degree = own.index_add(0, field.edge_index[1], weight)
        scale = degree.where(degree > 0, torch.inf).rsqrt()[:, None]
        x = sent
        for _ in range(self.hops):
            arrived = scale * spread(scale * x, weight, links) + scale.square() * own[:, None] * x
            x = (1 - self.teleport) * arrived + self.teleport * sent if self.teleport else arrived
        return x.to(sent.dtype)


class SAGE(GraphConvolution):
    """``x W_own + mean(w_j x_j) W`` (Hamilton et al. 2017)."""

    def __init__(self, geometry: Graph, c_in: int, c_out: int) -> None:
        super().__init__(geometry, c_in, c_out)
        self.own = matrix(c_in, c_out)

    def mix(self, field: GraphField, sent: Tensor, weight: Tensor) -> Tensor:
        links = field.links()
        mean = spread(sent, weight, links) / links.in_degree.clamp_min(1)[:, None].to(sent.dtype)
        return mean + times(field.x, self.own)


class GIN(GraphConvolution):
    """``relu(((1 + e) x + sum(w_j x_j)) W + a) W_2`` with a learnt ``e`` (Xu et al. 2019, eq. 4.1)."""

    def __init__(self, geometry: Graph, c_in: int, c_out: int) -> None:
        super().__init__(geometry, c_in, c_out)
        self.epsilon = nn.Parameter(torch.zeros(()))
        self.inner_bias = nn.Parameter(torch.zeros(c_out))
        self.outer = matrix(c_out, c_out)

    def mix(self, field: GraphField, sent: Tensor, weight: Tensor) -> Tensor:
        total = (1 + self.epsilon) * sent + spread(sent, weight, field.links())
        return self.outer(torch.relu(total + self.inner_bias))  # type: ignore[no-any-return]


class GINE(GIN):
    """``gin`` whose neighbours send ``relu(x_j W + a_ij V)`` with the attributes ``a`` of edges.

    Hu et al. 2020, "Strategies for pre-training graph neural networks". Gradients take arrays of edges times channels;
    without them as many edges are looked at together as ``ENTRIES`` allow.
    """

    def __init__(self, geometry: Graph, c_in: int, c_out: int) -> None:
        super().__init__(geometry, c_in, c_out)
        self.edge_features = geometry.edge_features
        self.of_edges = nn.Linear(geometry.edge_features, c_out, bias=False) if geometry.edge_features else None

    def mix(self, field: GraphField, sent: Tensor, weight: Tensor) -> Tensor:
        given = None if self.of_edges is None else attributes(field, self.edge_features)
        step = max(1, ENTRIES // max(1, sent.shape[1]))
        heard = weight.new_zeros(sent.shape)
        for first in range(0, max(1, len(weight)), step):
            edges = slice(first, first + step)
            source, target = field.edge_index[:, edges]
            message = sent[source]
            if self.of_edges is not None and given is not None:
                message = message + self.of_edges(given[edges].to(message.dtype))
            heard = heard.index_add(0, target, weight[edges, None] * message.relu())
        heard = heard.to(sent.dtype)
        return self.outer(torch.relu((1 + self.epsilon) * sent + heard + self.inner_bias))  # type: ignore[no-any-return]


class PeerConvolution(nn.Module):
    """``field -> field``: a layer of torch-geometric, with dropout of nodes and edges.

    Edges' weights are handed on as ``edge_weight`` where the layer takes that, and their attributes as ``edge_attr``
    where it was made with ``edge_dim`` equal to the geometry's ``edge_features``; with an ``edge_dim`` of one more,
    the weight is the first column of ``edge_attr``. A layer that takes ``edge_attr`` but has no ``edge_dim`` gets the
    attributes. Other layers see who is linked, not how. A dropped edge is not there, a dropped node sends nothing to
    others.
    """

    def __init__(self, geometry: Graph, layer: nn.Module, c_out: int) -> None:
        super().__init__()
        self.c_out = c_out
        self.node_dropout = NodeDropout(geometry.node_dropout, geometry.whole_channels)
        self.edge_dropout = EdgeDropout(geometry.edge_dropout, geometry.whole_channels)
        self.layer = layer
        self.edge_features = geometry.edge_features
        taken = inspect.signature(layer.forward).parameters
        # a layer that does not say how many it was made for takes what there are
        columns = (getattr(layer, "edge_dim", self.edge_features) or 0) if "edge_attr" in taken else 0
        self.takes_weight = "edge_weight" in taken
        self.weight_first = not self.takes_weight and columns == self.edge_features + 1
        self.takes_attributes = self.edge_features > 0 and columns in (self.edge_features, self.edge_features + 1)

    def forward(self, field: GraphField) -> GraphField:
        weight = field.weights()
        mask = self.edge_dropout(field, torch.ones_like(weight))
        mask = mask * self.node_dropout(field, mask)[field.edge_index[0], 0]
        edge_index = field.edge_index
        columns = [weight[:, None]] if self.weight_first else []
        if self.takes_attributes:
            columns.append(attributes(field, self.edge_features).to(weight))
        told = {"edge_attr": torch.cat(columns, dim=1)} if columns else {}
        if self.takes_weight:
            told["edge_weight"] = weight
        told = {name: value.to(field.x.dtype) for name, value in told.items()}
        if not mask.all():
            edge_index, told = edge_index[:, mask > 0], {name: value[mask > 0] for name, value in told.items()}
        x = self.mixed(field.x.to_dense(), edge_index, told)
        if x.shape[1] != self.c_out:
            raise ValueError(
                f"{type(self.layer).__name__} gives {x.shape[1]} channels where {self.c_out} are to come out; "
                "if it has several heads, make it average them (concat=False)"
            )
        return replace(field, x=x)

    def mixed(self, x: Tensor, edge_index: Tensor, told: Mapping[str, Tensor]) -> Tensor:
        """What the layer makes of these nodes and edges."""
        found: Tensor = self.layer(x, edge_index, **told)
        return found


class Attention(PeerConvolution):
    """A ``GATv2Conv`` whose arrays of edges times heads times channels are bounded where there are no gradients.

    What arrives at a node depends on the edges into it alone, so some nodes at a time are looked at: as many as have
    ``ENTRIES`` such numbers together.
    """

    def mixed(self, x: Tensor, edge_index: Tensor, told: Mapping[str, Tensor]) -> Tensor:
        layer: Any = self.layer
        most = ENTRIES // (layer.heads * layer.out_channels)
        if torch.is_grad_enabled() or edge_index.shape[1] + len(x) <= most:
            return super().mixed(x, edge_index, told)
        order, starts = grouped(edge_index[1], len(x))
        found = []
        for first, last in ranges(starts.diff() + 1, most):  # each node hears itself, too
            these = slice(int(starts[first]), int(starts[last]))
            edges = these if order is None else order[these]
            part, place = with_sources(edge_index[:, edges], first, last)
            told_of = {name: value[edges] for name, value in told.items()}
            # targets come first among the sources, so that the layer adds the right loops
            found.append(layer((x[part], x[first:last]), place, **told_of))
        return torch.cat(found)


def with_sources(edge_index: Tensor, first: int, last: int) -> tuple[Tensor, Tensor]:
    """The nodes ``first..last-1``, and behind them the others that edges into them come from; the edges among these.

    Returns:
        numbers of the nodes, and source and target of each edge as places among them.
    """
    inside = torch.arange(first, last, device=edge_index.device)
    source = edge_index[0]
    outside = source[(source < first) | (source >= last)].unique()
    place = torch.searchsorted(outside, source) + len(inside)
    place = (source - first).where((source >= first) & (source < last), place)
    return torch.cat([inside, outside]), torch.stack([place, edge_index[1] - first])


def attributes(field: GraphField, count: int) -> Tensor:
    """The attributes of a field's edges, ``(edges, count)``.

    Raises:
        ValueError: where they are not so many.
    """
    if field.edge_attr is None and not field.edge_index.shape[1]:
        return field.weights().new_zeros(0, count)
    found = 0 if field.edge_attr is None else field.edge_attr.shape[1]
    if field.edge_attr is None or found != count:
        raise ValueError(f"edges have {found} attributes, but the geometry reads {count} (edge_features)")
    return field.edge_attr


def gatv2(geometry: Graph, c_in: int, c_out: int) -> Attention:
    """Attention over neighbours that depends on the node that asks, and on the edge's weight and attributes.

    Brody et al. 2022, "How attentive are graph attention networks?"
    """
    from torch_geometric.nn import GATv2Conv  # costs seconds to import

    idle_bias = geometry.normalization == "batch"
    settings = {"heads": HEADS, "concat": False, "edge_dim": 1 + geometry.edge_features, "bias": not idle_bias}
    return Attention(geometry, GATv2Conv(c_in, c_out, **settings), c_out)


CONVOLUTIONS: dict[str, Callable[[Graph, int, int], nn.Module]] = {
    "gcn": GCN,
    "sage": SAGE,
    "gin": GIN,
    "gine": GINE,
    "gatv2": gatv2,
}


def matrix(c_in: int, c_out: int) -> nn.Linear:
    """Glorot & Bengio 2010, as in Kipf & Welling's network."""
    linear = nn.Linear(c_in, c_out, bias=False)
    nn.init.xavier_uniform_(linear.weight)
    return linear


def times(x: Tensor, matrix: nn.Linear) -> Tensor:
    """``matrix(x)`` of dense or sparse features."""
    if not x.is_sparse:
        return matrix(x)  # type: ignore[no-any-return]
    with torch.autocast(x.device.type, enabled=False):
        product: Tensor = torch.sparse.mm(x.to(matrix.weight), matrix.weight.t())
    return product
