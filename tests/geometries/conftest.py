from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from multiunet.geometries.graph.field import GraphField


def both_ways(*pairs: tuple[int, int]) -> Tensor:
    one_way = torch.tensor(pairs).T
    return torch.cat([one_way, one_way.flip(0)], dim=1)


@pytest.fixture
def undirected() -> Callable[..., Tensor]:
    """Makes edges of pairs of nodes, one in each direction."""
    return both_ways


@pytest.fixture
def path_graph() -> Callable[[Tensor], GraphField]:
    """Makes the graph 0 - 1 - 2 - ... in a row, with these features."""
    return lambda x: GraphField.of(x, both_ways(*[(i, i + 1) for i in range(len(x) - 1)]))
