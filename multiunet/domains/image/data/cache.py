"""Cache of files that were read, as long as they fit into memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from multiunet.domains.image.files.lazy import Lazy, Pixels
from multiunet.memory import free_memory

T = TypeVar("T")


class FileCache:
    """Cache of files that were read, as long as they fit; a copy sent to another process starts empty.

    Args:
        budget: bytes; 2 GiB by default, or a quarter of what is free where that is less.
    """

    def __init__(self, budget: int | None = None) -> None:
        self.budget = min(2 << 30, free_memory() // 4) if budget is None else budget
        self._kept: dict[tuple[str, str, str], Any] = {}
        self._used = 0

    def get(self, kind: str, path: str, read: Callable[[], T], size: Callable[[T], int], how: str = "") -> T:
        """Return what ``read`` gives, or gave the first time for this kind, path and way of reading."""
        key = kind, path, how
        if key in self._kept:
            kept: T = self._kept[key]
            return kept
        value = read()
        if self._used + size(value) <= self.budget:
            self._kept[key] = value
            self._used += size(value)
        return value

    def keep(self, kind: str, path: str, read: Callable[[], T], size: Callable[[T], int], how: str = "") -> T:
        """Return as ``get`` does, and keep it in any case: for what is small, and long to find."""
        key = kind, path, how
        if key not in self._kept:
            self._kept[key] = value = read()
            self._used += size(value)
        kept: T = self._kept[key]
        return kept

    def in_memory(self, kind: str, path: str, pixels: Pixels) -> Pixels:
        """Return the pixels, read whole if they fit: for what is read again and again."""
        known = (kind, path, "") in self._kept
        if not isinstance(pixels, Lazy) or not (known or self._used + pixels.nbytes <= self.budget):
            return pixels
        whole: np.ndarray = self.get(kind, path, lambda: pixels[...], lambda array: array.nbytes)
        return whole

    def __getstate__(self) -> dict[str, Any]:
        return {"budget": self.budget, "_kept": {}, "_used": 0}
