"""Degrees of nodes as features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_DEGREES = 32
"""Nodes of more neighbours are not told apart."""


def largest(edges: NDArray[np.int64], nodes: int) -> int:
    """Return the largest degree that has a column of its own, of edges ``(2, edges)``."""
    return int(min(MOST_DEGREES, np.bincount(edges[1], minlength=nodes).max()))


def one_hot(edges: NDArray[np.int64], nodes: int, most: int) -> NDArray[np.float32]:
    """A column for each degree up to ``most``, which stands for all above it, too: ``(nodes, most + 1)``."""
    degree = np.bincount(edges[1], minlength=nodes)
    columns: NDArray[np.float32] = (np.minimum(degree, most)[:, None] == np.arange(most + 1)).astype(np.float32)
    return columns
