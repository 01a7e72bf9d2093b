"""Questions about sizes that also have an answer while a network is exported, when sizes are symbols."""

from __future__ import annotations

import torch


def is_exporting() -> bool:
    """Return True while torch traces a network for any size (``torch.export``).

    A branch on a size would be taken once, for the size of the example, and be wrong for others. What then asks for no
    size gives the same as the branches do, to rounding, with operations that may have nothing to do.
    """
    return torch.compiler.is_compiling()


def is_equal(size: int, other: int) -> bool:
    """Return whether two sizes are equal; of symbols whether they always are."""
    return _holds(size == other)


def is_multiple(size: int, step: int) -> bool:
    """Return whether a size is a multiple of a step; of a symbol whether it always is."""
    return _holds(size % step == 0)


def count_windows(size: int, step: int) -> int:
    """Return how many windows of one step hold so many sites, the last of them partial perhaps.

    >>> [count_windows(size, 4) for size in (1, 4, 5)]
    [1, 1, 2]
    """
    return (size - 1) // step + 1  # as pooling counts, so that symbols are seen to be equal


def _holds(condition: bool | torch.SymBool) -> bool:
    if isinstance(condition, bool):
        return condition
    from torch.fx.experimental.symbolic_shapes import statically_known_true

    return statically_known_true(condition)
