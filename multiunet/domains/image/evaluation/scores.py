"""Score of objects: found or missed, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from torch import Tensor

from multiunet.metrics import InstanceMatcher
from multiunet.tasks.score import Score, Scores
from multiunet.uncertainty import Moments


class InstanceScore(Score):
    """Average precision and counts of objects over all images.

    Predictions are numbered objects, ``(1, 1, *space)``, not probabilities; targets are true objects,
    ``(1, *space)``: 1, 2, ...; 0 outside, -1 where it does not count. An image comes in one piece.
    """

    monitor = "ap_mean"

    def __init__(self, names: Sequence[str], ignore_index: int) -> None:
        self._matcher = InstanceMatcher()

    def add(self, predicted: Tensor, target: Tensor, moments: Moments[Tensor] | None = None) -> None:
        self._matcher.update(predicted[0, 0].numpy(), target[0].numpy())

    def merge(self, other: Self) -> None:
        self._matcher.add(other._matcher)

    def result(self) -> Scores:
        return dict(self._matcher.scores())
