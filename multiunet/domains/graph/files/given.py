"""Nodes and edges as files have them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.graph.files.attributes import Attributes


@dataclass(frozen=True, kw_only=True)
class Given(ABC):
    """Nodes and edges of one graph, or of several one after the other, of the right shapes and types.

    Attributes:
        path: of the file or folder.
        x: features, ``(nodes, features)``, float32, finite; None: not given.
        tags: of what kind each node is, ``(nodes,)``, integers or text; None: not given.
        edges: source and target node, ``(2, edges)``, int64, each in 0..nodes-1.
        weight: of each edge, ``(edges,)``, float32, positive; None: all 1.
        attributes: of each edge; None: not given, or not wanted.
        y: labels or quantities as they are, by row, ``(rows,)`` or ``(rows, quantities)``; None: not given.
        features, quantities: names of the columns of ``x`` and of ``y``, where there are names.
        place: returns where the label of a row stands in the file, for errors; None: it is said by number.
    """

    path: Path
    x: NDArray[np.float32] | None
    tags: NDArray[Any] | None = None
    edges: NDArray[np.int64]
    weight: NDArray[np.float32] | None
    attributes: Attributes | None
    y: NDArray[Any] | None = None
    features: tuple[str, ...] | None = None
    quantities: tuple[str, ...] | None = None
    place: Callable[[int], str] | None = None

    @property
    @abstractmethod
    def count(self) -> int:
        """Number of nodes."""
