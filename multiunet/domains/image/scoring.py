"""Scores of predicted images against their truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.domains.domain import Facts
from multiunet.domains.image.inputs import (
    IGNORED,
    Shelf,
    load_input,
    load_labels,
    load_objects,
    load_target,
    source_of,
)
from multiunet.domains.image.objects import separated
from multiunet.domains.image.splits import Item
from multiunet.metrics import Confusion, Matching, regression_scores
from multiunet.prediction import GridPredictor
from multiunet.tasks import Task
from multiunet.uncertainty import Moments

Scores = dict[str, Any]


class ClassScores:
    """Scores of class maps, over all images and of each."""

    def __init__(self, facts: Facts) -> None:
        self.classes = len(facts["values"])
        self.names = list(facts["classes"])
        self.all = Confusion(self.classes, IGNORED)
        self.items: dict[str, Scores] = {}

    def add(self, name: str, predicted: NDArray[Any], truth: NDArray[Any]) -> None:
        """Counts one image."""
        self.all.update(predicted, truth)
        one = Confusion(self.classes, IGNORED)
        one.update(predicted, truth)
        self.items[name] = dict(one.scores())

    def scores(self) -> Scores:
        """Of all images, with the classes' mask values beside the lists by class."""
        return {**self.all.scores(), "classes": self.names}


class ObjectScores:
    """Scores of objects, over all images and of each."""

    def __init__(self) -> None:
        self.all = Matching()
        self.items: dict[str, Scores] = {}

    def add(self, name: str, predicted: NDArray[Any], truth: NDArray[Any]) -> None:
        """Counts one image."""
        self.all.update(predicted, truth)
        one = Matching()
        one.update(predicted, truth)
        self.items[name] = dict(one.scores())

    def scores(self) -> Scores:
        """Of all images."""
        return dict(self.all.scores())


class QuantityScores:
    """Scores of quantities: over the known pixels of all images together, and of each."""

    def __init__(self) -> None:
        self.predicted: list[NDArray[np.float32]] = []
        self.truth: list[NDArray[np.float32]] = []
        self.items: dict[str, Scores] = {}

    def add(self, name: str, predicted: NDArray[np.float32], truth: NDArray[np.float32]) -> None:
        """Counts one image ``(K, *space)``."""
        flat = predicted.reshape(len(predicted), -1), truth.reshape(len(truth), -1)
        known = ~np.isnan(flat[1]).all(axis=0)
        self.predicted.append(flat[0][:, known])
        self.truth.append(flat[1][:, known])
        self.items[name] = _quantities(*flat)

    def scores(self) -> Scores:
        """Of all images."""
        return _quantities(np.concatenate(self.predicted, axis=1), np.concatenate(self.truth, axis=1))


def _quantities(predicted: NDArray[np.float32], truth: NDArray[np.float32]) -> Scores:
    return dict(regression_scores(predicted, truth))


@dataclass(frozen=True)
class Part:
    """Images, and the model that is to predict them, with the facts of its run."""

    predictor: GridPredictor
    items: Sequence[Item]
    facts: Facts


def predictions(parts: Sequence[Part], shelf: Shelf) -> Iterator[tuple[Part, Item, Moments[Tensor]]]:
    """Each item with the moments of its prediction, ``(names, *space)``."""
    for part in parts:
        for item in part.items:
            source = source_of(item.name, item.image, load_input(item.image, part.facts, shelf))
            yield part, item, part.predictor.whole(source)


@dataclass(frozen=True)
class Scored:
    """Scores over all images, of each, and the mean loss."""

    metrics: Scores
    items: dict[str, Scores]
    loss: float


def score(parts: Sequence[Part], shelf: Shelf) -> Scored:
    """Predicts whole images and scores them, those of all parts together."""
    if parts[0].facts.get("instances"):
        return _score_objects(parts, shelf)
    scorer = _score_classes if parts[0].facts["task"] == "segmentation" else _score_quantities
    return scorer(parts, shelf)


def _score_classes(parts: Sequence[Part], shelf: Shelf) -> Scored:
    scores, losses = ClassScores(parts[0].facts), []
    for part, item, moments in predictions(parts, shelf):
        truth = load_labels(item.truth, part.facts, shelf)
        decided = part.predictor.task.decide(moments.mean[None])
        assert decided is not None  # it is a segmentation
        scores.add(item.name, decided[0].numpy(), truth)
        losses.append(_loss(part.predictor.task, moments.mean, torch.from_numpy(truth.astype(np.int64))))
    return Scored(scores.scores(), scores.items, float(np.mean(losses)))


def _score_objects(parts: Sequence[Part], shelf: Shelf) -> Scored:
    scores, losses = ObjectScores(), []
    for part, item, moments in predictions(parts, shelf):
        truth = load_labels(item.truth, part.facts, shelf)
        losses.append(_loss(part.predictor.task, moments.mean, torch.from_numpy(truth.astype(np.int64))))
        objects = separated(moments.mean.numpy(), part.facts["spacing"])
        scores.add(item.name, objects, load_objects(item.truth, part.facts, shelf))
    return Scored(scores.scores(), scores.items, float(np.mean(losses)))


def _loss(task: Task, probabilities: Tensor, truth: Tensor) -> float:
    """The task's loss; logarithms of probabilities are logits that give these probabilities."""
    return float(task.loss(probabilities.clamp_min(1e-12).log()[None], truth[None]))


def _score_quantities(parts: Sequence[Part], shelf: Shelf) -> Scored:
    """The loss is the squared error in units of the training targets' variance."""
    scores = QuantityScores()
    for _, item, moments in predictions(parts, shelf):
        scores.add(item.name, moments.mean.numpy(), load_target(item.truth, shelf))
    metrics = scores.scores()
    tracks = metrics.get("per_track") or [metrics]
    scales = parts[0].facts["scale"]
    errors = [track["mse"] / scale**2 for track, scale in zip(tracks, scales) if track["mse"] is not None]
    return Scored(metrics, scores.items, float(np.mean(errors)) if errors else float("nan"))


Baseline = Callable[[NDArray[np.float32]], NDArray[Any]]
"""A standardised image ``(C, *space)`` to its classes or objects ``space`` or its quantities ``(K, *space)``."""


def score_baseline(parts: Sequence[tuple[Baseline, Sequence[Item], Facts]], shelf: Shelf) -> Scores:
    """Scores of a method that learns nothing but a number or two, fitted for each part."""
    facts = parts[0][2]
    scores = _scorer(facts)
    for baseline, items, known in parts:
        for item in items:
            loaded = load_input(item.image, known, shelf)
            guess = baseline(loaded.standardised(loaded.picture.pixels))
            scores.add(item.name, guess, _truth(item, known, shelf))
    return scores.scores()


def _scorer(facts: Facts) -> ObjectScores | ClassScores | QuantityScores:
    if facts.get("instances"):
        return ObjectScores()
    return ClassScores(facts) if facts["task"] == "segmentation" else QuantityScores()


def _truth(item: Item, facts: Facts, shelf: Shelf) -> NDArray[Any]:
    if facts.get("instances"):
        return load_objects(item.truth, facts, shelf)
    return load_labels(item.truth, facts, shelf) if facts["task"] == "segmentation" else load_target(item.truth, shelf)
