"""Network whose means are its input plus what it learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from multiunet.core import Condition, Encoder, Trail
from multiunet.core.receptive_field import ReceptiveField, receptive_field


@dataclass(frozen=True)
class SeenTrail(Trail[Tensor]):
    """Trail of a network that adds its input to its output.

    Attributes:
        seen: the input.
    """

    seen: Tensor


class ResidualOutput(nn.Module):
    """U-Net on a grid that adds an affine map of its input to its first output channels.

    It learns what the input lacks, the residual (Zhang et al. 2017, "Beyond a Gaussian denoiser", sec. III), which is
    easier than the whole image: an untrained network is near the input, not near nothing. Output channels behind those
    of the input, such as log-variances, are the network's own.

    Args:
        net: ``(N, C, *space)`` to ``(N, K, *space)``, K at least C, on the same sites.
        factor, offset: the map ``x * factor + offset``, one number a channel of the input: from the scale of inputs to
            that of outputs.
        ndim: axes of space.

    Raises:
        ValueError: for a network with fewer output than input channels.
    """

    factor: Tensor
    offset: Tensor

    def __init__(self, net: Encoder[Tensor], factor: Sequence[float], offset: Sequence[float], ndim: int) -> None:
        super().__init__()
        if net.out_channels < net.in_channels:
            raise ValueError(f"{net.out_channels} output channels have no room for {net.in_channels} input channels")
        self.net = net
        self.geometry, self.in_channels, self.out_channels = net.geometry, net.in_channels, net.out_channels
        for name, values in (("factor", factor), ("offset", offset)):
            as_channels = torch.tensor(values, dtype=torch.float32).reshape(-1, *(1,) * ndim)
            self.register_buffer(name, as_channels, persistent=False)  # of the data, no weights

    def forward(self, x: Tensor, condition: Condition | None = None) -> Tensor:
        return self._add(self.net(x, condition), x)

    def encode(self, x: Tensor, condition: Condition | None = None) -> SeenTrail:
        """Return the network's trail, which keeps the input."""
        trail = self.net.encode(x, condition)
        return SeenTrail(trail.saved, trail.bottom, x)

    def share(self, trail: SeenTrail) -> Trail[Any]:
        """Return the trail for many decodings; see ``Encoder``."""
        return self.net.share(trail)

    def decode(self, trail: Trail[Tensor], condition: Condition | None = None) -> Tensor:
        """Return the network's output with the input in it."""
        return self._add(self.net.decode(trail, condition), cast(SeenTrail, trail).seen)

    def prefix(self) -> list[nn.Module]:
        """Return the modules that ``encode`` runs."""
        return self.net.prefix()

    def receptive_field(self) -> ReceptiveField:
        """Return the network's own receptive field: what is added lies at the same site."""
        return receptive_field(self.net)

    def _add(self, output: Tensor, x: Tensor) -> Tensor:
        added = x * self.factor + self.offset  # float32: of values far from 0, half precision would lose the change
        precise = output.to(torch.promote_types(output.dtype, torch.float32))
        learnt, others = precise.split([self.in_channels, self.out_channels - self.in_channels], dim=1)
        return torch.cat([learnt + added, others], dim=1)
