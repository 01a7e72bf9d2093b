"""Scores of predicted graphs, or of their nodes."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from multiunet.metrics import classification_scores, regression_scores, roc_auc
from multiunet.tasks import Task

Scores = dict[str, Any]


@dataclass(frozen=True)
class Predicted:
    """What was predicted on one split, and what is true.

    Attributes:
        mean: ``(rows, names)``.
        truth: classes ``(rows,)``, -1 where not known; or quantities ``(rows, names)``, NaN where not known.
    """

    mean: Tensor
    truth: Tensor


def scores(task: Task, found: Predicted) -> Scores:
    """``accuracy``, ``macro_f1`` and, of two classes, ``roc_auc``; or of quantities ``rmse``, ``mae``, ``r2``."""
    decided = task.decide(found.mean)
    if decided is None:
        of_all: Scores = dict(regression_scores(found.mean.T, found.truth.T))
        for one in (of_all, *of_all.get("per_track", [])):
            mse = one.pop("mse")
            one |= {"rmse": None if mse is None else mse**0.5, "mse": mse}
        return of_all
    graded: Scores = dict(classification_scores(decided, found.truth, len(task.names)))
    if len(task.names) == 2:
        known = found.truth >= 0
        graded["roc_auc"] = roc_auc(found.mean[known, 1], found.truth[known] == 1)
    return graded


def pooled(task: Task, folds: Sequence[Predicted]) -> tuple[Scores, dict[str, Scores]]:
    """Scores over the rows of all folds together; of several also their mean and deviation, and those of each."""
    together = Predicted(torch.cat([fold.mean for fold in folds]), torch.cat([fold.truth for fold in folds]))
    found = scores(task, together)
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
