"""Layers that graph blocks and convolutions are made of: norms, activations, dropout and linear maps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor, nn

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
