"""Graphs of any size and number, from three parts: convolution, pooling and the layers of a block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from multiunet.core import Condition, Geometry
from multiunet.geometries.attention import Attention, CrossAttention
from multiunet.geometries.choices import check_least
from multiunet.geometries.graph.block import GraphBlock
from multiunet.geometries.graph.conv import GCN, Convolution
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.layers import Activation, Layers, Normalization, OnNodes
from multiunet.geometries.graph.pooling import Pooling
from multiunet.geometries.graph.select import TopK
from multiunet.geometries.graph.virtual_node import VirtualNode


@dataclass(frozen=True)
class Graph(Geometry[GraphField]):
    """Graphs of any size and number (Gao & Ji 2019, "Graph U-Nets").

    Attributes:
        conv: the convolution: ``GCN``, ``SAGE``, ``GIN``, ``GINE``, ``GATv2``, any layer of torch-geometric by
            ``PyGConv``, or one's own ``Convolution``.
        pool: the way to a coarser graph and back: ``TopK``, ``SAG``, ``HeavyEdgeMatching``, ``Contraction``,
            ``MinCut``, or one's own ``Pooling``.
        convs: number of convolutions in a block.
        activation: after each norm.
        normalization: after each convolution; ``batch``: over the nodes of the batch, ``layer``: over the channels of
            each node.
        dropout: probability that a feature is dropped after an activation, each node its own.
        edge_dropout: probability that a convolution leaves out an edge (Rong et al. 2020, "DropEdge").
        node_dropout: probability that a node sends nothing in a convolution (Feng et al. 2020, "GRAND": DropNode).
        residual: add a block's input to its output, through a linear map where channels differ.
        whole_channels: drop a feature at all nodes of a graph together, and number nodes and edges by graph. Then a
            sample of Monte-Carlo dropout is one network, whatever graphs share a batch.
        condition_channels: channels of ``Condition.embedding``, one a graph, that scales and shifts the features after
            each norm; 0: none.
        attention: behind the convolutions of a block, attention of each node to all nodes of its graph, as the GPS
            layer adds it to message passing (Rampášek et al. 2022). Its cost grows with the square of the number of
            nodes, so it is for the coarsest graph: give the network a list of geometries.
        virtual_node: behind the convolutions of a block, what a node that is linked to all others tells them: see
            ``VirtualNode``.
        cross_attention: behind these, attention of each node to the tokens of the condition.

    Raises:
        ValueError: when a setting is not one of those known, or out of range.
    """

    conv: Convolution = field(default_factory=GCN)
    pool: Pooling = field(default_factory=TopK)
    convs: int = 1
    activation: Activation = "relu"
    normalization: Normalization = "none"
    dropout: float = 0.0
    edge_dropout: float = 0.0
    node_dropout: float = 0.0
    residual: bool = False
    whole_channels: bool = False
    condition_channels: int = 0
    attention: Attention | None = None
    cross_attention: CrossAttention | None = None
    virtual_node: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.conv, Convolution):
            raise ValueError(
                f"conv {self.conv!r} must be a Convolution, e.g. GCN() or SAGE(); a layer of torch-geometric goes into "
                "PyGConv(...)"
            )
        if not isinstance(self.pool, Pooling):
            raise ValueError(f"pool {self.pool!r} must be a Pooling, e.g. TopK() or HeavyEdgeMatching()")
        check_least("convs", self.convs, 1)
        check_least("condition_channels", self.condition_channels, 0)
        _ = self.layers  # which checks its settings

    @property
    def layers(self) -> Layers:
        """Layers that blocks and convolutions are made of."""
        return Layers(
            normalization=self.normalization,
            activation=self.activation,
            dropout=self.dropout,
            edge_dropout=self.edge_dropout,
            node_dropout=self.node_dropout,
            whole_channels=self.whole_channels,
        )

    def make_block(self, in_channels: int, out_channels: int) -> nn.Module:
        return GraphBlock(
            in_channels,
            out_channels,
            conv=self.conv,
            layers=self.layers,
            convs=self.convs,
            residual=self.residual,
            condition_channels=self.condition_channels,
            attention=self._make_attention(out_channels),
        )

    def _make_attention(self, channels: int) -> list[nn.Module]:
        parts = [part for part in (self.attention, self.cross_attention) if part is not None]
        told: list[nn.Module] = [VirtualNode(channels)] if self.virtual_node else []
        return [*told, *(part.attend(self, channels, channels, OnNodes(nn.LayerNorm(channels))) for part in parts)]

    def make_down(self, in_channels: int, out_channels: int, stride: float | None = None) -> nn.Module:
        down = self.pool.build_down(in_channels, 2.0 if stride is None else stride)
        same = in_channels == out_channels
        return down if same else nn.Sequential(down, self.make_pointwise(in_channels, out_channels))

    def make_up(self, in_channels: int, out_channels: int, stride: float | None = None) -> nn.Module:
        return self.pool.build_up(in_channels, out_channels)

    def make_pointwise(self, in_channels: int, out_channels: int) -> nn.Module:
        return OnNodes(nn.Linear(in_channels, out_channels))

    def make_norm(self, channels: int) -> nn.Module:
        return self.layers.make_norm(channels)

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

    def batch_size(self, field: GraphField) -> int:
        return field.graphs

    def at_sites(self, field: GraphField, vectors: Tensor) -> Tensor:
        return vectors[field.batch]

    def as_sequences(self, field: GraphField) -> tuple[Tensor, Tensor | None]:
        if field.graphs == 1:
            return field.x[None], None
        there = self._there(field)
        rows = field.x.new_zeros(*there.shape, field.x.shape[1])
        rows[there] = field.x
        return rows, there

    def from_sequences(self, field: GraphField, sequences: Tensor) -> GraphField:
        if field.graphs == 1:
            return replace(field, x=sequences[0])
        return replace(field, x=sequences[self._there(field)])

    def _there(self, field: GraphField) -> Tensor:
        """Which places of the longest sequence each graph's nodes take, ``(graphs, L)``."""
        counts = field.batch.bincount(minlength=field.graphs)
        return torch.arange(int(counts.max()), device=counts.device) < counts[:, None]

    def penalty(self, output: GraphField) -> Tensor | None:
        return output.penalty

    def example(self, channels: int, seed: int) -> GraphField:
        """Make a ring of 9 to 15 nodes with chords, and one node without edges."""
        g = torch.Generator().manual_seed(seed)
        nodes = int(torch.randint(9, 16, (), generator=g))
        ring = torch.arange(nodes - 1)
        links = torch.stack([ring, ring.roll(-1)])
        chords = torch.randint(0, nodes - 1, (2, nodes // 2), generator=g)
        both = torch.cat([links, chords[:, chords[0] != chords[1]]], dim=1)
        edge_index = torch.unique(torch.cat([both, both.flip(0)], dim=1), dim=1)
        x = torch.randn(nodes, channels, generator=g)
        count = self.conv.edge_features
        attributes = torch.randn(edge_index.shape[1], count, generator=g) if count else None
        return GraphField.of(x, edge_index, edge_attr=attributes)

    def example_condition(self, seed: int) -> Condition | None:
        """Make a random embedding and random tokens for one graph, as far as blocks read them."""
        tokens = None if self.cross_attention is None else self.cross_attention.example_condition(seed)
        if not self.condition_channels:
            return tokens
        g = torch.Generator().manual_seed(seed)
        embedding = torch.randn(1, self.condition_channels, generator=g)
        return Condition(embedding) if tokens is None else replace(tokens, embedding=embedding)
