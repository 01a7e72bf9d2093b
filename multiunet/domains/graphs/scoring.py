"""Scores of several folds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from multiunet.domains.graph.scoring import Predicted, Scores, scores
from multiunet.tasks import Task


def pooled(task: Task, folds: Sequence[Predicted]) -> tuple[Scores, dict[str, Scores]]:
    """Scores over the rows of all folds together; of several also their mean and deviation, and those of each."""
    found = scores(task, Predicted.together(folds))
    if len(folds) == 1:
        return found, {}
    each = {f"fold-{place}": scores(task, fold) for place, fold in enumerate(folds)}
    return found | {"mean_of_folds": _over(each, statistics.mean), "sd_of_folds": _over(each, statistics.pstdev)}, each


def _over(each: Mapping[str, Scores], how: Any) -> dict[str, float]:
    rows = list(each.values())
    return {
        name: how([row[name] for row in rows])
        for name, value in rows[0].items()
        if isinstance(value, float) and all(isinstance(row[name], float) for row in rows)
    }
