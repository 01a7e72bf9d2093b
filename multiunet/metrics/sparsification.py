"""Sparsification: how the error falls when the most uncertain sites are left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiunet.metrics.ranking import Ranked
from multiunet.metrics.risk_coverage import STEPS, risk_at

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Sparsification:
    """Error of the sites that are left, as a share of that of all sites (Ilg et al. 2018, section 4.1).

    Attributes:
        removed: shares of the sites that are left out, 0, 0.01, ..., 0.99, the most uncertain first.
        error: of the others, by uncertainty.
        best: of the others, where those of the largest error were left out.
    """

    removed: Values
    error: Values
    best: Values

    @property
    def ause(self) -> float | None:
        """Area between both curves; 0 where sites are ordered as their errors, None without an error."""
        return float(np.mean(self.error - self.best)) if len(self.error) else None


def sparsify(ranked: Ranked, oracle: Ranked, kind: int = 0, root: bool = False) -> Sparsification:
    """Return how the error falls as uncertain sites are left out.

    Args:
        ranked: losses by uncertainty.
        oracle: the same losses, as the first kind, by themselves.
        kind: which of ``ranked``'s losses.
        root: the error is the root of the mean loss: of squared errors the RMSE. Else it is the mean.
    """
    removed = np.arange(STEPS) / STEPS
    curves = [risk_at(ranked, 1 - removed, kind), risk_at(oracle, 1 - removed)]
    if root:
        curves = [np.sqrt(curve) for curve in curves]
    whole = curves[0][0] if len(curves[0]) else 0.0
    if whole == 0:
        return Sparsification(np.empty(0), np.empty(0), np.empty(0))
    return Sparsification(removed, curves[0] / whole, curves[1] / whole)
