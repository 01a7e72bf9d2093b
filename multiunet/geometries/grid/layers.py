"""The layers of torch that grids are made of, by number of axes and by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from multiunet.core import Condition, LazyConcat, reads_lazy_concat
from multiunet.core.lazy import concatenated, is_hooked
from multiunet.device import unfolded_by_torch

CONV: dict[int, type[nn.Conv1d] | type[nn.Conv2d] | type[nn.Conv3d]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: dict[int, Callable[..., nn.Module]] = {
    1: nn.ConvTranspose1d,
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}
MAX_POOL: dict[int, Callable[..., nn.Module]] = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
AVERAGE_POOL: dict[int, Callable[..., nn.Module]] = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
ACTIVATION: dict[str, Callable[[int], nn.Module]] = {
    "relu": lambda channels: nn.ReLU(inplace=True),
    "leaky_relu": lambda channels: nn.LeakyReLU(0.01, inplace=True),
    "prelu": nn.PReLU,
    "elu": lambda channels: nn.ELU(inplace=True),
    "gelu": lambda channels: nn.GELU(),
    "silu": lambda channels: nn.SiLU(inplace=True),
}
"""By name, made for a number of channels."""


class GroupNorm(nn.GroupNorm):
    """Group normalisation (Wu & He 2018) that also takes fields of one site, where torch's own refuses."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)


class Chain(nn.Sequential):
    """``(x, condition) -> field``: layers one after the other, of which the first reads fields side by side."""

    @reads_lazy_concat
    def forward(self, x: Tensor | LazyConcat[Tensor], condition: Condition | None = None) -> Tensor:
        first, *rest = self
        y = call_on_parts(first, x)
        for layer in rest:
            y = layer(y)
        return y


def call_on_parts(layer: nn.Module, x: Tensor | LazyConcat[Tensor]) -> Tensor:
    """``layer(x)``; a plain convolution of all channels is the sum of those of the parts, to rounding."""
    if not isinstance(x, LazyConcat) or not _splits(layer) or any(unfolded_by_torch(part) for part in x.parts):
        y: Tensor = layer(concatenated(x))
        return y
    conv = cast("nn.Conv1d", layer)
    first, *rest = zip(x.parts, conv.weight.split([part.shape[1] for part in x.parts], dim=1))
    y = conv._conv_forward(*first, conv.bias)
    for part, weight in rest:
        y += conv._conv_forward(part, weight, None)
    return y


def _splits(layer: nn.Module) -> bool:
    # its very type: subclasses and parametrized layers do what only a call of them does
    return type(layer) in CONV.values() and cast("nn.Conv1d", layer).groups == 1 and not is_hooked(layer)
