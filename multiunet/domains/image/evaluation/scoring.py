"""Predictions of labelled images, piece by piece, for the scores of a task and its validation loss."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.domains.image.data.inputs import make_source
from multiunet.domains.image.evaluation.classified import count_objects, pair_objects
from multiunet.domains.image.evaluation.labelled import LabelledImage
from multiunet.domains.image.evaluation.scores import TEXTURES, CountScore, PictureScore
from multiunet.domains.image.files.lazy import Pixels, Region, check_fits, format_shape
from multiunet.domains.image.files.overlapping import unpack
from multiunet.domains.image.prediction.confidence import find_confidence, rank_objects
from multiunet.domains.image.prediction.object_classes import decide_objects
from multiunet.domains.image.prediction.separate import check_separable, encode_parts, find_objects
from multiunet.domains.image.prediction.stored_objects import AT_ONCE
from multiunet.domains.labelled import Piece
from multiunet.errors import InputError
from multiunet.prediction import GridPredictor, GridSource
from multiunet.prediction.field import count_samples
from multiunet.prediction.run import Tiles
from multiunet.progress import SILENT, Progress
from multiunet.tasks import RegressionScore, Task
from multiunet.uncertainty import Moments

RANKED = 170
"""Bytes that the scores of a restored picture take for one quantity of one pixel."""


def check_scorable(images: Sequence[LabelledImage], samples: int = 1) -> None:
    """Check that memory suffices to score images; objects and restored pictures need them whole.

    Args:
        samples: whose maps are kept to find objects again.

    Raises:
        InputError: naming the largest image.
    """
    info = images[0].info
    if info.instances is not None:
        for image in images:
            check_separable(Path(image.item.image), image.load().picture.space, samples)
    if info.restoration is not None:  # pictures are judged whole
        sizes = {image.item.image: image.load().picture.space for image in images}
        needed = RANKED * len(info.quantities.names) * max(map(math.prod, sizes.values()))
        largest = max(sizes, key=lambda path: math.prod(sizes[path]))
        shown = format_shape(sizes[largest])
        what = f"scoring {len(sizes)} restored images, of which this is the largest, {shown},"
        check_fits(Path(largest), what, needed, "score smaller images, with `images`")


def predict_pieces(
    predictor: GridPredictor,
    images: Sequence[LabelledImage],
    samples: int = 1,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Iterator[Piece]:
    """Predict images in turn, in pieces where these suffice.

    Of classes, neither an image nor its prediction need fit into memory.

    Pieces have probabilities and classes, quantities, or, of instances, numbered objects (see ``InstanceScore``).
    """
    for place, image in enumerate(images):
        progress.start_input(image.item.name, place, len(images))
        watch = progress.update_tiles
        if image.info.instances is not None:
            yield _predict_objects(predictor, image, samples, seed, watch)
        else:
            yield from predict_sites(predictor, [image], samples, seed, watch)


def predict_sites(
    predictor: GridPredictor,
    images: Iterable[LabelledImage],
    samples: int = 1,
    seed: int = 0,
    watch: Tiles | None = None,
) -> Iterator[Piece]:
    """Predict classes or quantities of pixels; of instances the classes that encode them, and counts.

    Objects of an image that is too large to separate them are not counted.
    """
    for image in images:
        if image.info.instances is not None and _is_separable(image):
            yield _count_objects(image, predictor.whole(_source(image), samples, seed, watch))
        elif image.info.regression and (image.info.restoration is not None or _is_small(image)):
            found, target = predictor.whole(_source(image), samples, seed, watch), torch.from_numpy(image.target()[...])
            yield _piece(found, target, image)
        else:
            labels = image.target() if image.info.regression else image.labels()
            channels = (slice(None),) * image.info.regression
            for region, found in predictor.pieces(_source(image), samples, seed, watch):
                target = _read_target(image, labels, (*channels, *region))
                yield replace(_piece(found, target, image), region=region)


def validate(predictor: GridPredictor, images: Sequence[LabelledImage]) -> Mapping[str, Any]:
    """Return the scores of one pass over images, with their mean ``loss``.

    The loss is the task's own, of probabilities turned back into logits, and the mean over the pieces of an image; of
    quantities it is the squared error in units of the training targets' variance.
    """
    task, info = predictor.task, images[0].info
    check_scorable(images)
    total, losses = task.score(), []
    for image in images:
        one, loss = task.score(), 0.0
        for piece, share in _with_loss(predictor, image):
            one.add(piece.predicted, piece.target)
            loss += share
        losses.append(loss)
        total.merge(one)
    if isinstance(total, RegressionScore | CountScore | PictureScore):
        mean_loss = total.relative_error(info.quantities.scale)
    else:
        mean_loss = float(np.mean(losses))
    # a table of numbers an epoch is for evaluate, not for a log
    tables = {"confusion", *TEXTURES}
    return {"loss": mean_loss, **{name: score for name, score in total.result().items() if name not in tables}}


def _with_loss(predictor: GridPredictor, image: LabelledImage) -> Iterator[tuple[Piece, float]]:
    """Yield the pieces of an image, each with its part of the image's loss."""
    if image.info.regression:
        yield from ((piece, 0.0) for piece in predict_pieces(predictor, [image]))
    elif image.info.instances is not None:
        mean = predictor.whole(_source(image)).mean
        classes = torch.from_numpy(image.labels()[...])
        yield _separate(image, mean), _loss(predictor.task, mean, classes)
    else:
        size = image.labels().size
        for piece in predict_pieces(predictor, [image]):
            share = math.prod(piece.target.shape[-image.info.ndim :]) / size
            yield piece, _loss(predictor.task, piece.predicted[0], piece.target[0]) * share


def _piece(found: Moments[Tensor], target: Tensor, image: LabelledImage) -> Piece:
    moments = found.map(lambda part: part.cpu()[None])
    return Piece(moments.mean, target[None], moments, image.item.name)


def _source(image: LabelledImage) -> GridSource:
    return make_source(image.item.name, image.item.image, image.load())


def _read_target(image: LabelledImage, labels: Pixels, region: Region) -> Tensor:
    """Return the classes of a region, ``region``; of classes that may overlap yes and no, ``(K, *region)``."""
    block = np.ascontiguousarray(labels[region])
    return torch.from_numpy(block if image.info.overlapping is None else unpack(block, len(image.info.values)))


def _predict_objects(predictor: GridPredictor, image: LabelledImage, samples: int, seed: int, progress: Tiles) -> Piece:
    """Piece of an image's objects; of several samples with what ranks them, see ``rank_objects``."""
    source = _source(image)
    count = count_samples(predictor.net, samples)
    if count == 1:
        moments = predictor.whole(source, samples, seed, progress)
        return replace(_separate(image, moments.mean), moments=moments.map(lambda part: part[None]))
    codes, kinds = np.zeros((count, *predictor.output_shape(source.shape)), np.uint8), image.info.numbered.kinds

    def keep(t: int, region: Region, mean: Tensor) -> None:
        codes[t][region] = encode_parts(mean, kinds).cpu().numpy()

    moments = predictor.whole(source, samples, seed, progress, keep)
    mean = moments.mean.numpy()
    found = find_objects(mean, image.info)
    ranks = rank_objects(found, find_confidence(found, codes, image.info), 1 - mean[0], count)
    piece = _objects_piece(image, found, moments.mean)
    predicted = torch.cat([piece.predicted.double(), torch.from_numpy(ranks)[None, None]], dim=1)
    return replace(piece, predicted=predicted, moments=moments.map(lambda part: part[None]))


def _is_small(image: LabelledImage) -> bool:
    return math.prod(image.load().picture.space) <= AT_ONCE


def _is_separable(image: LabelledImage) -> bool:
    try:
        check_separable(Path(image.item.image), image.load().picture.space)
    except InputError:
        return False
    return True


def _count_objects(image: LabelledImage, found: Moments[Tensor]) -> Piece:
    """Piece of an image's classes, with the number of objects that they encode and that of the mask."""
    pair = _separate(image, found.mean)
    counts = [count_objects(part[0].numpy(), image.info.numbered.kinds) for part in (pair.predicted, pair.target)]
    classes = torch.from_numpy(image.labels()[...].astype(np.int64))
    return replace(_piece(found, classes, image), counts=(counts[0], counts[1]))


def _separate(image: LabelledImage, mean: Tensor) -> Piece:
    """Piece of the objects in mean probabilities ``(K, *space)``."""
    return _objects_piece(image, find_objects(mean.numpy(), image.info), mean)


def _objects_piece(image: LabelledImage, found: NDArray[np.int32], mean: Tensor) -> Piece:
    """Piece of numbered objects; of such with classes, these beside them, see ``ClassifiedScore``."""
    if image.info.numbered.classes is None:
        return pair_objects(image, found)
    return pair_objects(image, found, decide_objects(found, mean, image.info.numbered.kinds))


def _loss(task: Task, probabilities: Tensor, target: Tensor) -> float:
    """Loss of a task, of logits that give these probabilities: their logarithms, or of independent labels log odds."""
    if target.ndim == probabilities.ndim:
        return float(task.loss(probabilities.logit(1e-7)[None], target[None]))
    target = target.to(torch.int64)
    return float(task.loss(probabilities.clamp_min(1e-12).log()[None], target[None]))
