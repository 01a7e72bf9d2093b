"""Scores of several folds."""

from __future__ import annotations

from collections.abc import Sequence

from multiunet.domains.folds import spread
from multiunet.domains.graph.scoring import Predicted, Scores, scores
from multiunet.tasks import Task


def pooled(task: Task, folds: Sequence[Predicted]) -> tuple[Scores, dict[str, Scores]]:
    """Scores over the rows of all folds together; of several also their mean and deviation, and those of each."""
    found = scores(task, Predicted.together(folds))
    if len(folds) == 1:
        return found, {}
    each = {f"fold-{place}": scores(task, fold) for place, fold in enumerate(folds)}
    return found | spread(list(each.values())), each
