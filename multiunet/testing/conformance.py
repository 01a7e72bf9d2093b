"""Conformance suite: laws of geometries and models; a check raises AssertionError with the law's name."""

from __future__ import annotations

import copy
import itertools
import pickle
import sys
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from multiunet.core import SKIPS, Condition, Encoder, Geometry, LevelSpec, NestedUNet, UNet
from multiunet.testing.conditions import check_conditions
from multiunet.testing.helpers import assert_same, example_batch, train_a_little, weigh
from multiunet.testing.samples import check_samples
from multiunet.testing.tiles import check_tiles

S = TypeVar("S")

TRIED = 8
"""How many sites of a level are looked at one by one."""


def check_geometry(geometry: Geometry[S], strides: Sequence[Any] | None = None) -> None:
    """Check a geometry's operators, and every law on U-Nets, plain and nested, with every skip.

    Laws of tiles hold for a geometry that can crop (``Tileable``), those of conditions for one that makes an
    ``example_condition``, those of Monte-Carlo samples for one whose blocks have ``Dropout``.

    Args:
        strides: to use for the two ways down; the geometry's default by default.

    Raises:
        AssertionError: naming the law that is broken.
    """
    field, channels = geometry.example(3, seed=0), [6, 8, 10]
    features = geometry.features(field)
    law = "features: what with_features puts in comes out, on the same sites"
    assert_same(geometry.features(geometry.with_features(field, features + 1)), features + 1, law)
    check_levels(geometry, None if strides is None else strides[0])
    given: dict[str, Any] = {"strides": strides, "deep_supervision": 1}
    for skip, fuse in itertools.product(SKIPS.values(), (False, True)):
        torch.manual_seed(0)
        check_model(
            UNet(geometry, 3, 2, channels, skip=skip, fuse=fuse, **given), geometry, in_channels=3, out_channels=2
        )
    torch.manual_seed(0)
    check_model(NestedUNet(geometry, 3, 2, channels, **given), geometry, in_channels=3, out_channels=2)
    wider = [LevelSpec(6), LevelSpec(8, entering=8), LevelSpec(10, entering=10)]
    others: tuple[dict[str, Any], ...] = (
        {"channels": wider},
        {"channels": channels, "path_norm": "before"},
        {"channels": channels, "path_norm": "after"},
    )
    for options in others:
        net = UNet(geometry, 3, 2, **options, **given)
        check_outputs(net, geometry, field, out_channels=2)
        check_batch(net, geometry, [field, geometry.example(3, seed=1)])
    batch, condition = example_batch(geometry, 3)
    kinds: list[Any] = [UNet] if condition is None else [UNet, NestedUNet]
    for kind in kinds:
        torch.manual_seed(0)
        plain, recomputing = (
            kind(geometry, 3, 2, channels, strides=strides, gradient_checkpointing=on) for on in (False, True)
        )
        train_a_little(plain, geometry, batch, condition)
        check_recomputation(plain, recomputing, geometry, batch, condition)
        check_samples(plain, geometry, field, geometry.example_condition(0))
    check_tiles(geometry, None if strides is None else strides[0])
    check_conditions(geometry, strides=strides)


def check_model(net: Encoder[S], geometry: Geometry[S], in_channels: int, out_channels: int) -> None:
    """Check a network on a geometry's examples: sites, outputs, gradients, batches, copies, halves.

    Raises:
        AssertionError: naming the law that is broken.
    """
    a, b = geometry.example(in_channels, seed=1), geometry.example(in_channels, seed=2)
    check_sites(net, geometry, a, out_channels)
    check_outputs(net, geometry, a, out_channels)
    batch, condition = example_batch(geometry, in_channels, conditioned=_reads_condition(net))
    # behind weights that begin at zero, others have no gradient until these have moved
    train_a_little(net, geometry, batch, condition)
    check_gradients(net, geometry, batch, condition)
    check_batch(net, geometry, [a, b])
    check_copies(net, geometry, a)
    check_halves(net, geometry, a)


def check_sites(net: nn.Module, geometry: Geometry[S], field: S, out_channels: int) -> None:
    """Check law 1: the output sits on the input's sites."""
    shape = list(geometry.features(field).shape)
    expected = [shape[0], out_channels, *shape[2:]]
    found = list(geometry.features(net.eval()(field)).shape)
    assert found == expected, f"law 1, sites: output {found}, input {shape}; expected {expected}"


def check_levels(geometry: Geometry[S], stride: Any = None) -> None:
    """Check law 1: ways down and up leave sites where they are.

    Each coarse site stands for the fine one that ``sample`` picks: what changes there changes the coarse site, and
    what changes at the coarse site changes what comes back there.
    """
    torch.manual_seed(0)
    channels = 8
    fine = geometry.example(channels, seed=0)
    down, up = (
        geometry.make_down(channels, channels, stride).eval(),
        geometry.make_up(channels, channels, stride).eval(),
    )
    coarse = down(fine)
    picked = _picked(geometry, fine, coarse, stride)
    back = up(coarse, fine)
    law = "law 1, sites: up(coarse, skip) is not on the sites of the skip"
    assert geometry.features(back).shape == geometry.features(fine).shape, law
    for place in torch.linspace(0, len(picked) - 1, min(TRIED, len(picked))).round().int().tolist():
        site = int(picked[place])
        felt = []
        for other in _others(geometry, fine, site):
            below = down(other)
            # where the change made other sites go on, it was felt, too
            moved = not torch.equal(_picked(geometry, other, below, stride), picked)
            felt.append(moved or _differs(geometry, below, coarse, place))
        assert any(felt), f"law 1, sites: down takes nothing of site {site} to coarse site {place}, which it stands for"
        above = [up(other, fine) for other in _others(geometry, coarse, place)]
        felt = [_differs(geometry, other, back, site) for other in above]
        assert any(felt), f"law 1, sites: up brings nothing of coarse site {place} to site {site}, where it came from"


def check_outputs(net: Encoder[S], geometry: Geometry[S], field: S, out_channels: int) -> None:
    """Check law 1 of deep supervision: targets are on the sites of the outputs, and picked, not mixed."""
    with torch.no_grad():
        outputs = net.eval().outputs(field)
    numbers = _numbers(geometry.features(field))
    for wanted in (numbers, numbers.unsqueeze(1).expand(geometry.features(outputs[0]).shape)):
        taken = net.at_outputs(wanted, outputs)
        assert torch.equal(taken[0], wanted), "law 1, outputs: those of the finest output are not as they were"
        for output, values in zip(outputs, taken, strict=True):
            shape = geometry.features(output).shape
            assert shape[1] == out_channels, f"law 1, outputs: {shape[1]} channels; expected {out_channels}"
            expected = shape if wanted.ndim == len(shape) else (shape[0], *shape[2:])
            found = tuple(values.shape)
            assert found == tuple(expected), f"law 1, outputs: sample gives {found}; expected {tuple(expected)}"
            assert torch.isin(values, numbers).all(), "law 1, outputs: sample gives values that were not there"


def check_gradients(net: nn.Module, geometry: Geometry[S], field: S, condition: Condition | None = None) -> None:
    """Check law 2: every parameter receives a gradient, finite and not all zero."""
    net.train().zero_grad()
    outputs = net.outputs(field, condition) if isinstance(net, Encoder) else (net(field, condition),)
    weighted = [(geometry.features(output) * weigh(geometry.features(output))).sum() for output in outputs]
    torch.stack(weighted).sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, f"law 2, gradients: {name} receives none"
        assert torch.isfinite(parameter.grad).all(), f"law 2, gradients: that of {name} is not finite"
        assert parameter.grad.abs().sum() > 0, f"law 2, gradients: that of {name} is zero"


def check_batch(net: nn.Module, geometry: Geometry[S], fields: Sequence[S]) -> None:
    """Check law 3: a batch gives what its samples give one at a time; nothing leaks across."""
    net.eval()
    together = geometry.features(net(geometry.collate(fields)))
    apart = torch.cat([geometry.features(net(field)) for field in fields])
    assert_same(together, apart, "law 3, batches: together differs from one at a time")


def check_copies(net: nn.Module, geometry: Geometry[S], field: S) -> None:
    """Check law 5: deepcopy, pickle and state_dict keep the output, and a copy shares no weights.

    Classes that are defined inside a function have no name to be pickled by; then pickle is not tried.
    """
    expected = geometry.features(net.eval()(field))
    clone = copy.deepcopy(net)
    assert_same(geometry.features(clone(field)), expected, "law 5, copies: deepcopy differs")
    if all(_importable(type(module)) for module in net.modules()):
        assert_same(
            geometry.features(pickle.loads(pickle.dumps(net))(field)), expected, "law 5, copies: pickle differs"
        )
    with torch.no_grad():
        for parameter in clone.parameters():
            parameter.add_(1.0)
    assert_same(geometry.features(net(field)), expected, "law 5, copies: deepcopy shares weights")
    clone.load_state_dict(net.state_dict())
    assert_same(geometry.features(clone(field)), expected, "law 5, copies: state_dict differs")


def check_halves(net: Encoder[S], geometry: Geometry[S], field: S) -> None:
    """Check that encoding then decoding, and the first supervised output, are the forward pass."""
    expected = geometry.features(net.eval()(field))
    assert_same(
        geometry.features(net.decode(net.encode(field))), expected, "halves: decode(encode(x)) differs from forward"
    )
    assert_same(geometry.features(net.outputs(field)[0]), expected, "halves: outputs(x)[0] differs from forward")


def check_recomputation(
    plain: nn.Module, recomputing: nn.Module, geometry: Geometry[S], field: S, condition: Condition | None = None
) -> None:
    """Check law 6: gradient checkpointing changes no bit of gradients and buffers, with dropout on."""
    recomputing.load_state_dict(plain.state_dict())
    gradients = []
    for net in (plain, recomputing):
        net.train().zero_grad()
        torch.manual_seed(1)
        output = geometry.features(net(field, condition))
        (output * weigh(output)).sum().backward()
        gradients.append([parameter.grad for parameter in net.parameters()])
    for (name, _), one, two in zip(plain.named_parameters(), *gradients):
        assert one is not None, f"law 6, checkpointing: {name} has no gradient"
        assert two is not None, f"law 6, checkpointing: {name} has no gradient when recomputed"
        assert torch.equal(one, two), f"law 6, checkpointing: the gradient of {name} differs"
    for (name, one), two in zip(plain.named_buffers(), recomputing.buffers()):
        assert torch.equal(one, two), f"law 6, checkpointing: the buffer {name} differs"


def _numbers(features: Tensor) -> Tensor:
    """The numbers of the sites, without a channel axis."""
    sites = features[:, 0]
    return torch.arange(sites.numel()).reshape(sites.shape)


def _picked(geometry: Geometry[S], fine: S, coarse: S, stride: Any) -> Tensor:
    """Return, for each coarse site, the number of the fine one that stands for it, ``(sites,)``."""
    picked = geometry.sample(_numbers(geometry.features(fine)), fine, coarse, stride).flatten()
    sites = geometry.features(coarse)[:, 0].numel()
    assert len(picked) == sites, f"law 1, sites: sample gives {len(picked)} values for {sites} coarse sites"
    return picked


def _others(geometry: Geometry[S], field: S, site: int) -> list[S]:
    """The field with all features of one site far higher, and far lower: a maximum or an activation may hide one."""
    features = geometry.features(field)
    here = (_numbers(features) == site).unsqueeze(1)
    return [geometry.with_features(field, features + shift * here) for shift in (10.0, -10.0)]


def _differs(geometry: Geometry[S], one: S, other: S, site: int) -> bool:
    a, b = (geometry.features(field).movedim(1, -1).flatten(0, -2)[site] for field in (one, other))
    return not torch.equal(a, b)


def _reads_condition(net: nn.Module) -> bool:
    return any(getattr(module, "reads_condition", ()) for module in net.modules())


def _importable(kind: type) -> bool:
    return getattr(sys.modules.get(kind.__module__), kind.__qualname__, None) is kind
