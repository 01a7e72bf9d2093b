"""Scores of independent labels: of each, whether a site has it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.metrics import Ranking, mean_of_defined
from multiunet.metrics.reliability import LEAST
from multiunet.tasks.class_uncertainty import ClassUncertainty
from multiunet.tasks.curves import Curves
from multiunet.tasks.score import Score, Scores, label_cuts
from multiunet.uncertainty import Calibration, Moments

MEANS = ("mcc", "f1", "iou", "auprc", "auroc")
"""Scores whose mean over labels stands beside those of each label."""

MICRO = ("f1", "auprc", "auroc")
"""Scores that are also those of all labels pooled, as though they were one."""


class LabelScore(Score):
    """Scores of labels that do not exclude each other, and what their uncertainty is worth.

    Each has its own. A label is said to be there where its probability is above 1/2, or as the calibration's threshold
    of it says. Targets are 1 (there) and 0; a target of NaN, or of ``ignore_index``, is not known.

    Args:
        names: of the labels.
        ignore_index: target of sites that do not count.
        calibration: may have thresholds of labels. Sets are not scored: they have limits of each label.
    """

    monitor = "auprc"

    def __init__(self, names: Sequence[str], ignore_index: int, calibration: Calibration | None = None) -> None:
        self.names, self.ignore_index = list(names), ignore_index
        self._cuts = label_cuts(self.names, calibration)
        self._counts = np.zeros((len(self.names), 2, 2), dtype=np.int64)  # truth, then prediction
        self._surprise = np.zeros(len(self.names))
        self._ranked = [Ranking() for _ in self.names]
        self._uncertainty = [ClassUncertainty(ignore_index) for _ in self.names]
        self._stated = False

    def add(self, predicted: Tensor, target: Tensor, moments: Moments[Tensor] | None = None) -> None:
        rows, truth = (_rows(part) for part in (predicted, target))
        for place, (p, true) in enumerate(zip(rows, truth)):
            known = ~true.isnan() & (true != self.ignore_index)
            self._count(place, p[known].clamp(0, 1), true[known] > 0.5)
            if moments is not None:
                stated = moments.map(lambda part: _rows(part)[place][known])  # noqa: B023  called at once
                self._uncertainty[place].add(_as_two(stated), (true[known] > 0.5).long())
        self._stated |= moments is not None

    def _count(self, place: int, p: Tensor, true: Tensor) -> None:
        told = 2 * true.long() + (p > self._cuts[place]).long()
        self._counts[place] += np.bincount(told.numpy(), minlength=4).reshape(2, 2)
        self._surprise[place] -= float(torch.where(true, p, 1 - p).double().clamp_min(LEAST).log().sum())
        self._ranked[place].add(p, [true.float()])

    def merge(self, other: Self) -> None:
        self._counts += other._counts
        self._surprise += other._surprise
        self._stated |= other._stated
        for own, more in zip(self._ranked, other._ranked):
            own.merge(more)
        for mine, its in zip(self._uncertainty, other._uncertainty):
            mine.merge(its)

    def result(self) -> Scores:
        """Return means over labels (macro), those of all labels pooled (micro), and the scores of each label.

        These are in the order of ``classes``. ``mcc``: Matthews' correlation, ``f1`` (the Dice score), ``iou``,
        ``precision`` and ``recall`` of what is said to be there; ``auprc`` (average precision) and ``auroc`` of the
        probabilities; ``share`` of the sites that truly have the label, which is the average precision by chance. None
        where not defined: of a label that is nowhere.
        """
        each = [_score_label(counts, ranking) for counts, ranking in zip(self._counts, self._ranked)]
        by_label: Scores = {f"{name}_per_class": [one[name] for one in each] for name in each[0]}
        means: Scores = {name: mean_of_defined(one[name] for one in each) for name in MEANS}
        sites = int(self._counts.sum())
        means |= {f"micro_{name}": value for name, value in self._pool().items() if name in MICRO}
        means["nll"] = float(self._surprise.sum()) / sites if sites else None
        return {**means, **by_label, **self._judge(), "classes": self.names}

    def _pool(self) -> dict[str, Any]:
        """Return the scores of all labels as one."""
        pooled = Ranking()
        for ranking in self._ranked:
            pooled.merge(ranking)
        return _score_label(self._counts.sum(axis=0), pooled)

    def _judge(self) -> Scores:
        """Return what the uncertainty is worth: means over labels, and the calibration error of each label."""
        if not self._stated:
            return {}
        each = [judged.scores() for judged in self._uncertainty]
        plain = [name for name, value in each[0].items() if value is None or isinstance(value, float)]
        scores: Scores = {name: mean_of_defined(one[name] for one in each) for name in plain}
        errors = [one["calibration_error"] for one in each]
        worst = max((error for error in errors if error is not None), default=None)
        return {**scores, "calibration_error_per_class": errors, "worst_calibration_error": worst}

    def curves(self) -> Sequence[Curves]:
        return [
            replace(curve, name=name)
            for name, judged in zip(self.names, self._uncertainty)
            for curve in judged.curves()
        ]


def _rows(values: Tensor) -> Tensor:
    """Return ``(N, names, *space)`` as ``(names, sites)``."""
    return values.detach().cpu().float().movedim(1, 0).reshape(values.shape[1], -1)


def _as_two(stated: Moments[Tensor]) -> Moments[Tensor]:
    """Return the moments of one label, ``(sites,)``, as those of no and yes, ``(sites, 2)``."""
    both = (torch.stack([part, part], dim=1) for part in (stated.epistemic, stated.aleatoric))
    return Moments(torch.stack([1 - stated.mean, stated.mean], dim=1), *both)


def _score_label(counts: NDArray[np.int64], ranking: Ranking) -> dict[str, Any]:
    ranked = ranking.sorted()
    return {**_score_counts(counts), "auprc": ranked.average_precision(), "auroc": ranked.roc_auc()}


def _score_counts(counts: NDArray[np.int64]) -> dict[str, Any]:
    """Return the scores of decisions; of counts ``(2, 2)``, rows are the truth."""
    (tn, fp), (fn, tp) = counts.tolist()
    below = math.sqrt(tp + fp) * math.sqrt(tp + fn) * math.sqrt(tn + fp) * math.sqrt(tn + fn)
    return {
        "mcc": (tp * tn - fp * fn) / below if below else None,
        "f1": 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else None,
        "iou": tp / (tp + fp + fn) if tp + fp + fn else None,
        "precision": tp / (tp + fp) if tp + fp else None,
        "recall": tp / (tp + fn) if tp + fn else None,
        "share": (tp + fn) / int(counts.sum()) if counts.any() else None,
    }
