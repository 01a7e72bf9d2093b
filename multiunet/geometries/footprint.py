"""How a network on a grid reads its input: how far an output site looks, and on which sites a tile may begin."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import nn

from multiunet.core import UNet
from multiunet.geometries.grid import Grid, GroupNorm


@dataclass(frozen=True)
class Footprint:
    """By axis, in sites of the input.

    Attributes:
        halo: how far beyond itself an output site may look, to either side (half the receptive field).
        stride: a tile that begins on a multiple of it sees the same coarse sites as the whole input does.
        reduction: input sites an output site.
        exact: tiles with this halo give what the whole input gives; False where a norm takes statistics over sites.
    """

    halo: tuple[int, ...]
    stride: tuple[int, ...]
    reduction: tuple[int, ...]
    exact: bool

    @property
    def receptive_field(self) -> tuple[int, ...]:
        """Input sites that one output site can depend on."""
        return tuple(2 * h + r for h, r in zip(self.halo, self.reduction))


@runtime_checkable
class StatesFootprint(Protocol):
    """A network that knows its own footprint."""

    def footprint(self) -> Footprint: ...


def footprint(net: nn.Module) -> Footprint:
    """The footprint of a U-Net on a grid, or what the network's own ``footprint()`` says.

    Every operator states its reach in sites of its level; a level's sites are as far apart as the strides above it say.

    Raises:
        TypeError: for a network that is neither.
    """
    if isinstance(net, StatesFootprint):
        return net.footprint()
    if not isinstance(net, UNet) or not isinstance(net.geometry, Grid):
        raise TypeError(
            f"{type(net).__name__} has no footprint: it is no U-Net on a grid and has no footprint() method"
        )
    ndim = net.geometry.ndim
    halo, apart = (0,) * ndim, (1,) * ndim
    ways: list[tuple[Any, Any, Any, Any]] = list(zip(net.encoder, net.downs, reversed(net.ups), reversed(net.decoder)))
    for encoder, down, up, decoder in ways:
        for reach in (*_reaches(encoder.blocks), down.reach, up.reach, *_reaches(decoder.blocks)):
            halo = tuple(h + r * a for h, r, a in zip(halo, reach, apart))
        apart = tuple(a * s for a, s in zip(apart, down.stride))
    for reach in _reaches(net.bottleneck.blocks):
        halo = tuple(h + r * a for h, r, a in zip(halo, reach, apart))
    return Footprint(halo, apart, (1,) * ndim, exact=norms_are_local(net))


def norms_are_local(net: nn.Module) -> bool:
    """Whether no norm of the network takes statistics over sites when it predicts."""
    return not any(isinstance(module, GroupNorm) for module in net.modules())


def _reaches(blocks: Iterable[Any]) -> list[tuple[int, ...]]:
    return [block.reach for block in blocks]
