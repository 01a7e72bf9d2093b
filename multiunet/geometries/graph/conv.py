"""Convolutions of graphs that are one sparse product of edges with features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from multiunet.core import LazyConcat, reads_lazy_concat
from multiunet.core.shared import reads_sites, reads_sites_alone, sites_of
from multiunet.geometries.choices import check_least
from multiunet.geometries.graph.attributes import check_edge_attr
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.layers import Layers, apply_linear, apply_to_parts, glorot_linear
from multiunet.geometries.graph.links import ENTRIES, spmm


class Convolution(ABC):
    """A kind of graph convolution, which makes the convolution layers of a block."""

    @property
    def edge_features(self) -> int:
        """Number of edge attributes that its layers read."""
        return 0

    @property
    def reach(self) -> int | None:
        """Number of hops that one layer looks around a node; None: unknown."""
        return 1

    @abstractmethod
    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        """Make one convolution, ``field -> field``, with dropout of nodes and edges as ``layers`` says."""


@dataclass(frozen=True)
class GCN(Convolution):
    """Average a node with its neighbours (Kipf & Welling 2017).

    Attributes:
        hops: propagation steps; more than one: personalised propagation (Gasteiger et al. 2019, "APPNP").
        teleport: of several steps, the probability of a return to the node's own features at each.
        loop_weight: weight of the edge from each node to itself that is added.
    """

    hops: int = 1
    teleport: float = 0.1
    loop_weight: float = 1.0

    def __post_init__(self) -> None:
        check_least("hops", self.hops, 1)

    @property
    def reach(self) -> int:
        """Number of hops that one layer looks around a node."""
        return self.hops

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        return GCNLayer(in_channels, out_channels, layers, self)


@dataclass(frozen=True)
class SAGE(Convolution):
    """Map the mean of the neighbours and the node itself apart; better where neighbours differ in kind.

    Hamilton et al. 2017, "GraphSAGE", mean aggregation.
    """

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        return SAGELayer(in_channels, out_channels, layers)


@dataclass(frozen=True)
class GIN(Convolution):
    """Sum the neighbours, then a two-layer map (Xu et al. 2019)."""

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        return GINLayer(in_channels, out_channels, layers)


@dataclass(frozen=True)
class GINE(Convolution):
    """Sum neighbours and edge attributes, as ``GIN`` does neighbours (Hu et al. 2020).

    Attributes:
        edge_features: number of edge attributes that are read.
    """

    edge_features: int = 0

    def __post_init__(self) -> None:
        check_least("edge_features", self.edge_features, 0)

    def build(self, layers: Layers, in_channels: int, out_channels: int) -> nn.Module:
        return GINELayer(in_channels, out_channels, layers, self.edge_features)


class GraphConvolution(nn.Module, ABC):
    """A linear map, then a product with the edges, ``field -> field``, with dropout of nodes and edges."""

    def __init__(self, in_channels: int, out_channels: int, layers: Layers) -> None:
        super().__init__()
        self.node_dropout = layers.make_node_dropout()
        self.edge_dropout = layers.make_edge_dropout()
        self.neighbours = glorot_linear(in_channels, out_channels)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if layers.needs_bias else None

    @reads_lazy_concat
    def forward(self, field: GraphField | LazyConcat[GraphField]) -> GraphField:
        if isinstance(field, LazyConcat):
            field = field if reads_sites(self.mix) else field.field()
        sent = apply_to_parts(self.neighbours, field)
        field = sites_of(field.members[0]) if isinstance(field, LazyConcat) else field
        weight = self.edge_dropout(field, field.weights())
        # one mask a node; after the linear map, which has no bias, dropping is the same and cheaper
        sent = sent * self.node_dropout(field, sent)
        x = self.mix(field, sent, weight)
        return replace(field, x=x if self.bias is None else x + self.bias)

    @abstractmethod
    def mix(self, field: GraphField, sent: Tensor, weight: Tensor) -> Tensor:
        """Combine sent features ``(nodes, channels)`` by edges of ``weight``, ``(edges,)``, without bias."""


class GCNLayer(GraphConvolution):
    """``D^-1/2 (A + s I) D^-1/2 x W`` (Kipf & Welling 2017, eq. 2).

    Several hops: Gasteiger et al. 2019, eq. 4.
    """

    def __init__(self, in_channels: int, out_channels: int, layers: Layers, kind: GCN) -> None:
        super().__init__(in_channels, out_channels, layers)
        self.hops, self.loop_weight = kind.hops, kind.loop_weight
        # one step without return is the propagation of Kipf & Welling
        self.teleport = kind.teleport if kind.hops > 1 else 0.0

    @reads_sites_alone
    def mix(self, field: GraphField, sent: Tensor, weight: Tensor) -> Tensor:
        links, (weight, own, scale) = field.links(), self.normalise(field, weight, len(sent))
        x = sent
        for _ in range(self.hops):
            arrived = scale * spmm(scale * x, weight, links) + scale.square() * own[:, None] * x
            x = (1 - self.teleport) * arrived + self.teleport * sent if self.teleport else arrived
        return x.to(sent.dtype)

    def normalise(self, field: GraphField, weight: Tensor, nodes: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return the weights of edges without loops, those of loops, and the scale of each node.

        They are ``(edges,)``, ``(nodes,)`` and ``(nodes, 1)``.
        """
        loops = field.links().loops
        own = weight.new_full((nodes,), self.loop_weight)
        if len(loops):  # a loop that is there already stands for the one to be added
            own = own.index_put((field.edge_index[0, loops],), weight[loops])
            weight = weight.index_fill(0, loops, 0.0)
        degree = own.index_add(0, field.edge_index[1], weight)
        return weight, own, degree.where(degree > 0, torch.inf).rsqrt()[:, None]


class SAGELayer(GraphConvolution):
    """``x W_own + mean(w_j x_j) W`` (Hamilton et al. 2017)."""

    def __init__(self, in_channels: int, out_channels: int, layers: Layers) -> None:
        super().__init__(in_channels, out_channels, layers)
        self.own = glorot_linear(in_channels, out_channels)

    def mix(self, field: GraphField, sent: Tensor, weight: Tensor) -> Tensor:
        links = field.links()
        mean = spmm(sent, weight, links) / links.in_degree.clamp_min(1)[:, None].to(sent.dtype)
        return mean + apply_linear(self.own, field.x)


class GINLayer(GraphConvolution):
    """``relu(((1 + e) x + sum(w_j x_j)) W + a) W_2`` with a learnt ``e`` (Xu et al. 2019, eq. 4.1)."""

    def __init__(self, in_channels: int, out_channels: int, layers: Layers) -> None:
        super().__init__(in_channels, out_channels, layers)
        self.epsilon = nn.Parameter(torch.zeros(()))
        self.inner_bias = nn.Parameter(torch.zeros(out_channels))
        self.outer = glorot_linear(out_channels, out_channels)

    @reads_sites_alone
    def mix(self, field: GraphField, sent: Tensor, weight: Tensor) -> Tensor:
        return self.combine(sent, spmm(sent, weight, field.links()))

    def combine(self, sent: Tensor, heard: Tensor) -> Tensor:
        """Map the sum of a node's own features and those it heard, ``(nodes, out_channels)`` each."""
        total = (1 + self.epsilon) * sent + heard
        return self.outer(torch.relu(total + self.inner_bias))  # type: ignore[no-any-return]


class GINELayer(GINLayer):
    """GIN whose neighbours send ``relu(x_j W + a_ij V)`` with the attributes ``a`` of edges.

    Hu et al. 2020, "Strategies for pre-training graph neural networks". Gradients take arrays of edges times channels;
    without them as many edges are looked at together as ``ENTRIES`` allow.
    """

    def __init__(self, in_channels: int, out_channels: int, layers: Layers, edge_features: int) -> None:
        super().__init__(in_channels, out_channels, layers)
        self.edge_features = edge_features
        self.of_edges = nn.Linear(edge_features, out_channels, bias=False) if edge_features else None

    @reads_sites_alone
    def mix(self, field: GraphField, sent: Tensor, weight: Tensor) -> Tensor:
        given = None if self.of_edges is None else check_edge_attr(field, self.edge_features)
        step = max(1, ENTRIES // max(1, sent.shape[1]))
        heard = weight.new_zeros(sent.shape)
        for first in range(0, max(1, len(weight)), step):
            edges = slice(first, first + step)
            source, target = field.edge_index[:, edges]
            message = sent[source]
            if self.of_edges is not None and given is not None:
                message = message + self.of_edges(given[edges].to(message.dtype))
            heard = heard.index_add(0, target, weight[edges, None] * message.relu())
        return self.combine(sent, heard.to(sent.dtype))
