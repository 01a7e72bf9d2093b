"""Opponent of a network that draws: a second network, which tells what is drawn from what is true."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from multiunet.core import Geometry
from multiunet.losses.adversarial import AdversarialLoss, NonSaturating
from multiunet.losses.sites import on_axis_1
from multiunet.tasks.regression import Regression

Judge = Callable[[Any], Any]
"""The opponent's network, from a field to a field of scores; as a training runs it, in its precision, say."""


@dataclass(frozen=True)
class Match:
    """Fields that the opponent is to tell apart: input with drawn quantities, and input with true ones."""

    drawn: Any
    true: Any


@dataclass(frozen=True)
class Opponent:
    """Second network of a training, a discriminator, and what both learn from its scores.

    The first network's loss becomes ``task + weight * adversarial``: Isola et al. 2017, "Image-to-Image Translation
    with Conditional Adversarial Networks", eq. 4, where the task's loss is the L1 distance, and the weight 1 / lambda.
    Both learn from the same batch, by steps taken together (Nowozin et al. 2016, "f-GAN", algorithm 1).

    Args:
        net: takes a field with the channels of the input and then of the quantities, and gives one of scores.
        task: of the first network. The opponent sees the means, never the variances.
        geometry: of the fields.
        loss: of the scores.
        weight: of the adversarial term, beside the task's loss.
        lr: peak learning rate of the opponent's Adam (first moment 0.5, as Isola et al. 2017, sec. 3.3, have it).
        spread: deviation of each quantity on the scale of the network's output; the opponent sees quantities divided by
            it. None: 1 each.

    Raises:
        ValueError: for a task of counts or probabilities, a weight or rate that is not positive.
    """

    net: nn.Module
    task: Regression
    geometry: Geometry[Any]
    loss: AdversarialLoss = NonSaturating()  # noqa: RUF009 -- it has no state
    weight: float = 0.1
    lr: float = 2e-4
    spread: Sequence[float] | None = None

    def __post_init__(self) -> None:
        if not self.task.family.standardized:
            raise ValueError("an opponent compares real quantities, not counts or probabilities")
        if not (self.weight > 0 and self.lr > 0):
            raise ValueError(f"weight {self.weight} and lr {self.lr} of an opponent must be positive")

    def match(self, field: Any, output: Any, target: Tensor, weight: Tensor | None = None) -> Match:
        """Return the two fields that the opponent compares; unknown quantities are 0 in both.

        Args:
            field, output: input and output of the first network.
            target, weight: see ``Objective.loss``; of weight 0 is what is not known.
        """
        drawn, _ = self.task.family.moments(self.geometry.features(output).float())
        true = self.task.on_scale(target)
        known = ~true.isnan() if weight is None else ~true.isnan() & (weight > 0).unsqueeze(1)
        if self.spread is not None:
            drawn, true = (part / on_axis_1(torch.tensor(self.spread).to(part), part) for part in (drawn, true))
        return Match(*(self._beside(field, torch.where(known, part, 0.0)) for part in (drawn, true)))

    def fool(self, judge: Judge, match: Match) -> Tensor:
        """Return the term that the first network's loss gains, a scalar."""
        return self.weight * self.loss.fool(self._scores(judge, match.drawn))

    def judge(self, judge: Judge, match: Match) -> Tensor:
        """Return the opponent's own loss, a scalar; what is drawn gets no gradient from it."""
        features = self.geometry.features(match.drawn).detach()
        drawn = self.geometry.with_features(match.drawn, features)
        return self.loss.judge(self._scores(judge, match.true), self._scores(judge, drawn))

    def _beside(self, field: Any, quantities: Tensor) -> Any:
        features = self.geometry.features(field)
        return self.geometry.with_features(field, torch.cat([features.to(quantities.dtype), quantities], dim=1))

    def _scores(self, judge: Judge, field: Any) -> Tensor:
        return self.geometry.features(judge(field)).float()
