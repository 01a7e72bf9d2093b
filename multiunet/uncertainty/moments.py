"""Predictive mean and variance of a mixture of stated distributions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor


class _Array(Protocol):
    def __add__(self, other, /): ...  # type: ignore[no-untyped-def]


A = TypeVar("A", bound=_Array)
B = TypeVar("B", bound=_Array)


@dataclass(frozen=True)
class Moments(Generic[A]):
    """Mean and variance of a prediction; all of one shape, variances in the mean's units squared.

    Attributes:
        mean: the mean of the samples' means.
        epistemic: the variance of the samples' means (ddof 0): what the model does not know.
        aleatoric: the mean of the samples' variances: what the data leave open.
    """

    mean: A
    epistemic: A
    aleatoric: A

    @property
    def total(self) -> A:
        """Total variance ``epistemic + aleatoric``, the variance of the mixture (law of total variance)."""
        total: A = self.epistemic + self.aleatoric
        return total

    def map(self, change: Callable[[A], B]) -> Moments[B]:
        """Return the moments with ``change`` made to each of the three: a cut, a transposition, a move."""
        return Moments(change(self.mean), change(self.epistemic), change(self.aleatoric))


class Welford:
    """Moments of a stream of ``(mean, variance)`` pairs, in float32 or wider.

    Welford 1962, "Note on a method for calculating corrected sums of squares": one pass without cancellation.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean: Tensor | None = None
        self._squares: Tensor | None = None
        self._aleatoric: Tensor | None = None

    def add(self, mean: Tensor, variance: Tensor) -> None:
        """Add one sample's stated mean and variance, of one shape; no gradient leads back to them."""
        dtype = torch.promote_types(mean.dtype, torch.float32)
        mean, variance = mean.detach().to(dtype), variance.detach().to(dtype)
        self.count += 1
        if self._mean is None or self._squares is None or self._aleatoric is None:
            self._mean, self._squares, self._aleatoric = mean.clone(), torch.zeros_like(mean), variance.clone()
            return
        delta = mean - self._mean
        self._mean += delta / self.count
        self._squares += delta * (mean - self._mean)
        self._aleatoric += (variance - self._aleatoric) / self.count

    def moments(self) -> Moments[Tensor]:
        """Return the moments of what was added.

        Raises:
            ValueError: when nothing was.
        """
        if self._mean is None or self._squares is None or self._aleatoric is None:
            raise ValueError("no sample was added")
        return Moments(self._mean, self._squares / self.count, self._aleatoric)
