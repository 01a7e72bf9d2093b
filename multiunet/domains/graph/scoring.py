"""Scores of predicted nodes, or of whole graphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from multiunet.domains.folds import spread
from multiunet.domains.graph.labels import UNKNOWN
from multiunet.metrics import Calibration, classification_scores, coverage, regression_scores, roc_auc
from multiunet.tasks import Task

Scores = dict[str, Any]


@dataclass(frozen=True)
class Predicted:
    """What was predicted on one split, and what is true.

    Attributes:
        mean: ``(rows, names)``.
        truth: classes ``(rows,)``, ``UNKNOWN`` where not known; or quantities ``(rows, names)``, NaN where not known.
        total: variances ``(rows, names)``; None of methods that state none.
    """

    mean: Tensor
    truth: Tensor
    total: Tensor | None = None

    @classmethod
    def together(cls, parts: Sequence[Predicted]) -> Predicted:
        """The rows of all parts."""
        totals = [part.total for part in parts if part.total is not None]
        return cls(
            torch.cat([part.mean for part in parts]),
            torch.cat([part.truth for part in parts]),
            torch.cat(totals) if len(totals) == len(parts) else None,
        )


def scores(task: Task, found: Predicted) -> Scores:
    """``accuracy``, ``macro_f1`` and, of two classes, ``roc_auc``; or of quantities ``rmse``, ``mae``, ``r2``.

    Where variances are stated, also whether they, or the probabilities, come true.
    """
    decided = task.decide(found.mean)
    return _of_quantities(found) if decided is None else _of_classes(found, decided)


def _of_quantities(found: Predicted) -> Scores:
    graded: Scores = dict(regression_scores(found.mean.T, found.truth.T))
    for one in (graded, *graded.get("per_track", [])):
        mse = one.pop("mse")
        one |= {"rmse": None if mse is None else mse**0.5, "mse": mse}
    if found.total is not None:
        shares = [coverage(*column) for column in zip(found.mean.T, found.total.T, found.truth.T)]
        defined = [share for share in shares if share is not None]
        graded["coverage_95"] = float(np.mean(defined)) if defined else None
    return graded


def _of_classes(found: Predicted, decided: Tensor) -> Scores:
    graded: Scores = dict(classification_scores(decided, found.truth, found.mean.shape[1]))
    if found.mean.shape[1] == 2:
        known = found.truth != UNKNOWN
        graded["roc_auc"] = roc_auc(found.mean[known, 1], found.truth[known] == 1)
    if found.total is not None:
        calibration = Calibration(ignore_index=UNKNOWN)
        calibration.update(found.mean, found.truth)
        graded |= calibration.scores()
    return graded


def pooled(task: Task, folds: Sequence[Predicted]) -> tuple[Scores, dict[str, Scores]]:
    """Scores over the rows of all folds together; of several also their mean and deviation, and those of each."""
    found = scores(task, Predicted.together(folds))
    if len(folds) == 1:
        return found, {}
    each = {f"fold-{place}": scores(task, fold) for place, fold in enumerate(folds)}
    return found | spread(list(each.values())), each
