"""Law 7: a tile gives what the whole gives, wherever a network says that it looks no farther."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import nn

from multiunet.core import Condition, Dropout, Geometry, Tileable, UNet, receptive_field
from multiunet.core.receptive_field import norms_are_local, read_locality
from multiunet.testing.helpers import assert_same, example_batch, train_a_little
from multiunet.uncertainty.mc_dropout import dropouts, mc_dropout_sample

S = TypeVar("S")


def check_tiles(geometry: Geometry[S], stride: Any = None) -> None:
    """Check a block, and a U-Net of two levels, of a geometry that can crop its fields.

    What takes statistics over sites, looks everywhere or loses sites claims nothing, and is not checked.

    Raises:
        AssertionError: when a tile gives something else than the whole, or the example is too small to tell.
        TypeError: when an operator does not say how far it looks.
    """
    if not isinstance(geometry, Tileable):
        return
    torch.manual_seed(0)
    field = geometry.example(3, seed=0)
    block, net = geometry.make_block(3, 4), UNet(geometry, 3, 2, [4, 6], strides=[stride])
    ndim = geometry.features(field).ndim - 2
    if geometry.features(block(field)).shape[2:] != geometry.features(field).shape[2:]:
        return
    train_a_little(net, geometry, *example_batch(geometry, 3))
    condition = geometry.example_condition(0)
    train_a_little(block, geometry, field, condition)
    locality = read_locality(block, ndim)
    if not locality.is_global and norms_are_local(block):
        tried = _check_crops(block, geometry, field, condition, locality.reach, locality.period)
        assert tried, f"law 7, tiles: the example is too small for a block that looks {locality.reach} sites far"
    seen = receptive_field(net)
    assert not (locality.is_global and seen.exact), "law 7, tiles: a block looks everywhere, and tiles are called exact"
    if not seen.exact:
        return
    _check_crops(net, geometry, field, condition, seen.radius, seen.tile_stride)
    if dropouts(net) and all(layer.whole_channels for layer in net.modules() if isinstance(layer, Dropout)):
        with mc_dropout_sample(net.eval(), 0, 0):
            _check_crops(net, geometry, field, condition, seen.radius, seen.tile_stride)


def _check_crops(
    module: nn.Module,
    geometry: Geometry[S],
    field: S,
    condition: Condition | None,
    radius: Sequence[int],
    stride: Sequence[int],
) -> bool:
    """Compare along each axis on which the example is long enough; True where one was."""
    assert isinstance(geometry, Tileable)
    space = geometry.features(field).shape[2:]
    with torch.no_grad():
        whole = geometry.features(module.eval()(field, condition))
    tried = False
    for axis, size in enumerate(space):
        # both ends are cut, the later one amid a coarse site
        first, last = stride[axis], size - 1
        inner = last - first - 2 * radius[axis]
        if inner < 1:
            continue
        start, stop = [0] * len(space), list(space)
        start[axis], stop[axis] = first, last
        with torch.no_grad():
            tile = geometry.features(module(geometry.crop(field, start, stop), condition))
        found = tile.narrow(axis + 2, radius[axis], inner)
        expected = whole.narrow(axis + 2, first + radius[axis], inner)
        said = f"{type(module).__name__} says that it looks {radius[axis]} sites far, with tiles from every "
        law = f"law 7, tiles: {said}{stride[axis]}th site, but a tile differs from the whole"
        assert_same(found, expected, law)
        tried = True
    return tried
