"""How a network on a grid reads its input: how far an output site looks, and on which sites a tile may begin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import nn
from torch.nn.modules.instancenorm import _InstanceNorm

from multiunet.core import NestedUNet, UNet
from multiunet.geometries.grid.grid import Grid

Sites = tuple[int, ...]
"""A number of sites by axis."""


@dataclass(frozen=True)
class Footprint:
    """By axis, in sites of the input.

    Attributes:
        halo: how far beyond itself an output site may look, to either side (half the receptive field).
        stride: a tile that begins on a multiple of it sees the same coarse sites as the whole input does.
        reduction: input sites an output site.
        exact: tiles with this halo give what the whole input gives; False where a norm takes statistics over sites.
        both_ends: the network also reads the input backwards (a reverse complement), with coarse sites counted from its
            end; a tile must end on a multiple of the stride counted from there.
    """

    halo: tuple[int, ...]
    stride: tuple[int, ...]
    reduction: tuple[int, ...]
    exact: bool
    both_ends: bool = False

    @property
    def receptive_field(self) -> tuple[int, ...]:
        """Input sites that one output site can depend on."""
        return tuple(2 * h + r for h, r in zip(self.halo, self.reduction))


@runtime_checkable
class StatesFootprint(Protocol):
    """A network that knows its own footprint."""

    def footprint(self) -> Footprint: ...


def footprint(net: nn.Module) -> Footprint:
    """The footprint of a U-Net on a grid, plain or nested, or what the network's own ``footprint()`` says.

    Every operator states its reach in sites of its level; a level's sites are as far apart as the strides above it say.

    Raises:
        TypeError: for a network that is neither.
    """
    if isinstance(net, StatesFootprint):
        return net.footprint()
    if not isinstance(net, UNet | NestedUNet) or not isinstance(net.geometry, Grid):
        raise TypeError(
            f"{type(net).__name__} has no footprint: it is no U-Net on a grid and has no footprint() method"
        )
    apart = [(1,) * net.geometry.ndim]
    downs: list[Any] = list(net.downs)
    for down in downs:
        apart.append(tuple(a * s for a, s in zip(apart[-1], down.stride)))
    halo = _halo(net, apart)
    return Footprint(halo, apart[-1], apart[0], exact=norms_are_local(net))


def _halo(net: UNet[Any] | NestedUNet[Any], apart: list[Sites]) -> Sites:
    """How far the finest decoder field looks: the farthest way through the network."""
    fields = [(0,) * len(apart[0])]  # of each level's encoder field, then the bottleneck's
    ways: list[tuple[Any, Any]] = list(zip(net.encoder, net.downs))
    for i, (encoder, down) in enumerate(ways):
        fields[i] = _beyond(fields[i], apart[i], *_reaches(encoder))
        fields.append(_beyond(fields[i], apart[i], down.reach))
    fields[-1] = _beyond(fields[-1], apart[-1], *_reaches(net.bottleneck))
    steps: list[tuple[int, Any, Any]]
    if isinstance(net, UNet):
        steps = [(i, net.ups[-1 - i], net.decoder[-1 - i]) for i in reversed(range(len(net.downs)))]
    else:
        steps = [(i, net.ups[f"{i}_{j}"], net.nodes[f"{i}_{j}"]) for i, j in net.places()]
    # a level's entry is that of its newest field, which looks farther than the ones before it
    for i, up, blocks in steps:
        refined = _beyond(fields[i + 1], apart[i], up.reach)
        fields[i] = _beyond(tuple(map(max, fields[i], refined)), apart[i], *_reaches(blocks))
    return fields[0]


def norms_are_local(net: nn.Module) -> bool:
    """Whether no norm of the network takes statistics over sites when it predicts."""
    return not any(isinstance(module, nn.GroupNorm | _InstanceNorm) for module in net.modules())


def _beyond(halo: Sites, apart: Sites, *reaches: Sites) -> Sites:
    for reach in reaches:
        halo = tuple(h + r * a for h, r, a in zip(halo, reach, apart))
    return halo


def _reaches(level: Any) -> list[Sites]:
    return [block.reach for block in level.blocks]
