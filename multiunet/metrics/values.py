"""Helpers of all scores. An undefined score is None, never NaN: scores are written as JSON."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

ArrayLike = Tensor | NDArray[np.generic]


def as_array(values: ArrayLike) -> NDArray[np.generic]:
    """A numpy array, from any device; bfloat16, which numpy lacks, as float32."""
    if not isinstance(values, Tensor):
        return np.asarray(values)
    tensor = values.detach().cpu()
    array: NDArray[np.generic] = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return array


def as_classes(values: ArrayLike, name: str) -> NDArray[np.int64]:
    """Flat int64 class indices. Raises ValueError when the values are not integers."""
    array = as_array(values)
    if array.dtype.kind not in "biu":
        raise ValueError(f"{name} are class indices: expected integers, got {array.dtype}")
    return array.astype(np.int64).ravel()


def quotient(numerator: float, denominator: float) -> float | None:
    """The quotient, None for a denominator of 0."""
    return float(numerator) / float(denominator) if denominator else None


def mean_of_defined(values: Iterable[float | None]) -> float | None:
    """The mean of the values that are not None; None when there is none."""
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


def same_shape(predicted: ArrayLike, target: ArrayLike) -> None:
    """Raises ValueError when the shapes differ."""
    if tuple(predicted.shape) != tuple(target.shape):
        raise ValueError(f"predicted {tuple(predicted.shape)} and target {tuple(target.shape)} differ in shape")
