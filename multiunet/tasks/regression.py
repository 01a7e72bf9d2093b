"""Regression: the size of each quantity at each site."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from multiunet.losses.sites import at_least_float32, on_axis_1
from multiunet.tasks.families import FAMILIES, Location, RegressionLoss
from multiunet.tasks.quantity_scores import RegressionScore
from multiunet.tasks.score import Score
from multiunet.tasks.soft_clip import SoftClips
from multiunet.tasks.task import Task, rows_of
from multiunet.uncertainty import Calibration, Moments
from multiunet.uncertainty.fitting import fit_quantities
from multiunet.uncertainty.held_out import HeldOut


class Regression(Task):
    """Real quantities of sites; NaN in a target means not measured.

    Args:
        names: of the quantities.
        loss: ``beta-nll`` (Seitzer et al. 2022, beta = 0.5) and ``gaussian-nll`` learn a variance for each site;
            ``mse``, ``mae`` and ``huber`` do not and take ``noise``; ``poisson`` and ``poisson-multinomial`` state
            their mean as their variance, ``negative-binomial`` learns a larger one; ``bce`` and ``focal``, for targets
            in [0, 1], state that of a probability p, ``p (1 - p)``.
        centre, scale: of each target over the training split. The network works on ``(target - centre) / scale``;
            the prediction is in the target's own units, its variances in those units squared. Not used by losses of
            counts and probabilities.
        noise: variance of the residuals of each target (target's units squared), the aleatoric part where the loss
            learns none.
        clips: what makes extreme targets smaller before they are learnt, and predictions large again; None: nothing.
        monitor: the score that chooses the best epoch, one of those of ``RegressionScore``, or of ``extend_score``. R2
            also judges shift and scale, which a correlation forgives.
        lowest: least value that a quantity can have, at which intervals end; None: any, but 0 of counts.
        extend_score: makes a score that adds others to those of the sites.

    Raises:
        ValueError: for an unknown loss, lists that do not fit the names, or a scale that is not positive.
    """

    kind = "regression"

    def __init__(
        self,
        names: Sequence[str],
        loss: RegressionLoss = "beta-nll",
        centre: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        noise: Sequence[float] | None = None,
        clips: SoftClips | None = None,
        monitor: str = "r2",
        lowest: float | None = None,
        extend_score: Callable[[RegressionScore], Score] | None = None,
    ) -> None:
        count = len(names)
        if loss not in FAMILIES:
            raise ValueError(f"loss {loss!r} is none of {', '.join(FAMILIES)}")
        for label, values in (("centre", centre), ("scale", scale), ("noise", noise)):
            if values is not None and len(values) != count:
                raise ValueError(f"{label} has {len(values)} entries for {count} quantities")
        if scale is not None and not all(0 < value < math.inf for value in scale):
            raise ValueError(f"scale {list(scale)}: positive numbers are needed; a target that is constant has none")
        self.names = tuple(names)
        self.monitor = monitor
        self._extend_score = extend_score
        self.family = FAMILIES[loss]()
        self.lowest = self.family.lowest if lowest is None else lowest
        self.highest = self.family.highest
        self.channels = self.family.parameters * count
        self.clips = clips
        self.centre = torch.tensor([0.0] * count if centre is None else list(centre))
        self.scale = torch.tensor([1.0] * count if scale is None else list(scale))
        self.noise = torch.tensor([0.0] * count if noise is None else list(noise))

    def loss(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        value: Tensor = self.family.criterion(output, self.on_scale(target), weight)
        return value

    def on_scale(self, target: Tensor) -> Tensor:
        """Return targets as the loss compares them with outputs."""
        if self.clips is not None:
            target = self.clips.squash(target)
        if self.family.standardized:
            target = at_least_float32(target)  # else centre and scale would be cut to integers, or to half precision
            target = (target - on_axis_1(self.centre.to(target), target)) / on_axis_1(self.scale.to(target), target)
        return target

    def distribution(self, output: Tensor) -> tuple[Tensor, Tensor]:
        mean, variance = self.family.moments(output.float())
        if self.family.standardized:
            scale = on_axis_1(self.scale.to(mean), mean)
            mean = mean * scale + on_axis_1(self.centre.to(mean), mean)
            variance = None if variance is None else variance * scale**2
        if self.clips is not None:
            mean, variance = self.clips.stretch(mean, variance)
        return mean, on_axis_1(self.noise.to(mean), mean).expand_as(mean) if variance is None else variance

    def learn_from_scores(self, scores: Mapping[str, Any]) -> None:
        """Takes the mean squared residual of validation as the noise, where the loss learns no variance.

        A quantity that validation did not measure keeps the noise that it has.
        """
        if not isinstance(self.family, Location):
            return
        tracks = scores.get("per_track") or [scores] * len(self.names)
        found = zip(tracks, self.noise.tolist())
        self.noise = torch.tensor([old if track.get("mse") is None else track["mse"] for track, old in found])

    def score(self, calibration: Calibration | None = None) -> Score:
        score = RegressionScore(self.names, calibration)
        return score if self._extend_score is None else self._extend_score(score)

    def known_sites(self, moments: Moments[Tensor], target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        truth = rows_of(target)
        known = ~truth.isnan().all(dim=1)
        return rows_of(moments.mean)[known], rows_of(moments.total)[known], truth[known]

    def fit_calibration(self, held_out: HeldOut) -> Calibration:
        return fit_quantities(held_out)

    def decide(self, mean: Tensor, calibration: Calibration | None = None) -> None:
        return None
