"""Graphs: convolutions over edges, top-k pooling, unpooling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from multiunet.core import Condition, Dropout, Geometry
from multiunet.geometries.graph_field import GraphField
from multiunet.geometries.graph_pool import TopKPool, Unpool

Convolution = Literal["gcn", "sage"]
Normalization = Literal["none", "batch", "layer"]
Activation = Literal["none", "relu", "leaky_relu", "elu", "gelu", "silu"]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "none": nn.Identity,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}


@dataclass(frozen=True)
class Graph(Geometry[GraphField]):
    """Graphs of any size and number (Gao & Ji 2019, "Graph U-Nets").

    Attributes:
        conv: ``gcn`` (Kipf & Welling 2017) averages a node with its neighbours; ``sage`` (Hamilton et al. 2017, mean)
            keeps a map of its own for the node, better where neighbours differ in kind.
        convs: convolutions of a block.
        hops: propagation steps of a convolution; more than one: personalised propagation (Gasteiger et al. 2019),
            which returns to the node's own features with probability ``teleport`` at each step. For ``gcn``.
        normalization: after each convolution; over the nodes of the batch, or over the channels of each node.
        dropout: of the features that a convolution gives, each node its own.
        edge_dropout: of the edges of a convolution (Rong et al. 2020, "DropEdge").
        node_dropout: of all that a node sends in a convolution (Feng et al. 2020, "GRAND": DropNode).
        residual: add a block's input to its output, through a linear map where channels differ.
        augment: kept nodes that had one node between them become neighbours.
        max_neighbours: bound on the edges into a node of a pooled graph, which otherwise grow denser with each level.
    """

    conv: Convolution = "gcn"
    convs: int = 1
    hops: int = 1
    teleport: float = 0.1
    activation: Activation = "relu"
    normalization: Normalization = "none"
    dropout: float = 0.0
    edge_dropout: float = 0.0
    node_dropout: float = 0.0
    residual: bool = False
    augment: bool = True
    max_neighbours: int | None = None

    def __post_init__(self) -> None:
        if self.hops > 1 and self.conv != "gcn":
            raise ValueError(f"hops {self.hops} is for conv 'gcn', not {self.conv!r}")

    def block(self, c_in: int, c_out: int) -> nn.Module:
        return GraphBlock(self, c_in, c_out)

    def down(self, channels: int, stride: float | None = None) -> nn.Module:
        return TopKPool(channels, 2.0 if stride is None else stride, self.augment, self.max_neighbours)

    def up(self, c_in: int, c_out: int, stride: float | None = None) -> nn.Module:
        return Unpool(c_in, c_out)

    def pointwise(self, c_in: int, c_out: int) -> nn.Module:
        return OnNodes(nn.Linear(c_in, c_out))

    def norm(self, channels: int) -> nn.Module:
        if self.normalization == "none":
            return nn.Identity()
        return OnNodes(NodeBatchNorm(channels) if self.normalization == "batch" else nn.LayerNorm(channels))

    def features(self, field: GraphField) -> Tensor:
        return field.x

    def with_features(self, field: GraphField, features: Tensor) -> GraphField:
        return replace(field, x=features)

    def collate(self, fields: Sequence[GraphField]) -> GraphField:
        return GraphField.union(fields)

    def sample(self, values: Tensor, fine: GraphField, coarse: GraphField) -> Tensor:
        if coarse.parent is None:
            raise ValueError("the coarse graph has no parent: it was not pooled from the fine one")
        return values[coarse.parent]

    def example(self, channels: int, seed: int) -> GraphField:
        """A ring of 9 to 15 nodes with chords, and one node without edges."""
        g = torch.Generator().manual_seed(seed)
        nodes = int(torch.randint(9, 16, (), generator=g))
        ring = torch.arange(nodes - 1)
        links = torch.stack([ring, ring.roll(-1)])
        chords = torch.randint(0, nodes - 1, (2, nodes // 2), generator=g)
        both = torch.cat([links, chords[:, chords[0] != chords[1]]], dim=1)
        edge_index = torch.unique(torch.cat([both, both.flip(0)], dim=1), dim=1)
        return GraphField.of(torch.randn(nodes, channels, generator=g), edge_index)


class OnNodes(nn.Module):
    """A module of tensors ``(nodes, channels)`` as a module of fields."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, field: GraphField) -> GraphField:
        return replace(field, x=self.module(field.x))


class NodeBatchNorm(nn.BatchNorm1d):
    """Batch normalisation over nodes; a single node, which has no variance, is normalised by the running statistics."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and len(x) == 1:
            return nn.functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(x)


class FeatureDropout(nn.Module):
    """``field -> field``: dropout of features, each node its own."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.dropout = Dropout(p, whole_channels=False)

    def forward(self, field: GraphField) -> GraphField:
        x = field.x
        if not x.is_sparse:
            return replace(field, x=self.dropout(x))
        x = x.coalesce()
        # dropping a zero changes nothing: only what a sparse tensor holds needs a mask
        kept = self.dropout(x.values())
        x = torch.sparse_coo_tensor(x.indices(), kept, x.shape, is_coalesced=True, check_invariants=False)
        return replace(field, x=x)


class GraphConvolution(nn.Module):
    """``field -> field``: one convolution of a ``Graph``, with dropout of nodes and edges."""

    def __init__(self, geometry: Graph, c_in: int, c_out: int) -> None:
        # torch_geometric costs seconds to import: only who builds a network on graphs pays
        from torch_geometric.nn import APPNP, SimpleConv

        super().__init__()
        self.node_dropout = Dropout(geometry.node_dropout, whole_channels=False)
        self.edge_dropout = Dropout(geometry.edge_dropout, whole_channels=False)
        self.neighbours = _matrix(c_in, c_out)
        self.own: nn.Linear | None = None
        if geometry.conv == "sage":
            self.own = _matrix(c_in, c_out)
            self.propagate: nn.Module = SimpleConv(aggr="mean")
        else:
            # one step without teleport is the propagation of Kipf & Welling 2017, eq. 2
            self.propagate = APPNP(geometry.hops, geometry.teleport if geometry.hops > 1 else 0.0)
        # a batch norm behind it would make a bias idle
        self.bias = nn.Parameter(torch.zeros(c_out)) if geometry.normalization != "batch" else None

    def forward(self, field: GraphField) -> GraphField:
        weight = self.edge_dropout(field.weights())
        # one mask a node; after the linear map, which has no bias, dropping is the same and cheaper
        sent = _times(field.x, self.neighbours) * self.node_dropout(weight.new_ones(field.x.shape[0], 1))
        x = self.propagate(sent, field.edge_index, weight)
        if self.own is not None:
            x = x + _times(field.x, self.own)
        return replace(field, x=x if self.bias is None else x + self.bias)


class GraphBlock(nn.Module):
    """``(field, condition) -> field``: convolution, normalisation, activation, dropout, ``convs`` times."""

    def __init__(self, geometry: Graph, c_in: int, c_out: int) -> None:
        super().__init__()
        sizes = [c_in, *[c_out] * geometry.convs]
        self.convolutions = nn.ModuleList(GraphConvolution(geometry, a, b) for a, b in pairwise(sizes))
        self.norms = nn.ModuleList(geometry.norm(c_out) for _ in self.convolutions)
        self.activation = OnNodes(ACTIVATIONS[geometry.activation]())
        self.dropouts = nn.ModuleList(FeatureDropout(geometry.dropout) for _ in self.convolutions)
        self.shortcut: nn.Linear | None = None
        if geometry.residual and c_in != c_out:
            self.shortcut = _matrix(c_in, c_out)
        self.residual = geometry.residual

    def forward(self, field: GraphField, condition: Condition | None = None) -> GraphField:
        x = field
        for convolution, norm, dropout in zip(self.convolutions, self.norms, self.dropouts):
            x = dropout(self.activation(norm(convolution(x))))
        if not self.residual:
            return x
        return replace(x, x=x.x + (field.x if self.shortcut is None else _times(field.x, self.shortcut)))


def _matrix(c_in: int, c_out: int) -> nn.Linear:
    """Glorot & Bengio 2010, as in Kipf & Welling's network."""
    linear = nn.Linear(c_in, c_out, bias=False)
    nn.init.xavier_uniform_(linear.weight)
    return linear


def _times(x: Tensor, matrix: nn.Linear) -> Tensor:
    """``matrix(x)`` of dense or sparse features."""
    if not x.is_sparse:
        return matrix(x)  # type: ignore[no-any-return]
    with torch.autocast(x.device.type, enabled=False):
        product: Tensor = torch.sparse.mm(x.to(matrix.weight), matrix.weight.t())
    return product
