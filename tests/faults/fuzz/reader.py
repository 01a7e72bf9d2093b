"""Reader under test: its seed, what reads it, and a second reader to compare with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Reader:
    """A reader with a seed and, where there is one, a second reader to compare with.

    Attributes:
        make: writes the seed into a folder, and returns the file or folder.
        read: reads it whole.
        reference: returns what another reader makes of the same file; raises what it cannot read.
        needs: package of an extra that the reader needs.
        only: pattern of the files of a folder that are mutated.
    """

    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    reference: Callable[[Path], Any] | None = None
    needs: str | None = None
    only: str = "*"

    def lacks(self) -> str | None:
        """Return the package that is needed and not installed; None: all is there."""
        return self.needs if self.needs is not None and find_spec(self.needs) is None else None


def write_text(name: str, text: str) -> Callable[[Path], Path]:
    """Return what writes a text into a folder, under a name."""

    def make(folder: Path) -> Path:
        (folder / name).write_text(text, encoding="utf-8")
        return folder / name

    return make


def is_same(found: Any, expected: Any) -> bool:
    """Return whether two results are equal, arrays with NaN in the same places included."""
    if isinstance(found, dict) and isinstance(expected, dict):
        return found.keys() == expected.keys() and all(is_same(found[key], expected[key]) for key in found)
    if isinstance(found, np.ndarray) or isinstance(expected, np.ndarray):
        one, other = np.asarray(found), np.asarray(expected)
        numbers = {one.dtype.kind, other.dtype.kind} <= set("fiub")
        return one.shape == other.shape and np.array_equal(one, other, equal_nan=numbers)
    if isinstance(found, list | tuple) and isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(is_same(one, other) for one, other in zip(found, expected))
    return bool(found == expected) or (found != found and expected != expected)
