"""Digests of data, by which changed files are noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.info import DatasetInfo
from multiunet.errors import InputError

PIECE = 1 << 20
"""Numbers of an array that are copied at once."""


def digest_of(arrays: Iterable[NDArray[Any] | None]) -> str:
    """Hash shapes, dtypes and values; skip None."""
    digest = hashlib.sha256()
    for array in arrays:
        if array is not None:
            digest.update(str((array.shape, array.dtype)).encode())
            rows = np.ascontiguousarray(array).reshape(-1)
            for first in range(0, len(rows), PIECE):  # no copy of all of it
                digest.update(rows[first : first + PIECE].tobytes())
    return digest.hexdigest()[:16]


def digest_of_parts(length: int, parts: Iterable[NDArray[Any]]) -> str:
    """Hash an array of one axis that comes in parts, as ``digest_of`` hashes the whole.

    Args:
        length: of the whole.
        parts: one or more, of one type.
    """
    digest = hashlib.sha256()
    for place, part in enumerate(parts):
        digest.update((str(((length,), part.dtype)).encode() if place == 0 else b"") + part.tobytes())
    return digest.hexdigest()[:16]


def check_unchanged(path: Path, found: DatasetInfo, known: DatasetInfo) -> None:
    """Check that data read again are those that a run was trained on.

    Args:
        path: file or folder of the data, for the error.
        found: info of the data as they are now.
        known: info of the run.

    Raises:
        InputError: when they differ.
    """
    if found.data != known.data:
        raise InputError(f"{path}: has changed since the run was trained on it; restore it, or train anew")
