"""The block of a graph network: convolution, norm, condition, activation and dropout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import cast

from torch import nn

from multiunet.core import Condition, LazyConcat, Modulation, reads_lazy_concat
from multiunet.core.lazy import call_block, compute_once, concatenated
from multiunet.geometries.graph.conv import Convolution
from multiunet.geometries.graph.field import GraphField
from multiunet.geometries.graph.layers import Layers, apply_linear, glorot_linear


class GraphBlock(nn.Module):
    """``(field, condition) -> field``: convolution, norm, modulation, activation, dropout, repeated.

    Args:
        conv: makes the convolutions.
        layers: makes norms, activations and dropout.
        convs: number of convolutions.
        residual: add the block's input to its output, through a linear map where channels differ.
        condition_channels: channels of ``Condition.embedding`` that modulates each norm's output; 0: none.
        attention: modules ``(field, condition) -> field`` that come last.

    Attributes:
        reach: number of hops that the block looks around a node; None: unknown. In training a batch norm sees all
            nodes besides.
        is_global: True where a node may hear all others of its graph, as far as is known.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        conv: Convolution,
        layers: Layers,
        convs: int = 1,
        residual: bool = False,
        condition_channels: int = 0,
        attention: Sequence[nn.Module] = (),
    ) -> None:
        super().__init__()
        sizes = [in_channels, *[out_channels] * convs]
        self.convolutions = nn.ModuleList(conv.build(layers, a, b) for a, b in pairwise(sizes))
        self.norms = nn.ModuleList(layers.make_norm(out_channels) for _ in self.convolutions)
        self.activation = layers.make_activation()
        self.dropouts = nn.ModuleList(layers.make_feature_dropout() for _ in self.convolutions)
        self.shortcut: nn.Linear | None = None
        if residual and in_channels != out_channels:
            self.shortcut = glorot_linear(in_channels, out_channels)
        self.residual = residual
        self.modulations = nn.ModuleList(ModulateNodes(condition_channels, out_channels) for _ in self.convolutions)
        self.reach = None if conv.reach is None else convs * conv.reach
        self.attention = nn.ModuleList(attention)
        self.is_global = self.reach is None or any(getattr(each, "is_global", False) for each in attention)

    @reads_lazy_concat
    def forward(self, field: GraphField | LazyConcat[GraphField], condition: Condition | None = None) -> GraphField:
        x = self._convolve(field, condition)
        for attend in self.attention:
            x = attend(x, condition)
        return x

    def _convolve(self, field: GraphField | LazyConcat[GraphField], condition: Condition | None) -> GraphField:
        if not self.residual:
            return self._mix(field, condition)
        field = concatenated(field)  # it is read twice
        x = self._mix(field, condition)
        return replace(x, x=x.x + (field.x if self.shortcut is None else apply_linear(self.shortcut, field.x)))

    def _mix(self, x: GraphField | LazyConcat[GraphField], condition: Condition | None) -> GraphField:
        for mix, norm, modulate, dropout in zip(self.convolutions, self.norms, self.modulations, self.dropouts):
            parts = (mix, norm, modulate, self.activation)
            x = dropout(compute_once(x, self, parts, partial(_call_in_turn, parts, condition)))
        return cast("GraphField", x)


def _call_in_turn(
    parts: tuple[nn.Module, ...], condition: Condition | None, x: GraphField | LazyConcat[GraphField]
) -> GraphField:
    mix, norm, modulate, activation = parts
    found: GraphField = activation(modulate(norm(call_block(mix, x)), condition))
    return found


class ModulateNodes(nn.Module):
    """``(field, condition) -> field``: scale and shift the features of each graph by its embedding.

    Feature-wise ``x (1 + scale) + shift`` (Perez et al. 2018, "FiLM"), the same at all nodes of a graph; the identity
    at first, without an embedding, and for ``condition_channels`` 0.
    """

    def __init__(self, condition_channels: int, channels: int) -> None:
        super().__init__()
        self.modulation = Modulation(condition_channels, channels) if condition_channels else None

    def forward(self, field: GraphField, condition: Condition | None) -> GraphField:
        if self.modulation is None or condition is None or condition.embedding is None:
            return field
        if len(condition.embedding) != field.graphs:
            raise ValueError(
                f"condition has {len(condition.embedding)} embeddings for {field.graphs} graphs; give one for each"
            )
        scale, shift = self.modulation(condition.embedding.to(field.x.dtype))
        return replace(field, x=field.x * (1 + scale[field.batch]) + shift[field.batch])
