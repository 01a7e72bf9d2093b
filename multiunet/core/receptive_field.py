"""Receptive field of a network: how far an output site looks, and on which sites a tile may begin."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import nn
from torch.nn.modules.instancenorm import _InstanceNorm

from multiunet.core.nested import NestedUNet
from multiunet.core.unet import UNet

Sites = tuple[int, ...]
"""A number of sites by axis."""


@dataclass(frozen=True)
class ReceptiveField:
    """Receptive field of a network, by axis, in sites of the input.

    Attributes:
        radius: how far beyond itself an output site may look, to either side (half the receptive field).
        tile_stride: a tile that begins on a multiple of it has the coarse sites and the windows of the whole input.
        output_stride: input sites for each output site.
        exact: tiles with this radius as margin give what the whole input gives. False where a norm takes statistics
            over sites, or a block looks everywhere.
        both_ends: the network also reads the input backwards (a reverse complement), with coarse sites counted from its
            end; a tile must end on a multiple of the stride counted from there.
        everywhere: how far apart, by axis, sites lie on the finest level with a block that looks everywhere, whose work
            grows with the square of their number; None: there is none.
    """

    radius: Sites
    tile_stride: Sites
    output_stride: Sites
    exact: bool
    both_ends: bool = False
    everywhere: Sites | None = None

    @property
    def size(self) -> Sites:
        """Input sites that one output site can depend on."""
        return tuple(2 * r + step for r, step in zip(self.radius, self.output_stride))


@runtime_checkable
class HasReceptiveField(Protocol):
    """Network that knows its own receptive field."""

    def receptive_field(self) -> ReceptiveField:
        """Return the receptive field."""


@dataclass(frozen=True)
class Locality:
    """Locality of a block: how far it looks, in sites of its own level.

    Attributes:
        reach: how many sites away an output site looks, by axis.
        period: sites fall into windows that begin on multiples of it, by axis; 1 where there are none.
        is_global: an output site looks everywhere; then ``reach`` says nothing.
    """

    reach: Sites
    period: Sites
    is_global: bool = False


def read_locality(block: Any, ndim: int) -> Locality:
    """Read how far a block says that it looks, from its ``reach``, ``period`` or ``is_global``.

    Raises:
        TypeError: when it says nothing: tiles of it could be wrong, and nothing would tell.
    """
    none, ones = (0,) * ndim, (1,) * ndim
    if getattr(block, "is_global", False):
        return Locality(none, ones, is_global=True)
    reach, period = (getattr(block, name, None) for name in ("reach", "period"))
    for name, value in (("reach", reach), ("period", period)):
        if value is not None and (not isinstance(value, tuple) or len(value) != ndim):
            raise TypeError(f"{name} {value} of {type(block).__name__} must be a tuple with one entry an axis, {ndim}")
    if reach is None and period is None:
        raise TypeError(
            f"{type(block).__name__} does not say how far it looks, so tiles of it could be wrong: give the module "
            "reach (sites by axis), or period (of windows, by axis), or is_global = True"
        )
    windows = ones if period is None else period
    return Locality(tuple(size - 1 for size in windows) if reach is None else reach, windows)


def receptive_field(net: nn.Module) -> ReceptiveField:
    """Return the receptive field of a U-Net, plain or nested, or what its own ``receptive_field()`` says.

    Every operator states its reach in sites of its level; a level's sites are as far apart as the strides above it say.
    (Araujo et al. 2019, "Computing receptive fields of convolutional neural networks", eq. 2, by levels.)

    Raises:
        TypeError: for a network that is neither, or has an operator that does not say how far it looks.
    """
    return net.receptive_field() if isinstance(net, HasReceptiveField) else unet_receptive_field(net)


def unet_receptive_field(net: nn.Module) -> ReceptiveField:
    """Return the receptive field that a U-Net's operators state; see ``receptive_field``.

    Raises:
        TypeError: for a network that is no U-Net by axis, or has an operator that does not say how far it looks.
    """
    if not isinstance(net, UNet | NestedUNet) or not isinstance(getattr(net.downs[0], "stride", None), tuple):
        raise TypeError(
            f"{type(net).__name__} has no receptive field by axis: it is not a U-Net whose ways down state their "
            "stride by axis, and has no receptive_field() method"
        )
    downs: list[Any] = list(net.downs)
    spacings = [(1,) * len(downs[0].stride)]
    for down in downs:
        spacings.append(tuple(a * s for a, s in zip(spacings[-1], down.stride)))
    tile_stride, everywhere = spacings[-1], []
    for i, part in [*_blocks(net), *enumerate(downs)]:
        locality = read_locality(part, len(tile_stride))
        windows = [period * spacing for period, spacing in zip(locality.period, spacings[i])]
        tile_stride = tuple(map(math.lcm, tile_stride, windows))
        everywhere += [spacings[i]] if locality.is_global else []
    radius = _radius(net, spacings)
    exact, finest = norms_are_local(net) and not everywhere, min(everywhere, key=math.prod, default=None)
    return ReceptiveField(radius, tile_stride, spacings[0], exact, everywhere=finest)


def norms_are_local(net: nn.Module) -> bool:
    """Return True when no norm of the network takes statistics over sites when it predicts."""
    return not any(isinstance(module, nn.GroupNorm | _InstanceNorm) for module in net.modules())


def _blocks(net: UNet[Any] | NestedUNet[Any]) -> Iterable[tuple[int, nn.Module]]:
    """All blocks, each with the number of its level."""
    levels: list[tuple[int, Any]] = [*enumerate(net.encoder), (len(net.encoder), net.bottleneck)]
    levels += [(i, level) for i, _, _, level in _steps_up(net)]
    return [(i, block) for i, level in levels for block in level.blocks]


def _steps_up(net: UNet[Any] | NestedUNet[Any]) -> list[tuple[int, Any, Any, Any]]:
    """The number of the level, the way up to it, the merge and the blocks there, in the order of computation."""
    if isinstance(net, UNet):
        levels = reversed(range(len(net.downs)))
        return [(i, net.ups[-1 - i], net.merges[-1 - i], net.decoder[-1 - i]) for i in levels]
    names = [(i, f"{i}_{j}") for i, j in net.places()]
    return [(i, net.ups[name], net.merges[name], net.nodes[name]) for i, name in names]


def _radius(net: UNet[Any] | NestedUNet[Any], spacings: list[Sites]) -> Sites:
    """Return the radius of the output: that of the farthest way through the network."""
    fields = [(0,) * len(spacings[0])]  # of each level's encoder field, then the bottleneck's
    ways: list[tuple[Any, Any]] = list(zip(net.encoder, net.downs))
    for i, (encoder, down) in enumerate(ways):
        fields[i] = _beyond(fields[i], spacings[i], *_reaches(encoder, len(spacings[0])))
        fields.append(_beyond(fields[i], spacings[i], _reach(down)))
    fields[-1] = _beyond(fields[-1], spacings[-1], *_reaches(net.bottleneck, len(spacings[0])))
    # a level's entry is that of its newest field, which looks farther than the ones before it
    for i, up, merge, level in _steps_up(net):
        refined = _beyond(fields[i + 1], spacings[i], _reach(up))
        carried = _beyond(fields[i], spacings[i], getattr(merge.join, "reach", (0,) * len(spacings[0])))
        newest = tuple(map(max, carried, refined))
        fields[i] = _beyond(newest, spacings[i], *_reaches(level, len(spacings[0])))
    head = getattr(net, "head", None)
    return _beyond(fields[0], spacings[0], getattr(head, "reach", (0,) * len(spacings[0])))


def _beyond(radius: Sites, spacing: Sites, *reaches: Sites) -> Sites:
    for reach in reaches:
        radius = tuple(a + r * s for a, r, s in zip(radius, reach, spacing))
    return radius


def _reach(way: Any) -> Sites:
    if not isinstance(getattr(way, "reach", None), tuple):
        raise TypeError(f"{type(way).__name__} does not state its reach, fine sites by axis, so tiles could be wrong")
    return way.reach  # type: ignore[no-any-return]


def _reaches(level: Any, ndim: int) -> list[Sites]:
    return [read_locality(block, ndim).reach for block in level.blocks]
