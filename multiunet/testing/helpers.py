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


def example_batch(geometry: Geometry[S], channels: int, conditioned: bool = True) -> tuple[S, Condition | None]:
    """Make a batch of two examples, with the condition of each where the blocks read one."""
    batch = geometry.collate([geometry.example(channels, seed) for seed in (1, 2)])
    conditions = [geometry.example_condition(seed) for seed in (1, 2)] if conditioned else []
    given = [condition for condition in conditions if condition is not None]
    return batch, Condition.join(given) if given else None


def train_a_little(net: nn.Module, geometry: Geometry[S], field: S, condition: Condition | None = None) -> None:
    """Move parameters that begin at zero, and take two steps, so that norms have statistics."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            if not parameter.any():
                # far enough that what stands behind it is seen in the output
                parameter.normal_(std=0.1, generator=generator)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    net.train()
    for _ in range(2):
        optimizer.zero_grad()
        geometry.features(net(field, condition)).square().mean().backward()
        optimizer.step()


def weigh(like: Tensor) -> Tensor:
    """Return uneven weights of the same shape, so that gradients do not cancel behind a normalisation."""
    return torch.linspace(-1, 1, like.numel()).reshape(like.shape).sin()
