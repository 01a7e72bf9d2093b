"""Scores of several folds, beside those of all of them together."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Scores = Mapping[str, Any]


def spread(each: Mapping[str, Scores]) -> dict[str, dict[str, float]]:
    """``mean_of_folds`` and ``sd_of_folds`` of every score that is a number in all folds; of one fold nothing."""
    rows = list(each.values())
    if len(rows) < 2:
        return {}
    return {"mean_of_folds": _over(rows, statistics.mean), "sd_of_folds": _over(rows, statistics.pstdev)}


def _over(rows: Sequence[Scores], how: Callable[[list[float]], float]) -> dict[str, float]:
    return {
        name: how([row[name] for row in rows])
        for name, value in rows[0].items()
        if isinstance(value, float) and all(isinstance(row[name], float) for row in rows)
    }
