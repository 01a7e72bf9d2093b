"""Network on a grid with last layers that see its input: to add to it, or to weigh it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from multiunet.core import Condition, Encoder, Trail
from multiunet.core.receptive_field import ReceptiveField, Sites, receptive_field
from multiunet.models.neighbours import average_neighbours, reach_of


@dataclass(frozen=True)
class SeenTrail(Trail[Tensor]):
    """Trail of a network whose last layers see the input.

    Attributes:
        seen: the input.
    """

    seen: Tensor


class SeesInput(nn.Module):
    """U-Net on a grid whose last layers see the input, too: ``(N, C, *space)`` to ``(N, K, *space)``.

    Args:
        net: gives an output on the sites of its input.
        layers: each makes of the output so far and of the input the next; how many sites away it looks in the input is
            its ``reach``, by axis, or 0.

    Raises:
        ValueError: for a network with fewer output than input channels.
    """

    def __init__(self, net: Encoder[Tensor], *layers: nn.Module) -> None:
        super().__init__()
        if net.out_channels < net.in_channels:
            raise ValueError(f"{net.out_channels} output channels have no room for {net.in_channels} input channels")
        self.net, self.layers = net, nn.ModuleList(layers)
        self.geometry, self.in_channels, self.out_channels = net.geometry, net.in_channels, net.out_channels

    def forward(self, x: Tensor, condition: Condition | None = None) -> Tensor:
        return self._finish(self.net(x, condition), x)

    def encode(self, x: Tensor, condition: Condition | None = None) -> SeenTrail:
        """Return the network's trail, which keeps the input."""
        trail = self.net.encode(x, condition)
        return SeenTrail(trail.saved, trail.bottom, x)

    def share(self, trail: SeenTrail) -> Trail[Any]:
        """Return the trail for many decodings; see ``Encoder``."""
        return self.net.share(trail)

    def decode(self, trail: Trail[Tensor], condition: Condition | None = None) -> Tensor:
        """Return the output of the last layer."""
        return self._finish(self.net.decode(trail, condition), cast(SeenTrail, trail).seen)

    def prefix(self) -> list[nn.Module]:
        """Return the modules that ``encode`` runs."""
        return self.net.prefix()

    def receptive_field(self) -> ReceptiveField:
        """Return the network's own receptive field, or what its last layers see where that is more."""
        own = receptive_field(self.net)
        reaches: list[Sites] = [getattr(layer, "reach", own.radius) for layer in self.layers]
        return replace(own, radius=tuple(map(max, own.radius, *reaches)))

    def _finish(self, output: Tensor, x: Tensor) -> Tensor:
        for layer in self.layers:
            output = layer(output, x)
        return output


class AddInput(nn.Module):
    """Layer that adds an affine map of the input to the first output channels; others stay.

    The network so learns what the input lacks, the residual (Zhang et al. 2017, "Beyond a Gaussian denoiser", sec.
    III), which is easier than the whole image.

    Args:
        factor, offset: the map ``x * factor + offset``, one number a channel of the input: from the scale of inputs to
            that of outputs.
        ndim: axes of space.
    """

    factor: Tensor
    offset: Tensor

    def __init__(self, factor: Sequence[float], offset: Sequence[float], ndim: int) -> None:
        super().__init__()
        _keep(self, ndim, factor=factor, offset=offset)

    def forward(self, output: Tensor, x: Tensor) -> Tensor:
        added = self.map(x)  # float32: of values far from 0, half precision would lose the change
        channels = x.shape[1]
        learnt, others = _precise(output).split([channels, output.shape[1] - channels], dim=1)
        return torch.cat([learnt + added, others], dim=1)

    def map(self, x: Tensor) -> Tensor:
        """Return what is added."""
        return x * self.factor + self.offset


class AddNeighbours(AddInput):
    """Layer that adds the mean of each site's neighbours to the first output channels; others stay.

    A network that must not see a pixel itself so learns what a Gaussian filter without that pixel lacks.

    Args:
        factor, offset, ndim: see ``AddInput``.
        deviation: of the filter, sites.
    """

    def __init__(self, factor: Sequence[float], offset: Sequence[float], ndim: int, deviation: float) -> None:
        super().__init__(factor, offset, ndim)
        self.deviation, self.reach = deviation, (reach_of(deviation),) * ndim

    def map(self, x: Tensor) -> Tensor:
        return super().map(average_neighbours(_precise(x), self.deviation))


class WeighInput(nn.Module):
    """Layer that corrects what neighbours say of a pixel by the pixel itself, whose noise is known.

    Output channels are means and log-variances of the noisy pixels, as their neighbours tell them. Of the variance that
    of the noise is known, so the rest is what neighbours leave open of the clean pixel, and Bayes' rule for two normal
    distributions gives its mean and variance (Laine et al. 2019, "High-Quality Self-Supervised Deep Image Denoising",
    eq. 4). It does so once it is told that it sees the pixels themselves, see ``show_pixels``: hidden ones say nothing.

    Args:
        factor, offset: see ``AddInput``.
        variance: of the noise, one number a channel of the input, on the scale of outputs.
        ndim: axes of space.
    """

    factor: Tensor
    offset: Tensor
    variance: Tensor

    LEAST = 1e-3
    """Variance that neighbours leave open at least, as a share of the noise's."""

    def __init__(self, factor: Sequence[float], offset: Sequence[float], variance: Sequence[float], ndim: int) -> None:
        super().__init__()
        _keep(self, ndim, factor=factor, offset=offset, variance=variance)
        self.active = False

    def forward(self, output: Tensor, x: Tensor) -> Tensor:
        if not self.active:
            return output
        mean, log_variance = _precise(output).chunk(2, dim=1)
        pixel, noise = x * self.factor + self.offset, self.variance
        left = torch.maximum(log_variance.exp() - noise, self.LEAST * noise)
        share = left / (left + noise)  # how much the pixel itself counts
        return torch.cat([mean + share * (pixel - mean), (share * noise).log()], dim=1)


def show_pixels(net: nn.Module, shown: bool) -> bool:
    """Tell the ``WeighInput`` of a network whether it sees the pixels; return whether it has one."""
    layers = [module for module in net.modules() if isinstance(module, WeighInput)]
    for layer in layers:
        layer.active = shown
    return bool(layers)


def _keep(module: nn.Module, ndim: int, **values: Sequence[float]) -> None:
    """Give a module buffers of a number a channel: of the data, no weights."""
    for name, numbers in values.items():
        as_channels = torch.tensor(numbers, dtype=torch.float32).reshape(-1, *(1,) * ndim)
        module.register_buffer(name, as_channels, persistent=False)


def _precise(output: Tensor) -> Tensor:
    return output.to(torch.promote_types(output.dtype, torch.float32))
