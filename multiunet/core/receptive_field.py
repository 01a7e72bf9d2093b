"""How a network on a grid reads its input: how far an output site looks, and on which sites a tile may begin."""

from __future__ import annotations

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
    """By axis, in sites of the input.

    Attributes:
        radius: how far beyond itself an output site may look, to either side (half the receptive field).
        tile_stride: a tile that begins on a multiple of it sees the same coarse sites as the whole input does.
        output_stride: input sites an output site.
        exact: tiles with this halo give what the whole input gives; False where a norm takes statistics over sites.
        both_ends: the network also reads the input backwards (a reverse complement), with coarse sites counted from its
            end; a tile must end on a multiple of the stride counted from there.
    """

    radius: tuple[int, ...]
    tile_stride: tuple[int, ...]
    output_stride: tuple[int, ...]
    exact: bool
    both_ends: bool = False

    @property
    def size(self) -> tuple[int, ...]:
        """Input sites that one output site can depend on."""
        return tuple(2 * h + r for h, r in zip(self.radius, self.output_stride))


@runtime_checkable
class HasReceptiveField(Protocol):
    """Network that knows its own receptive field."""

    def receptive_field(self) -> ReceptiveField: ...


def receptive_field(net: nn.Module) -> ReceptiveField:
    """Return the receptive field of a U-Net, plain or nested, or what its own ``receptive_field()`` says.

    Every operator states its reach in sites of its level; a level's sites are as far apart as the strides above it say.

    Raises:
        TypeError: for a network that is neither.
    """
    if isinstance(net, HasReceptiveField):
        return net.receptive_field()
    if not isinstance(net, UNet | NestedUNet) or not isinstance(getattr(net.downs[0], "stride", None), tuple):
        raise TypeError(
            f"{type(net).__name__} has no receptive field by axis: it is no U-Net on a grid and has no "
            "receptive_field() method"
        )
    downs: list[Any] = list(net.downs)
    apart = [(1,) * len(downs[0].stride)]
    for down in downs:
        apart.append(tuple(a * s for a, s in zip(apart[-1], down.stride)))
    halo = _halo(net, apart)
    return ReceptiveField(halo, apart[-1], apart[0], exact=norms_are_local(net))


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
