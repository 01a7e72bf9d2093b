"""Segmentation: the class of each site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor, nn

from multiunet.losses import DiceCE, Kind
from multiunet.tasks.class_scores import SegmentationScore
from multiunet.tasks.label_scores import LabelScore
from multiunet.tasks.score import Score, decide_classes, decide_labels
from multiunet.tasks.task import Task, rows_of
from multiunet.uncertainty import Calibration, Moments
from multiunet.uncertainty.calibration import tempered
from multiunet.uncertainty.fitting import fit_classes
from multiunet.uncertainty.held_out import HeldOut
from multiunet.uncertainty.thresholds import fit_label_thresholds, fit_thresholds


class ScoreOfClasses(Protocol):
    """Kind of score of classes, called with their names, the ignored target, and a calibration, if any."""

    monitor: str

    def __call__(self, names: Sequence[str], ignore_index: int, calibration: Calibration | None = None) -> Score: ...


class Segmentation(Task):
    """Classes of sites.

    Args:
        classes: names, in the order of the class indices; ``binary`` has two: outside and inside.
        labels: ``multiclass`` (softmax), ``binary`` (one logit) or ``multilabel`` (independent logits).
        ignore_index: target value of sites that count neither in the loss nor in the scores.
        loss: of such labels; Dice + cross-entropy by default.
        rare: names of classes so rare that they may never be the likeliest, or of independent labels whose share of the
            sites is far from 1/2; a calibration fits their thresholds.
        score: kind of score, which also names the score that chooses the best epoch; called with the names,
            ``ignore_index`` and the calibration. By default that of class maps, of independent labels ``LabelScore``.

    The prediction's mean is the probability of each name; its aleatoric variance is that of a Bernoulli draw, p (1 - p)
    (Kwon et al. 2020, eq. 4, diagonal), so that epistemic + aleatoric = mean (1 - mean) exactly.

    Raises:
        ValueError: for fewer than two classes (one label), or more of ``binary``.
    """

    kind = "segmentation"

    def __init__(
        self,
        classes: Sequence[str],
        labels: Kind = "multiclass",
        ignore_index: int = -1,
        loss: nn.Module | None = None,
        score: ScoreOfClasses | None = None,
        rare: Sequence[str] = (),
    ) -> None:
        fewest = 1 if labels == "multilabel" else 2
        if len(classes) < fewest:
            raise ValueError(f"classes {list(classes)}: {labels} segmentation needs at least {fewest}")
        if labels == "binary" and len(classes) > 2:
            raise ValueError(f"classes {list(classes)}: binary segmentation has two, outside and inside")
        self.names, self.rare = tuple(classes), tuple(rare)
        self.labels = labels
        self.channels = 1 if labels == "binary" else len(classes)
        self.ignore_index = ignore_index
        self.criterion = DiceCE(kind=labels, ignore_index=ignore_index) if loss is None else loss
        self._score = score or (LabelScore if labels == "multilabel" else SegmentationScore)
        self.monitor = self._score.monitor

    def loss(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        value: Tensor = self.criterion(output, target, weight)
        return value

    def distribution(self, output: Tensor) -> tuple[Tensor, Tensor]:
        output = output.float()
        if self.labels == "multiclass":
            p = output.softmax(dim=1)
        elif self.labels == "binary":
            inside = output.sigmoid()
            p = torch.cat([1 - inside, inside], dim=1)
        else:
            p = output.sigmoid()
        return p, p * (1 - p)

    def score(self, calibration: Calibration | None = None) -> Score:
        return self._score(self.names, self.ignore_index, calibration)

    def known_sites(self, moments: Moments[Tensor], target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if self.labels == "multilabel":
            told = rows_of(target).float()
            truth = told.masked_fill(told == self.ignore_index, torch.nan)  # one label of a site may not be known
            known = ~truth.isnan().all(dim=1)
        else:
            truth = target.reshape(-1).long()
            known = truth != self.ignore_index
        return rows_of(moments.mean)[known], rows_of(moments.total)[known], truth[known]

    def fit_calibration(self, held_out: HeldOut) -> Calibration:
        fitted = fit_classes(held_out, self.labels)
        if not self.rare:
            return fitted
        stated = tempered(held_out.mean, fitted.temperature, self.labels)
        rare = [self.names.index(name) for name in self.rare]
        if self.labels == "multilabel":
            each = fit_label_thresholds(stated, held_out.target)
            found = {index: threshold for index, threshold in each.items() if index in rare}
        else:
            found = fit_thresholds(stated, held_out.target, rare)
        return replace(fitted, thresholds={self.names[index]: threshold for index, threshold in found.items()})

    def decide(self, mean: Tensor, calibration: Calibration | None = None) -> Tensor:
        if self.labels == "multilabel":
            return decide_labels(mean, self.names, calibration)
        return decide_classes(mean, self.names, calibration)
