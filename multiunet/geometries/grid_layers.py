"""The layers of torch that grids are made of, by number of axes and by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from multiunet.device import unfolded_by_torch

CONV: dict[int, type[nn.Conv1d] | type[nn.Conv2d] | type[nn.Conv3d]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: dict[int, Callable[..., nn.Module]] = {
    1: nn.ConvTranspose1d,
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}
MAX_POOL: dict[int, Callable[..., nn.Module]] = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
AVERAGE_POOL: dict[int, Callable[..., nn.Module]] = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
BATCH_NORM: dict[int, Callable[[int], nn.Module]] = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
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
    """Layers one after the other, of which the first may read fields side by side."""

    def of_parts(self, parts: Sequence[Tensor]) -> Tensor:
        first, *rest = self
        y = of_parts(first, parts)
        for layer in rest:
            y = layer(y)
        return y


def of_parts(layer: nn.Module, parts: Sequence[Tensor]) -> Tensor:
    """``layer(torch.cat(parts, dim=1))``, to rounding; a convolution of all channels is a sum over the parts."""
    y: Tensor
    if len(parts) == 1:
        y = layer(parts[0])
    elif (
        isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d)
        and layer.groups == 1
        and not any(unfolded_by_torch(part) for part in parts)
    ):
        first, *rest = zip(parts, layer.weight.split([part.shape[1] for part in parts], dim=1))
        y = layer._conv_forward(*first, layer.bias)
        for part, weight in rest:
            y += layer._conv_forward(part, weight, None)
    else:
        y = layer(torch.cat(list(parts), dim=1))
    return y
