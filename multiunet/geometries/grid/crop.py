"""Cropping of fields on a grid."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from multiunet.core.exporting import is_equal


def crop_centre(x: Tensor, space: Sequence[int]) -> Tensor:
    """Return the middle ``space`` sites of every axis of ``(N, C, *space)``."""
    for axis, size in enumerate(space, start=2):
        if x.shape[axis] != size:
            x = x.narrow(axis, (x.shape[axis] - size) // 2, size)
    return x


def crop_start(x: Tensor, space: Sequence[int]) -> Tensor:
    """Return the first ``space`` sites of every axis of ``(N, C, *space)``."""
    for axis, size in enumerate(space, start=2):
        if not is_equal(x.shape[axis], size):
            x = x.narrow(axis, 0, size)
    return x
