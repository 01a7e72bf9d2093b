"""Scores of predicted images against their truth."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.domains.domain import Facts
from multiunet.domains.folds import each_fold, spread
from multiunet.domains.image.copies import content_of
from multiunet.domains.image.inputs import Input, load_input, source_of
from multiunet.domains.image.lazy import Lazy, Pixels, Region, blocks, check_fits, described
from multiunet.domains.image.objects import check_separable, found_objects
from multiunet.domains.image.shelf import Shelf
from multiunet.domains.image.splits import Item, bar_of_truth, from_json
from multiunet.domains.image.truths import IGNORED, load_labels, load_objects, load_target, read_truth
from multiunet.domains.image.unlike import Unlike
from multiunet.errors import InputError
from multiunet.metrics import Calibration, Confusion, Matching, coverage, regression_scores
from multiunet.prediction import GridPredictor, GridSource
from multiunet.tasks import Task

Scores = dict[str, Any]

RANKED = 80
"""Bytes that the scores of one quantity of one pixel take: ranks need all pixels at once."""


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
        self.all = Matching()

    def add(self, name: str, predicted: NDArray[Any], truth: NDArray[Any]) -> None:
        """Counts one image."""
        one = Matching()
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


def _inputs(parts: Sequence[Part], shelf: Shelf) -> Iterator[tuple[str, Input]]:
    return ((item.image, load_input(item.image, part.facts, shelf)) for part in parts for item in part.items)


def _source(item: Item, facts: Facts, shelf: Shelf) -> GridSource:
    return source_of(item.name, item.image, load_input(item.image, facts, shelf))


@dataclass(frozen=True)
class Scored:
    """Scores over all images, of each, and the mean loss.

    Of several parts, the metrics also have the scores of each on its own images (``each_fold``), their mean and
    deviation, and images say by ``fold`` whose they are.
    """

    metrics: Scores
    items: dict[str, Scores]
    loss: float


def score(parts: Sequence[Part], shelf: Shelf, samples: int = 1) -> Scored:
    """Predicts whole images and scores them, those of all parts together."""
    if parts[0].facts.get("instances"):
        return _score_objects(parts, shelf, samples)
    scorer = _score_classes if parts[0].facts["task"] == "segmentation" else _score_quantities
    return scorer(parts, shelf, samples)


def _score_classes(parts: Sequence[Part], shelf: Shelf, samples: int) -> Scored:
    each, losses = [ClassScores(part.facts) for part in parts], []
    for part, scores in zip(parts, each):
        for item in part.items:
            counted, stated, loss = _count_pieces(part, item, shelf, samples)
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


def _count_pieces(part: Part, item: Item, shelf: Shelf, samples: int) -> tuple[Confusion, Calibration, float]:
    """Piece by piece: neither the image nor its prediction need fit into memory. The loss is the pieces' mean."""
    task, truth = part.predictor.task, load_labels(item.truth, part.facts, shelf)
    counted, stated, loss = Confusion(len(part.facts["values"]), IGNORED), Calibration(ignore_index=IGNORED), 0.0
    for region, moments in part.predictor.pieces(_source(item, part.facts, shelf), samples):
        labels, mean = truth[region], moments.mean.cpu()
        decided = task.decide(mean[None])
        assert decided is not None  # it is a segmentation
        counted.update(decided[0].numpy(), labels)
        stated.update(mean.movedim(0, -1), labels)
        loss += _loss(task, mean, torch.from_numpy(labels.astype(np.int64))) * (labels.size / truth.size)
    return counted, stated, loss


def _score_objects(parts: Sequence[Part], shelf: Shelf, samples: int) -> Scored:
    """Whole images: an object may lie in several pieces."""
    each, losses = [ObjectScores() for _ in parts], []
    for image, loaded in _inputs(parts, shelf):
        check_separable(Path(image), loaded.picture.space)
    for part, scores in zip(parts, each):
        for item in part.items:
            mean = part.predictor.whole(_source(item, part.facts, shelf), samples).mean
            classes = torch.from_numpy(load_labels(item.truth, part.facts, shelf)[...].astype(np.int64))
            losses.append(_loss(part.predictor.task, mean, classes))
            found = found_objects(mean.numpy(), part.facts)
            scores.add(item.name, found, load_objects(item.truth, part.facts, shelf))
    return Scored(*_pooled(parts, each), float(np.mean(losses)))


def _loss(task: Task, probabilities: Tensor, truth: Tensor) -> float:
    """The task's loss; logarithms of probabilities are logits that give these probabilities."""
    return float(task.loss(probabilities.clamp_min(1e-12).log()[None], truth[None]))


def _score_quantities(parts: Sequence[Part], shelf: Shelf, samples: int) -> Scored:
    """The loss is the squared error in units of the training targets' variance."""
    each = [QuantityScores() for _ in parts]
    sizes = {image: loaded.picture.space for image, loaded in _inputs(parts, shelf)}
    needed = RANKED * len(parts[0].facts["targets"]) * sum(map(math.prod, sizes.values()))
    largest = max(sizes, key=lambda image: math.prod(sizes[image]))
    what = f"scoring the quantities of {len(sizes)} images, of which this is the largest, {described(sizes[largest])},"
    check_fits(Path(largest), what, needed, "score fewer or smaller images, with --images")
    for part, scores in zip(parts, each):
        for item in part.items:
            found, truth = part.predictor.whole(_source(item, part.facts, shelf), samples), item.truth
            scores.add(item.name, found.mean.numpy(), load_target(truth, part.facts, shelf)[...], found.total.numpy())
    metrics, items = _pooled(parts, each)
    tracks = metrics.get("per_track") or [metrics]
    scales = parts[0].facts["scale"]
    errors = [track["mse"] / scale**2 for track, scale in zip(tracks, scales) if track["mse"] is not None]
    return Scored(metrics, items, float(np.mean(errors)) if errors else float("nan"))


def check_unseen(items: Sequence[Item], runs: Mapping[str, Facts], shelf: Shelf) -> None:
    """Checks that none of these runs, by name, trained on one of the images or a copy of it, or chose its epoch by it.

    Raises:
        InputError: naming the image and the run.
    """
    for run, facts in runs.items():
        splits, contents = from_json(facts["split"]), facts.get("content", {})
        seen = {Path(item.image).resolve(): split for split in ("train", "val") for item in splits[split]}
        for item in items:
            split = seen.get(Path(item.image).resolve())
            same = "is"
            if split is None:
                copied = contents.get(content_of(load_input(item.image, facts, shelf).picture))
                split = None if copied is None else seen.get(Path(copied).resolve())
                same = f"has the same pixels as {copied}, which is"
            if split is not None:
                raise InputError(
                    f"{item.image}: {same} in the {split} split of {run}; leave it out, or score that run alone, with "
                    f"--split {split}"
                )


def facts_elsewhere(items: Sequence[Item], facts: Facts, shelf: Shelf) -> Facts:
    """The facts with how the truths of other images are cropped: as the images, which are read as those of training.

    Raises:
        InputError: for what cannot be read or scored.
    """
    bars: dict[str, int] = {}
    unlike = Unlike(facts)
    for item in items:
        loaded = load_input(item.image, facts, shelf)
        unlike.add(item.image, loaded.picture)
        truth = read_truth(item.truth, facts, checked=True)  # for its size; what it holds is checked below
        bars[item.truth] = bar_of_truth(item, loaded.picture.space, loaded.bar, truth.shape[-facts["ndim"] :])
    facts = {**facts, "truth_bars": {**facts.get("truth_bars", {}), **bars}}
    for item in items:
        _read_through(item.truth, facts, shelf)
    unlike.tell()
    return facts


def _read_through(path: str, facts: Facts, shelf: Shelf) -> None:
    """Refuses a truth that cannot be scored, before the first image is predicted."""
    if facts["task"] == "segmentation":
        truth = load_labels(path, facts, shelf, checked=False)
    else:
        truth = load_target(path, facts, shelf)
    if isinstance(truth, Lazy):  # its values are looked at when they are read
        for region in blocks(truth):
            truth.read(region)


Pieces = Iterator[tuple[Region, NDArray[Any]]]
"""Regions that partition an image, and what is guessed there: classes or objects ``region``, quantities
``(K, *region)``. Objects and quantities come in one piece."""

Baseline = Callable[[Input], Pieces]


def score_baseline(parts: Sequence[tuple[Baseline, Sequence[Item], Facts]], shelf: Shelf) -> Scores:
    """Scores of a method that learns nothing but a number or two, fitted for each part.

    Of several parts also their mean and deviation.
    """
    each = [_scorer(facts) for _, _, facts in parts]
    for (baseline, items, known), scores in zip(parts, each):
        for item in items:
            pieces, truth = baseline(load_input(item.image, known, shelf)), _truth(item, known, shelf)
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


def _truth(item: Item, facts: Facts, shelf: Shelf) -> Pixels:
    if facts.get("instances"):
        return load_objects(item.truth, facts, shelf)
    load = load_labels if facts["task"] == "segmentation" else load_target
    return load(item.truth, facts, shelf)
