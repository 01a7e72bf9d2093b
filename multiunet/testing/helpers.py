"""Helpers of the laws: comparison, a little training, weights that do not cancel."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

from multiunet.core import Condition, Geometry

S = TypeVar("S")


def assert_same(found: Tensor, expected: Tensor, law: str) -> None:
    """Check that two tensors agree to rounding.

    Raises:
        AssertionError: naming the law.
    """
    try:
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    except AssertionError as error:
        raise AssertionError(f"{law} ({error})") from error


def train_a_little(net: nn.Module, geometry: Geometry[S], field: S, condition: Condition | None = None) -> None:
    """Take two steps, so that norms have statistics and parameters that begin at zero have moved."""
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    net.train()
    for _ in range(2):
        optimizer.zero_grad()
        geometry.features(net(field, condition)).square().mean().backward()
        optimizer.step()


def weigh(like: Tensor) -> Tensor:
    """Return uneven weights of the same shape, so that gradients do not cancel behind a normalisation."""
    return torch.linspace(-1, 1, like.numel()).reshape(like.shape).sin()
