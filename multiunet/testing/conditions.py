"""Law 8: a condition reaches every parameter that reads it, and without one they do nothing."""

from __future__ import annotations

from typing import Any, TypeVar

import torch

from multiunet.core import Condition, Encoder, Geometry, NestedUNet, UNet
from multiunet.testing.helpers import assert_same, example_batch, train_a_little, weigh

S = TypeVar("S")


def check_conditions(geometry: Geometry[S], **options: Any) -> None:
    """Check U-Nets of three levels, plain and nested, of a geometry that makes an ``example_condition``.

    Args:
        options: other arguments of the network.

    Raises:
        AssertionError: naming what of the law is broken.
    """
    if geometry.example_condition(0) is None:
        return
    for kind in (UNet, NestedUNet):
        torch.manual_seed(0)
        _check_network(kind(geometry, 3, 2, [6, 8, 10], **options), geometry)


def _check_network(net: Encoder[S], geometry: Geometry[S]) -> None:
    batch, joined = example_batch(geometry, 3)
    fields = [geometry.example(3, seed) for seed in (1, 2)]
    one, two = (geometry.example_condition(seed) for seed in (1, 2))
    train_a_little(net, geometry, batch, joined)
    readers = _without_gradient(net, geometry, batch, None)
    assert readers, "law 8, conditions: no parameter reads the condition"
    deaf = _without_gradient(net, geometry, batch, joined)
    assert not deaf, f"law 8, conditions: {', '.join(deaf)} of the network receive no gradient"
    net.eval()
    with torch.no_grad():
        together = geometry.features(net(batch, joined))
        apart = torch.cat([geometry.features(net(field, c)) for field, c in zip(fields, (one, two))])
        assert_same(together, apart, "law 8, conditions: a batch differs from its samples, each with its condition")
        other = geometry.features(net(fields[0], two))
        felt = not torch.equal(geometry.features(net(fields[0], one)), other)
        assert felt, "law 8, conditions: another condition changes nothing"
        before = geometry.features(net(batch))
        for name, parameter in net.named_parameters():
            if name in readers:
                parameter.add_(1.0)
        law = "law 8, conditions: without one, parameters that read it change the output"
        assert torch.equal(geometry.features(net(batch)), before), law


def _without_gradient(net: Encoder[S], geometry: Geometry[S], field: S, condition: Condition | None) -> list[str]:
    """Names of the parameters that receive no gradient."""
    net.train().zero_grad(set_to_none=True)
    output = geometry.features(net(field, condition))
    (output * weigh(output)).sum().backward()
    parameters = net.named_parameters()
    return [name for name, p in parameters if p.grad is None or not bool(p.grad.abs().sum() > 0)]
