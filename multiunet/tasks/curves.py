"""Curves that show what a stated uncertainty is worth, as tables of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Table = Mapping[str, Sequence[float | None]]
"""Columns by name, of one length; None where not defined."""


@dataclass(frozen=True)
class Curves:
    """Curves of one uncertainty, over all sites.

    Attributes:
        name: of the quantity; empty for classes.
        reliability: ``stated`` and ``observed``: of classes the mean confidence and the accuracy of each bin, with its
            ``sites``; of a quantity the shares of the truth that central intervals are to hold, and that they hold.
        risk_coverage: ``coverage``, the share of the sites that are answered, and their risk by each uncertainty and in
            the best order (``best``): of classes the share of wrong sites, of a quantity its mean absolute error.
        sparsification: ``removed``, the share of the sites that are left out, and the error of the others by ``total``
            and in the best order, as a share of that of all: of classes the Brier score, of a quantity the RMSE.
    """

    name: str
    reliability: Table
    risk_coverage: Table
    sparsification: Table
