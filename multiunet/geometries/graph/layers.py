"""Layers that graph blocks and convolutions are made of: norms, activations, dropout and linear maps."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from multiunet.core import LazyConcat
from multiunet.core.lazy import concatenated
from multiunet.core.shared import Shared, is_hooked
from multiunet.geometries.batch_norm import BatchNorm1d
from multiunet.geometries.choices import check_choice
from multiunet.geometries.graph.dropout import EdgeDropout, FeatureDropout, NodeDropout
from multiunet.geometries.graph.field import GraphField

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
class Layers:
    """Makes the layers that every block repeats; ``Graph`` documents the settings."""

    normalization: Normalization = "none"
    activation: Activation = "relu"
    dropout: float = 0.0
    edge_dropout: float = 0.0
    node_dropout: float = 0.0
    whole_channels: bool = False

    def __post_init__(self) -> None:
        check_choice("normalization", self.normalization, get_args(Normalization))
        check_choice("activation", self.activation, ACTIVATIONS)

    @property
    def needs_bias(self) -> bool:
        """False where a batch norm follows, which would make a convolution's bias idle."""
        return self.normalization != "batch"

    def make_norm(self, channels: int) -> nn.Module:
        """Make the norm of ``channels`` features, ``field -> field``."""
        if self.normalization == "none":
            return nn.Identity()
        return OnNodes(BatchNorm1d(channels) if self.normalization == "batch" else nn.LayerNorm(channels))

    def make_activation(self) -> nn.Module:
        """Make the activation, ``field -> field``."""
        return OnNodes(ACTIVATIONS[self.activation]())

    def make_feature_dropout(self) -> FeatureDropout:
        """Make the dropout of a convolution's output."""
        return FeatureDropout(self.dropout, self.whole_channels)

    def make_edge_dropout(self) -> EdgeDropout:
        """Make the dropout of edges in a convolution."""
        return EdgeDropout(self.edge_dropout, self.whole_channels)

    def make_node_dropout(self) -> NodeDropout:
        """Make the dropout of sending nodes in a convolution."""
        return NodeDropout(self.node_dropout, self.whole_channels)


class OnNodes(nn.Module):
    """Apply a module of tensors ``(nodes, channels)`` to fields."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, field: GraphField) -> GraphField:
        return replace(field, x=self.module(field.x))


def glorot_linear(in_channels: int, out_channels: int) -> nn.Linear:
    """Make a linear map without bias, initialised as Glorot & Bengio 2010, as in Kipf & Welling's network."""
    linear = nn.Linear(in_channels, out_channels, bias=False)
    nn.init.xavier_uniform_(linear.weight)
    return linear


def apply_linear(linear: nn.Linear, x: Tensor) -> Tensor:
    """Return ``linear(x)`` of dense or sparse COO features ``(nodes, in_channels)``."""
    if not x.is_sparse:
        return linear(x)  # type: ignore[no-any-return]
    with torch.autocast(x.device.type, enabled=False):
        product: Tensor = torch.sparse.mm(x.to(linear.weight), linear.weight.t())
    return product


def apply_to_parts(linear: nn.Linear, x: GraphField | LazyConcat[GraphField]) -> Tensor:
    """Return ``linear(x)``; where parts of ``x`` are shared, the sum over parts, theirs computed once.

    Not under autocast: there a sum of rounded products is less precise than the one product.
    """
    if not isinstance(x, LazyConcat) or not x.fresh or not x.shared or not _splits(linear):
        return apply_linear(linear, concatenated(x).x)
    weights = linear.weight.split(x.widths, dim=1)
    # the shared ones first: what a product takes the place of is gone before more is made
    kept = [_read(linear, part, weight) for part, weight in zip(x.members, weights) if isinstance(part, Shared)]
    own = [functional.linear(part.x, w) for part, w in zip(x.members, weights) if not isinstance(part, Shared)]
    return functools.reduce(torch.add, [*own, *kept])


def _read(linear: nn.Linear, part: Shared[GraphField], weight: Tensor) -> Tensor:
    return part.read(linear, lambda field: replace(field, x=functional.linear(field.x, weight))).x


def _splits(linear: nn.Linear) -> bool:
    plain = type(linear) is nn.Linear and linear.bias is None and not is_hooked(linear)
    return plain and not torch.is_autocast_enabled(linear.weight.device.type)
