"""Scores of objects that have classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.domains.image.data.object_classes import IGNORED
from multiunet.domains.image.evaluation.labelled import LabelledImage
from multiunet.domains.image.evaluation.scores import InstanceScore
from multiunet.domains.labelled import Piece
from multiunet.metrics import PanopticMatcher
from multiunet.tasks.score import Score, Scores
from multiunet.uncertainty import Calibration, Moments


class ClassifiedScore(Score):
    """Scores of objects as ``InstanceScore`` has them, and of their classes.

    Predictions are numbered objects, the class of each pixel's object, and maybe what ranks it, ``(1, 2, *space)`` or
    ``(1, 3, *space)``; targets are true objects and their classes, ``(1, 2, *space)``. Classes count from 0; -1 stands
    outside, and for a true object without one.

    Args:
        classes: names of the objects' classes.
    """

    monitor = "mean_pq"

    def __init__(
        self,
        classes: Sequence[str],
        names: Sequence[str],
        ignore_index: int,
        calibration: Calibration | None = None,
    ) -> None:
        self.classes = list(classes)
        self._objects = InstanceScore(names, ignore_index, calibration)
        self._matcher = PanopticMatcher(len(classes))

    def add(self, predicted: Tensor, target: Tensor, moments: Moments[Tensor] | None = None) -> None:
        self._objects.add(torch.cat([predicted[:, :1], predicted[:, 2:]], dim=1), target[:, 0], moments)
        found, true = (part[0, 0].long().numpy() for part in (predicted, target))
        classes = (look_up(part[0, 0].long().numpy(), part[0, 1].long().numpy()) for part in (predicted, target))
        self._matcher.update(found, true, *classes)

    def merge(self, other: Self) -> None:
        self._objects.merge(other._objects)
        self._matcher.add(other._matcher)

    def result(self) -> Scores:
        """Return the scores; ``confusion`` has found objects of true class (rows) by predicted class."""
        told = {"confusion": self._matcher.confusion.tolist(), "classes": self.classes}
        return {**self._objects.result(), **self._matcher.scores(), **told}


@dataclass
class ScoreObjectClasses:
    """Maker of ``ClassifiedScore`` for objects of these classes, as a task calls it."""

    classes: Sequence[str]
    monitor: str = ClassifiedScore.monitor

    def __call__(
        self, names: Sequence[str], ignore_index: int, calibration: Calibration | None = None
    ) -> ClassifiedScore:
        return ClassifiedScore(self.classes, names, ignore_index, calibration)


def look_up(objects: NDArray[np.integer], classes: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the class of each object, at the place of its number, given those of the pixels."""
    of = np.full(int(objects.max(initial=0)) + 1, IGNORED, np.int64)
    inside = objects > 0
    of[objects[inside]] = classes[inside]
    return of


def pair_objects(image: LabelledImage, found: NDArray[np.int32], of: NDArray[np.int64] | None = None) -> Piece:
    """Return the piece of an image's objects for ``InstanceScore``, with classes for ``ClassifiedScore``.

    Args:
        found: predicted objects, numbered from 1, 0 outside, ``space``.
        of: class of each; None where objects have none.
    """
    target, classes = image.target()[...], image.info.numbered.classes
    if of is None or classes is None:
        return Piece(torch.from_numpy(found)[None, None], torch.from_numpy(target)[None], item=image.item.name)
    pairs = (found, of), (target, np.array(classes.of[image.item.target], np.int64))
    predicted, true = (torch.from_numpy(np.stack([numbers, spread_classes(numbers, own)])) for numbers, own in pairs)
    return Piece(predicted[None], true[None], item=image.item.name)


def count_objects(part: NDArray[np.integer], kinds: int) -> tuple[int, ...]:
    """Count objects, all and then those of each class.

    Args:
        part: objects and their classes, ``(2, *space)``; of such without, objects ``space`` or ``(1, *space)``.
        kinds: classes, 1 where they have none.
    """
    if kinds == 1:
        return (len(np.unique(part[part > 0])),)
    of = look_up(part[0], part[1])
    numbers = np.unique(part[0][part[0] > 0])
    own = of[numbers]
    return (len(numbers), *np.bincount(own[own >= 0], minlength=kinds).tolist())


def spread_classes(objects: NDArray[np.integer], of: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the class of each pixel's object, -1 outside.

    Args:
        objects: numbered from 1, 0 or less outside, ``space``.
        of: class of each object, of number 1 first.
    """
    spread: NDArray[np.int64] = np.concatenate([[IGNORED], of])[np.maximum(objects, 0)]
    return spread
