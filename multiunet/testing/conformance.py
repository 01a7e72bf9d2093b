"""Laws of geometries and models, as functions that raise AssertionError with the law's name."""

from __future__ import annotations

import copy
import itertools
import pickle
import sys
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from multiunet.core import Add, AttentionGate, Concat, Descent, Geometry, NestedUNet, NoSkip, Skip, UNet

S = TypeVar("S")

SKIPS: tuple[type[Skip[Any]], ...] = (Concat, Add, AttentionGate, NoSkip)


def check_geometry(geometry: Geometry[S], strides: Sequence[Any] | None = None) -> None:
    """Builds U-Nets of three levels with every skip, and a nested one, on a geometry and checks every law on each.

    Args:
        strides: to use for the two ways down; the geometry's default by default.

    Raises:
        AssertionError: naming the law that is broken.
    """
    for skip, fuse in itertools.product(SKIPS, (False, True)):
        torch.manual_seed(0)
        net = UNet(geometry, 3, 2, [6, 8, 10], skip=skip, fuse=fuse, strides=strides, deep_supervision=1)
        check_model(net, geometry, c_in=3, c_out=2)
    torch.manual_seed(0)
    nested = NestedUNet(geometry, 3, 2, [6, 8, 10], strides=strides, deep_supervision=1)
    check_model(nested, geometry, c_in=3, c_out=2)
    field = geometry.example(3, seed=0)
    features = geometry.features(field)
    law = "features: what with_features puts in comes out, on the same sites"
    _same(geometry.features(geometry.with_features(field, features + 1)), features + 1, law)
    torch.manual_seed(0)
    plain = UNet(geometry, 3, 2, [6, 8, 10], strides=strides)
    check_recomputation(plain, UNet(geometry, 3, 2, [6, 8, 10], strides=strides, recompute=True), geometry, field)


def check_model(net: Descent[S], geometry: Geometry[S], c_in: int, c_out: int) -> None:
    """Checks a network on a geometry's examples: sites, gradients, batches, copies, encode and decode.

    Raises:
        AssertionError: naming the law that is broken.
    """
    a, b = geometry.example(c_in, seed=1), geometry.example(c_in, seed=2)
    check_sites(net, geometry, a, c_out)
    check_gradients(net, geometry, geometry.collate([a, b]))
    _train_a_little(net, geometry, geometry.collate([a, b]))
    check_batch(net, geometry, [a, b])
    check_copies(net, geometry, a)
    check_halves(net, geometry, a)


def check_sites(net: nn.Module, geometry: Geometry[S], field: S, c_out: int) -> None:
    """Law 1: the output sits on the input's sites."""
    shape = list(geometry.features(field).shape)
    expected = [shape[0], c_out, *shape[2:]]
    found = list(geometry.features(net.eval()(field)).shape)
    assert found == expected, f"law 1, sites: output {found}, input {shape}; expected {expected}"


def check_gradients(net: nn.Module, geometry: Geometry[S], field: S) -> None:
    """Law 2: every parameter receives a gradient, finite and not all zero."""
    net.train().zero_grad()
    outputs = net.outputs(field) if isinstance(net, Descent) else (net(field),)
    weighted = [(geometry.features(output) * _weights(geometry.features(output))).sum() for output in outputs]
    torch.stack(weighted).sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, f"law 2, gradients: {name} receives none"
        assert torch.isfinite(parameter.grad).all(), f"law 2, gradients: that of {name} is not finite"
        assert parameter.grad.abs().sum() > 0, f"law 2, gradients: that of {name} is zero"


def check_batch(net: nn.Module, geometry: Geometry[S], fields: Sequence[S]) -> None:
    """Law 3: a batch gives what its samples give one at a time; nothing leaks across."""
    net.eval()
    together = geometry.features(net(geometry.collate(fields)))
    apart = torch.cat([geometry.features(net(field)) for field in fields])
    _same(together, apart, "law 3, batches: together differs from one at a time")


def check_copies(net: nn.Module, geometry: Geometry[S], field: S) -> None:
    """Law 5: deepcopy, pickle and state_dict keep the output, and a copy shares no weights.

    Classes that are defined inside a function have no name to be pickled by; then pickle is not tried.
    """
    expected = geometry.features(net.eval()(field))
    clone = copy.deepcopy(net)
    _same(geometry.features(clone(field)), expected, "law 5, copies: deepcopy differs")
    if all(_importable(type(module)) for module in net.modules()):
        _same(geometry.features(pickle.loads(pickle.dumps(net))(field)), expected, "law 5, copies: pickle differs")
    with torch.no_grad():
        for parameter in clone.parameters():
            parameter.add_(1.0)
    _same(geometry.features(net(field)), expected, "law 5, copies: deepcopy shares weights")
    clone.load_state_dict(net.state_dict())
    _same(geometry.features(clone(field)), expected, "law 5, copies: state_dict differs")


def check_halves(net: Descent[S], geometry: Geometry[S], field: S) -> None:
    """Encoding then decoding, and the first supervised output, are the forward pass."""
    expected = geometry.features(net.eval()(field))
    _same(geometry.features(net.decode(net.encode(field))), expected, "halves: decode(encode(x)) differs from forward")
    _same(geometry.features(net.outputs(field)[0]), expected, "halves: outputs(x)[0] differs from forward")


def check_recomputation(plain: nn.Module, recomputing: nn.Module, geometry: Geometry[S], field: S) -> None:
    """Law 6: gradient checkpointing changes no bit of gradients and buffers, with dropout on."""
    recomputing.load_state_dict(plain.state_dict())
    gradients = []
    for net in (plain, recomputing):
        net.train().zero_grad()
        torch.manual_seed(1)
        output = geometry.features(net(field))
        (output * _weights(output)).sum().backward()
        gradients.append([parameter.grad for parameter in net.parameters()])
    for (name, _), one, two in zip(plain.named_parameters(), *gradients):
        assert one is not None, f"law 6, checkpointing: {name} has no gradient"
        assert two is not None, f"law 6, checkpointing: {name} has no gradient when recomputed"
        assert torch.equal(one, two), f"law 6, checkpointing: the gradient of {name} differs"
    for (name, one), two in zip(plain.named_buffers(), recomputing.buffers()):
        assert torch.equal(one, two), f"law 6, checkpointing: the buffer {name} differs"


def _importable(kind: type) -> bool:
    return getattr(sys.modules.get(kind.__module__), kind.__qualname__, None) is kind


def _train_a_little(net: nn.Module, geometry: Geometry[S], field: S) -> None:
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    net.train()
    for _ in range(2):
        optimizer.zero_grad()
        geometry.features(net(field)).square().mean().backward()
        optimizer.step()


def _weights(like: Tensor) -> Tensor:
    # uneven, so that gradients do not cancel behind a normalisation
    return torch.linspace(-1, 1, like.numel()).reshape(like.shape).sin()


def _same(found: Tensor, expected: Tensor, law: str) -> None:
    try:
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    except AssertionError as error:
        raise AssertionError(f"{law} ({error})") from error
