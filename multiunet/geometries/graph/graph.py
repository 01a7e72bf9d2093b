"""Graphs: blocks of convolutions over edges; pooling is a part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from multiunet.core import Condition, Dropout, Geometry
from multiunet.geometries.batch_norm import BatchNorm1d
from multiunet.geometries.choices import check_choice, check_least
from multiunet.geometries.graph.conv import CONVOLUTIONS, ConvolutionName, Layer, convolution, matrix, times
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.select import Pooling, TopK

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
            keeps a map of its own for the node, better where neighbours differ in kind; ``gin`` (Xu et al. 2019) sums
            and ``gatv2`` (Brody et al. 2022) weighs neighbours; ``gine`` (Hu et al. 2020) is ``gin`` that reads
            attributes of edges. Or a class of ``torch_geometric.nn``, or a function that makes a layer from
            ``(c_in, c_out)``; see ``PeerConvolution`` for what it is given.
        pool: the way to a coarser graph and back: ``TopK``, ``SAG``, ``Matching``, ``Contraction``, ``MinCut``, or
            one's own.
        convs: convolutions of a block.
        hops: propagation steps of a convolution; more than one: personalised propagation (Gasteiger et al. 2019),
            which returns to the node's own features with probability ``teleport`` at each step. For ``gcn``.
        loop_weight: of the edge from each node to itself that ``gcn`` adds.
        normalization: after each convolution; over the nodes of the batch, or over the channels of each node.
        dropout: of the features that a convolution gives, each node its own.
        edge_dropout: of the edges of a convolution (Rong et al. 2020, "DropEdge").
        node_dropout: of all that a node sends in a convolution (Feng et al. 2020, "GRAND": DropNode).
        residual: add a block's input to its output, through a linear map where channels differ.
        edge_features: how many attributes of edges ``gine``, ``gatv2`` and layers that take ``edge_attr`` read.
        whole_channels: drop a feature at all nodes of a graph together, and number nodes and edges by graph. Then a
            sample of Monte-Carlo dropout is one network, whatever graphs share a batch.
    """

    conv: ConvolutionName | Layer = "gcn"
    pool: Pooling = field(default_factory=TopK)
    convs: int = 1
    hops: int = 1
    teleport: float = 0.1
    loop_weight: float = 1.0
    activation: Activation = "relu"
    normalization: Normalization = "none"
    dropout: float = 0.0
    edge_dropout: float = 0.0
    node_dropout: float = 0.0
    residual: bool = False
    edge_features: int = 0
    whole_channels: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.conv, str) and self.conv not in CONVOLUTIONS:
            raise ValueError(f"conv {self.conv!r} is none of {', '.join(CONVOLUTIONS)}; or give a class")
        check_choice("normalization", self.normalization, get_args(Normalization))
        check_choice("activation", self.activation, ACTIVATIONS)
        for name, least in (("convs", 1), ("hops", 1), ("edge_features", 0)):
            check_least(name, getattr(self, name), least)
        if not isinstance(self.pool, Pooling):
            raise ValueError(f"pool {self.pool!r} is no Pooling; give one, e.g. TopK() or Matching()")
        if self.hops > 1 and self.conv != "gcn":
            raise ValueError(f"hops {self.hops} is for conv 'gcn', not {self.conv!r}")

    def block(self, c_in: int, c_out: int) -> nn.Module:
        return GraphBlock(self, c_in, c_out)

    def down(self, channels: int, stride: float | None = None) -> nn.Module:
        return self.pool.down(channels, 2.0 if stride is None else stride)

    def up(self, c_in: int, c_out: int, stride: float | None = None) -> nn.Module:
        return self.pool.up(c_in, c_out)

    def pointwise(self, c_in: int, c_out: int) -> nn.Module:
        return OnNodes(nn.Linear(c_in, c_out))

    def norm(self, channels: int) -> nn.Module:
        if self.normalization == "none":
            return nn.Identity()
        return OnNodes(BatchNorm1d(channels) if self.normalization == "batch" else nn.LayerNorm(channels))

    def features(self, field: GraphField) -> Tensor:
        return field.x

    def with_features(self, field: GraphField, features: Tensor) -> GraphField:
        return replace(field, x=features)

    def collate(self, fields: Sequence[GraphField]) -> GraphField:
        return GraphField.union(fields)

    def sample(self, values: Tensor, fine: GraphField, coarse: GraphField, stride: float | None = None) -> Tensor:
        if coarse.parent is None:
            raise ValueError("the coarse graph has no parent: it was not pooled from the fine one")
        return values[coarse.parent]

    def penalty(self, output: GraphField) -> Tensor | None:
        return output.penalty

    def example(self, channels: int, seed: int) -> GraphField:
        """A ring of 9 to 15 nodes with chords, and one node without edges."""
        g = torch.Generator().manual_seed(seed)
        nodes = int(torch.randint(9, 16, (), generator=g))
        ring = torch.arange(nodes - 1)
        links = torch.stack([ring, ring.roll(-1)])
        chords = torch.randint(0, nodes - 1, (2, nodes // 2), generator=g)
        both = torch.cat([links, chords[:, chords[0] != chords[1]]], dim=1)
        edge_index = torch.unique(torch.cat([both, both.flip(0)], dim=1), dim=1)
        x = torch.randn(nodes, channels, generator=g)
        attributes = torch.randn(edge_index.shape[1], self.edge_features, generator=g) if self.edge_features else None
        return GraphField.of(x, edge_index, edge_attr=attributes)


class OnNodes(nn.Module):
    """A module of tensors ``(nodes, channels)`` as a module of fields."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, field: GraphField) -> GraphField:
        return replace(field, x=self.module(field.x))


class FeatureDropout(nn.Module):
    """``field -> field``: dropout of features, each node its own, or the same at all nodes of a graph."""

    def __init__(self, p: float, whole_channels: bool = False) -> None:
        super().__init__()
        self.dropout = Dropout(p, whole_channels)

    def forward(self, field: GraphField) -> GraphField:
        x, whole = field.x, self.dropout.whole_channels
        # a row of the mask for each graph
        of_graphs = (
            self.dropout(torch.ones(field.graphs, x.shape[1], dtype=x.dtype, device=x.device)) if whole else None
        )
        if not x.is_sparse:
            return replace(field, x=self.dropout(x) if of_graphs is None else x * of_graphs[field.batch])
        x = x.coalesce()
        # dropping a zero changes nothing: only what a sparse tensor holds needs a mask
        node, channel = x.indices()
        kept = self.dropout(x.values()) if of_graphs is None else x.values() * of_graphs[field.batch[node], channel]
        x = torch.sparse_coo_tensor(x.indices(), kept, x.shape, is_coalesced=True, check_invariants=False)
        return replace(field, x=x)


class GraphBlock(nn.Module):
    """``(field, condition) -> field``: convolution, normalisation, activation, dropout, ``convs`` times."""

    def __init__(self, geometry: Graph, c_in: int, c_out: int) -> None:
        super().__init__()
        sizes = [c_in, *[c_out] * geometry.convs]
        self.convolutions = nn.ModuleList(convolution(geometry, a, b) for a, b in pairwise(sizes))
        self.norms = nn.ModuleList(geometry.norm(c_out) for _ in self.convolutions)
        self.activation = OnNodes(ACTIVATIONS[geometry.activation]())
        self.dropouts = nn.ModuleList(
            FeatureDropout(geometry.dropout, geometry.whole_channels) for _ in self.convolutions
        )
        self.shortcut: nn.Linear | None = None
        if geometry.residual and c_in != c_out:
            self.shortcut = matrix(c_in, c_out)
        self.residual = geometry.residual

    def forward(self, field: GraphField, condition: Condition | None = None) -> GraphField:
        x = field
        for mix, norm, dropout in zip(self.convolutions, self.norms, self.dropouts):
            x = dropout(self.activation(norm(mix(x))))
        if not self.residual:
            return x
        return replace(x, x=x.x + (field.x if self.shortcut is None else times(field.x, self.shortcut)))
