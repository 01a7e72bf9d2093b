"""Scores of several folds, beside those of all of them together."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Scores = Mapping[str, Any]


def spread(rows: Sequence[Scores]) -> dict[str, dict[str, float]]:
    """Return mean and deviation over folds of every score that is a number in all; of one fold nothing."""
    if len(rows) < 2:
        return {}
    return {"mean_of_folds": _over(rows, statistics.mean), "sd_of_folds": _over(rows, statistics.pstdev)}


def each_fold(rows: Sequence[Scores]) -> dict[str, list[float | None]]:
    """Every score that is a number in some fold, fold by fold; None where it is not defined."""
    return {
        name: [row.get(name) for row in rows]
        for name in dict.fromkeys(name for row in rows for name in row)
        if any(isinstance(row.get(name), float) for row in rows)
    }


def _over(rows: Sequence[Scores], how: Callable[[list[float]], float]) -> dict[str, float]:
    return {
        name: how([row[name] for row in rows])
        for name, value in rows[0].items()
        if isinstance(value, float) and all(isinstance(row.get(name), float) for row in rows)
    }
