"""Names that are there more than once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def find_repeated(names: Iterable[T]) -> list[T]:
    """Return what is there more than once, each once, in the order in which it first is.

    >>> find_repeated(["b", "a", "c", "a", "b", "a"])
    ['b', 'a']
    """
    return [name for name, count in Counter(names).items() if count > 1]
