"""Masked diffusion of classes, such as bases of DNA: sites are hidden, and a network fills them in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from multiunet.core import Geometry
from multiunet.diffusion.noised import NoisedData
from multiunet.training.data import Sample, TrainingData

S = TypeVar("S")
MaskSchedule = Literal["linear", "cosine"]

LEAST = 1e-3
"""Least time at which a network learns: before it hardly a site is masked."""


@dataclass(frozen=True)
class Masking:
    """Process that hides more and more sites, each on its own: none at time 0, all at time 1.

    Sahoo et al. 2024, "Simple and effective masked diffusion language models"; Shi et al. 2024, "Simplified and
    generalized masked diffusion for discrete data".

    Args:
        schedule: of the share that is masked: ``linear``, the time itself, or ``cosine``, ``cos(pi / 2 (1 - t))``,
            which hides and reveals fewer at a time while most are hidden.

    Raises:
        ValueError: for an unknown schedule.
    """

    schedule: MaskSchedule = "linear"

    def __post_init__(self) -> None:
        if self.schedule not in get_args(MaskSchedule):
            raise ValueError(f"schedule {self.schedule!r} is none of {', '.join(get_args(MaskSchedule))}")

    def share(self, t: float) -> float:
        """Return the share of the sites that is masked at a time in [0, 1]."""
        return t if self.schedule == "linear" else math.cos(math.pi / 2 * (1 - t))

    def weight(self, t: float) -> float:
        """Return the weight of the surprise at a time in (0, 1]: the share's slope by the share.

        ``-alpha' / (1 - alpha)`` of the papers (Sahoo et al. 2024, eq. 10; Shi et al. 2024, eq. 5).
        """
        if self.schedule == "linear":
            return 1 / t
        return math.pi / 2 * math.tan(math.pi / 2 * (1 - t))


class MaskedData(NoisedData[S]):
    """Samples of classes with masked sites, for a network that becomes a ``MaskedModel``.

    The loss is ``Unmasking``, or any cross-entropy that ignores -1. The network is given one channel a class and one
    for masked sites (``encode_masked``), behind them the given channels; its target is the class of each masked site,
    and -1 elsewhere. It gives one logit a class.

    Args:
        clean, geometry, drop: see ``NoisedData``; targets are classes, ``(N, *space)`` or ``(nodes,)`` of int64, -1
            where the class is unknown. Such a site is always masked and never asked.
        classes: how many there are.
        masking: the process.

    Raises:
        ValueError: when the share is not in [0, 1), or there are fewer than two classes.
    """

    def __init__(
        self,
        clean: TrainingData[S],
        geometry: Geometry[S],
        classes: int,
        masking: Masking | None = None,
        drop: float = 0.0,
    ) -> None:
        super().__init__(clean, geometry, drop)
        if classes < 2:
            raise ValueError(f"classes {classes} must be at least 2")
        self.classes, self.masking = classes, masking or Masking()

    def spoil(self, sample: Sample[S], u: float, rng: np.random.Generator) -> Sample[S]:
        t, labels = LEAST + (1 - LEAST) * u, sample.target
        known = labels >= 0
        masked = torch.from_numpy(rng.random(tuple(labels.shape)) < self.masking.share(t))
        shown = torch.where(masked, -1, labels)
        weight = self.masking.weight(t) * known.float()
        return Sample(
            encode_masked(self.geometry, sample.field, shown, self.classes),
            torch.where(masked & known, labels, -1),
            weight if sample.weight is None else weight * sample.weight,
            sample.condition,
        )


def encode_masked(geometry: Geometry[Any], field: Any, labels: Tensor, classes: int) -> Any:
    """Return the field that a network of masked data is given: first the classes, one channel each.

    Args:
        field: the given channels on their sites, which come last; it may have none.
        labels: class of each site, ``(N, *space)`` or ``(nodes,)``; -1: masked, the last of ``classes + 1`` channels.

    Raises:
        ValueError: when a class is none of those that there are.
    """
    if labels.numel() and int(labels.max()) >= classes:
        raise ValueError(f"class {int(labels.max())} is none of the {classes} classes 0..{classes - 1}")
    given = geometry.features(field)
    one_hot = functional.one_hot(torch.where(labels < 0, classes, labels), classes + 1).movedim(-1, 1)
    return geometry.with_features(field, torch.cat([one_hot.to(given), given], dim=1))
