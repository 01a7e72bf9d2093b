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


def digest_of(arrays: Iterable[NDArray[Any] | None]) -> str:
    """Hash shapes, dtypes and values; skip None."""
    digest = hashlib.sha256()
    for array in arrays:
        if array is not None:
            digest.update(str((array.shape, array.dtype)).encode() + np.ascontiguousarray(array).tobytes())
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
