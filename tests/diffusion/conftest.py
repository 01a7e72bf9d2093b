"""Fields of every geometry, and denoisers that are known exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from multiunet import Condition, Geometry, Graph, GraphField, Grid


class Formula(nn.Module):
    """Network that is a formula of the features and of the level of noise that it is given."""

    def __init__(self, formula: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.formula = formula

    def forward(self, field, condition: Condition):
        if isinstance(field, GraphField):
            return replace(field, x=self.formula(field.x, condition.noise[field.batch][:, None]))
        return self.formula(field, condition.noise.reshape(-1, *[1] * (field.ndim - 1)))


def rings(channels: int, sizes: tuple[int, ...]) -> GraphField:
    """Rings of so many nodes, side by side, with random features of float64."""
    parts = []
    for nodes in sizes:
        ring = torch.arange(nodes)
        ends = torch.stack([ring, ring.roll(-1)])
        x = torch.randn(nodes, channels, dtype=torch.float64)
        parts.append(GraphField.of(x, torch.cat([ends, ends.flip(0)], dim=1)))
    return GraphField.union(parts)


def make_field(geometry: Geometry, channels: int):
    """A batch of two samples of float64."""
    if isinstance(geometry, Graph):
        return rings(channels, (7, 5))
    shape = {1: (9,), 2: (6, 5), 3: (4, 3, 5)}[geometry.ndim]
    return torch.randn(2, channels, *shape, dtype=torch.float64)


@pytest.fixture(params=[Grid(1), Grid(2), Grid(3), Graph()], ids=["1-D", "2-D", "3-D", "graph"])
def geometry(request) -> Geometry:
    return request.param
