"""Accumulating scores of images: classes, objects, quantities."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from multiunet.domains.domain import Facts
from multiunet.domains.image.data.targets import IGNORED
from multiunet.metrics import Calibration, Confusion, InstanceMatcher, coverage, regression_scores

Scores = dict[str, Any]


class ImageScores(ABC):
    """Scores over all images that were counted, and of each.

    Attributes:
        items: of each image, by its name.
    """

    def __init__(self) -> None:
        self.items: dict[str, Scores] = {}

    @abstractmethod
    def take(self, other: Self) -> None:
        """Counts all images of another, of the same classes or quantities."""

    @abstractmethod
    def scores(self) -> Scores:
        """Of all images."""


class ClassScores(ImageScores):
    """Scores of class maps, and of probabilities where they are known, over all images and of each."""

    def __init__(self, facts: Facts) -> None:
        super().__init__()
        self.classes = len(facts["values"])
        self.names = list(facts["classes"])
        self.all = Confusion(self.classes, IGNORED)
        self.stated: Calibration | None = None

    def count(self, name: str, counted: Confusion, stated: Calibration | None = None) -> None:
        """Counts one image, all of whose parts are in ``counted`` and ``stated``."""
        one = Confusion(self.classes, IGNORED)
        one.add(counted)
        self.all.add(counted)
        self.items[name] = dict(one.scores())
        if stated is not None:
            self.items[name] |= stated.scores()
        self._state(stated)

    def take(self, other: Self) -> None:
        self.all.items += other.all.items  # image by image, as some scores are means over images
        self._state(other.stated)
        self.items |= other.items

    def _state(self, stated: Calibration | None) -> None:
        if stated is not None:
            self.stated = self.stated or Calibration(ignore_index=IGNORED)
            self.stated.add(stated)

    def scores(self) -> Scores:
        """Of all images, with the classes' names beside the lists by class, and the pixels of each true class (rows) by
        predicted class."""
        calibration: Scores = {} if self.stated is None else dict(self.stated.scores())
        confusion = self.all.matrix.tolist()
        return {**self.all.scores(), **calibration, "confusion": confusion, "classes": self.names}


class ObjectScores(ImageScores):
    """Scores of objects, over all images and of each."""

    def __init__(self) -> None:
        super().__init__()
        self.all = InstanceMatcher()

    def add(self, name: str, predicted: NDArray[Any], truth: NDArray[Any]) -> None:
        """Counts one image."""
        one = InstanceMatcher()
        one.update(predicted, truth)
        self.all.add(one)
        self.items[name] = dict(one.scores())

    def take(self, other: Self) -> None:
        self.all.add(other.all)
        self.items |= other.items

    def scores(self) -> Scores:
        return dict(self.all.scores())


class QuantityScores(ImageScores):
    """Scores of quantities: over the known pixels of all images together, and of each."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[list[NDArray[np.float32]]] = []

    def add(
        self,
        name: str,
        predicted: NDArray[np.float32],
        truth: NDArray[np.float32],
        variance: NDArray[np.float32] | None = None,
    ) -> None:
        """Counts one image, everything ``(K, *space)``; the predicted variance where it is known."""
        given = (predicted, truth) if variance is None else (predicted, truth, variance)
        flat = [values.reshape(len(values), -1) for values in given]
        known = ~np.isnan(flat[1]).all(axis=0)
        self.parts.append([values[:, known] for values in flat])
        self.items[name] = _quantities(*flat)

    def take(self, other: Self) -> None:
        self.parts += other.parts
        self.items |= other.items

    def scores(self) -> Scores:
        return _quantities(*(np.concatenate(values, axis=1) for values in zip(*self.parts)))


def _quantities(
    predicted: NDArray[np.float32], truth: NDArray[np.float32], variance: NDArray[np.float32] | None = None
) -> Scores:
    scores: Scores = dict(regression_scores(predicted, truth))
    if variance is not None:
        shares = [coverage(*channel) for channel in zip(predicted, variance, truth)]
        defined = [share for share in shares if share is not None]
        scores["coverage_95"] = float(np.mean(defined)) if defined else None
    return scores
