"""What a network may be told beside its input."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Condition:
    """Optional side input of every block; a block that does not use it ignores it.

    Attributes:
        embedding: one vector a sample, ``(N, C)`` (a time step, a dose, a tissue).
        tokens: a sequence a sample for cross-attention, ``(N, T, C)``.
    """

    embedding: Tensor | None = None
    tokens: Tensor | None = None
