"""Network behind an affine map of its input: for images standardised by another run's moments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from multiunet.core import Encoder, Trail
from multiunet.core.receptive_field import ReceptiveField, receptive_field
from multiunet.domains.image.info import ImageInfo


class Rescaled(nn.Module):
    """U-Net on a grid behind the map ``x * factor + offset`` of its input, by channel.

    Padding is the network's own and comes behind the map, so that its zeros are on the scale that it was trained on.
    """

    factor: Tensor
    offset: Tensor

    def __init__(self, net: Encoder[Tensor], factor: Sequence[float], offset: Sequence[float], ndim: int) -> None:
        super().__init__()
        self.net = net
        for name, values in (("factor", factor), ("offset", offset)):
            values_ = torch.tensor(values, dtype=torch.float32).reshape(-1, *(1,) * ndim)
            self.register_buffer(name, values_, persistent=False)  # no weights of the network: see `hash_weights`

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.net(x * self.factor + self.offset)
        return output

    def encode(self, x: Tensor) -> Trail[Tensor]:
        """Return the network's trail of the mapped input."""
        return self.net.encode(x * self.factor + self.offset)

    def share(self, trail: Trail[Tensor]) -> Trail[Any]:
        """Return the trail for many decodings; see ``Encoder``."""
        return self.net.share(trail)

    def decode(self, trail: Trail[Tensor]) -> Tensor:
        """Return the network's output."""
        return self.net.decode(trail)

    def prefix(self) -> list[nn.Module]:
        """Return the modules that ``encode`` runs."""
        return self.net.prefix()

    def receptive_field(self) -> ReceptiveField:
        """Return the network's own receptive field: the map looks at one site at a time."""
        return receptive_field(self.net)


def rescale_network(net: Encoder[Tensor], info: ImageInfo, first: ImageInfo) -> nn.Module:
    """Return the network of a run for images standardised by the moments of the first run.

    What that read as ``(p - m0) / s0`` is ``(p - m) / s`` to this one, that is ``x * s0 / s + (m0 - m) / s``.
    """
    own, given = info.intensities, first.intensities
    if own == given or own.kind == "image":  # which standardises each image by itself
        return net
    channels = list(zip(own.mean, own.deviation, given.mean, given.deviation))
    factor = [s0 / s for _, s, _, s0 in channels]
    offset = [(m0 - m) / s for m, s, m0, _ in channels]
    device = next(net.parameters()).device
    return Rescaled(net, factor, offset, info.ndim).to(device).train(net.training)
