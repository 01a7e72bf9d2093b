"""Scores of predicted images against their truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.domains.domain import Facts
from multiunet.domains.folds import each_fold, spread
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.inputs import Input, load_input, make_source
from multiunet.domains.image.data.targets import IGNORED, load_labels, load_objects, load_target
from multiunet.domains.image.evaluation.scores import ClassScores, ImageScores, ObjectScores, QuantityScores, Scores
from multiunet.domains.image.files.lazy import Pixels, Region, check_fits, format_shape
from multiunet.domains.image.files.pairing import Item
from multiunet.domains.image.prediction.separate import check_separable, find_objects
from multiunet.metrics import Calibration, Confusion
from multiunet.prediction import GridPredictor, GridSource
from multiunet.tasks import Task

RANKED = 80
"""Bytes that the scores of one quantity of one pixel take: ranks need all pixels at once."""


@dataclass(frozen=True)
class Part:
    """Images, and the model that is to predict them, with the facts of its run.

    Attributes:
        name: of the run, where there are several, as ``fold-0``.
    """

    predictor: GridPredictor
    items: Sequence[Item]
    facts: Facts
    name: str = ""


def _inputs(parts: Sequence[Part], cache: FileCache) -> Iterator[tuple[str, Input]]:
    return ((item.image, load_input(item.image, part.facts, cache)) for part in parts for item in part.items)


def _source(item: Item, facts: Facts, cache: FileCache) -> GridSource:
    return make_source(item.name, item.image, load_input(item.image, facts, cache))


@dataclass(frozen=True)
class Scored:
    """Scores over all images, of each, and the mean loss.

    Of several parts, the metrics also have the scores of each on its own images (``each_fold``), their mean and
    deviation, and images say by ``fold`` whose they are.
    """

    metrics: Scores
    items: dict[str, Scores]
    loss: float


def score(parts: Sequence[Part], cache: FileCache, samples: int = 1) -> Scored:
    """Predicts whole images and scores them, those of all parts together."""
    if parts[0].facts.get("instances"):
        return _score_objects(parts, cache, samples)
    scorer = _score_classes if parts[0].facts["task"] == "segmentation" else _score_quantities
    return scorer(parts, cache, samples)


def _score_classes(parts: Sequence[Part], cache: FileCache, samples: int) -> Scored:
    each, losses = [ClassScores(part.facts) for part in parts], []
    for part, scores in zip(parts, each):
        for item in part.items:
            counted, stated, loss = _count_pieces(part, item, cache, samples)
            scores.count(item.name, counted, stated)
            losses.append(loss)
    return Scored(*_pooled(parts, each), float(np.mean(losses)))


def _pooled(parts: Sequence[Part], each: Sequence[ImageScores]) -> tuple[Scores, dict[str, Scores]]:
    """Scores over the images of all parts together, and of each image; of several parts see ``Scored``."""
    if len(parts) == 1:
        return each[0].scores(), each[0].items
    items: dict[str, Scores] = {}
    for part, own in zip(parts, each):
        for name, scores in own.items.items():
            # several folds may validate on one image
            items[name if name not in items else f"{name}, {part.name}"] = {"fold": part.name, **scores}
    metrics, by_fold = _together(each)
    return metrics | {"each_fold": each_fold(by_fold)}, items


def _together(each: Sequence[ImageScores]) -> tuple[Scores, list[Scores]]:
    """Scores over the images of all folds, which go into the first; of several with their mean and deviation. And those
    of each fold."""
    by_fold = [own.scores() for own in each]
    if len(each) == 1:
        return by_fold[0], by_fold
    whole, *others = each
    for own in others:
        whole.take(own)
    return whole.scores() | spread(by_fold), by_fold


def _count_pieces(part: Part, item: Item, cache: FileCache, samples: int) -> tuple[Confusion, Calibration, float]:
    """Piece by piece: neither the image nor its prediction need fit into memory. The loss is the pieces' mean."""
    task, truth = part.predictor.task, load_labels(item.target, part.facts, cache)
    counted, stated, loss = Confusion(len(part.facts["values"]), IGNORED), Calibration(ignore_index=IGNORED), 0.0
    for region, moments in part.predictor.pieces(_source(item, part.facts, cache), samples):
        labels, mean = truth[region], moments.mean.cpu()
        decided = task.decide(mean[None])
        assert decided is not None  # it is a segmentation
        counted.update(decided[0].numpy(), labels)
        stated.update(mean.movedim(0, -1), labels)
        loss += _loss(task, mean, torch.from_numpy(labels.astype(np.int64))) * (labels.size / truth.size)
    return counted, stated, loss


def _score_objects(parts: Sequence[Part], cache: FileCache, samples: int) -> Scored:
    """Whole images: an object may lie in several pieces."""
    each, losses = [ObjectScores() for _ in parts], []
    for image, loaded in _inputs(parts, cache):
        check_separable(Path(image), loaded.picture.space)
    for part, scores in zip(parts, each):
        for item in part.items:
            mean = part.predictor.whole(_source(item, part.facts, cache), samples).mean
            classes = torch.from_numpy(load_labels(item.target, part.facts, cache)[...].astype(np.int64))
            losses.append(_loss(part.predictor.task, mean, classes))
            found = find_objects(mean.numpy(), part.facts)
            scores.add(item.name, found, load_objects(item.target, part.facts, cache))
    return Scored(*_pooled(parts, each), float(np.mean(losses)))


def _loss(task: Task, probabilities: Tensor, truth: Tensor) -> float:
    """The task's loss; logarithms of probabilities are logits that give these probabilities."""
    return float(task.loss(probabilities.clamp_min(1e-12).log()[None], truth[None]))


def _score_quantities(parts: Sequence[Part], cache: FileCache, samples: int) -> Scored:
    """The loss is the squared error in units of the training targets' variance."""
    each = [QuantityScores() for _ in parts]
    sizes = {image: loaded.picture.space for image, loaded in _inputs(parts, cache)}
    needed = RANKED * len(parts[0].facts["targets"]) * sum(map(math.prod, sizes.values()))
    largest = max(sizes, key=lambda image: math.prod(sizes[image]))
    what = (
        f"scoring the quantities of {len(sizes)} images, of which this is the largest, {format_shape(sizes[largest])},"
    )
    check_fits(Path(largest), what, needed, "score fewer or smaller images, with --images")
    for part, scores in zip(parts, each):
        for item in part.items:
            found, truth = part.predictor.whole(_source(item, part.facts, cache), samples), item.target
            scores.add(item.name, found.mean.numpy(), load_target(truth, part.facts, cache)[...], found.total.numpy())
    metrics, items = _pooled(parts, each)
    tracks = metrics.get("per_track") or [metrics]
    scales = parts[0].facts["scale"]
    errors = [track["mse"] / scale**2 for track, scale in zip(tracks, scales) if track["mse"] is not None]
    return Scored(metrics, items, float(np.mean(errors)) if errors else float("nan"))


Pieces = Iterator[tuple[Region, NDArray[Any]]]
"""Regions that partition an image, and what is guessed there: classes or objects ``region``, quantities
``(K, *region)``. Objects and quantities come in one piece."""

Baseline = Callable[[Input], Pieces]


def score_baseline(parts: Sequence[tuple[Baseline, Sequence[Item], Facts]], cache: FileCache) -> Scores:
    """Scores of a method that learns nothing but a number or two, fitted for each part.

    Of several parts also their mean and deviation.
    """
    each = [_scorer(facts) for _, _, facts in parts]
    for (baseline, items, known), scores in zip(parts, each):
        for item in items:
            pieces, truth = baseline(load_input(item.image, known, cache)), _truth(item, known, cache)
            if isinstance(scores, ClassScores):
                counted = Confusion(scores.classes, IGNORED)
                for region, guess in pieces:
                    counted.update(guess, truth[region])
                scores.count(item.name, counted)
            else:
                [(_, guess)] = pieces
                scores.add(item.name, guess, truth[...])
    return _together(each)[0]


def _scorer(facts: Facts) -> ObjectScores | ClassScores | QuantityScores:
    if facts.get("instances"):
        return ObjectScores()
    return ClassScores(facts) if facts["task"] == "segmentation" else QuantityScores()


def _truth(item: Item, facts: Facts, cache: FileCache) -> Pixels:
    if facts.get("instances"):
        return load_objects(item.target, facts, cache)
    load = load_labels if facts["task"] == "segmentation" else load_target
    return load(item.target, facts, cache)
