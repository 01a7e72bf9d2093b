"""Confidence of objects: the share of Monte-Carlo samples in which each is found again.

A sample is one thinned network, so its objects are those of one coherent opinion. Each sample's map is kept as one byte
a pixel, on disk where a prediction is stored, and its objects are found on the whole map, one sample at a time: memory
does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.measure import label

from multiunet.domains.image.config import ImagePredict
from multiunet.domains.image.files.lazy import format_shape
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.prediction.object_classes import encode_classes
from multiunet.domains.image.prediction.separate import encode_parts, separate_parts
from multiunet.domains.remarks import remark_file
from multiunet.errors import InputError
from multiunet.memory import free_memory
from multiunet.metrics.instances import overlaps
from multiunet.prediction.item_writer import ItemWriter
from multiunet.prediction.run import Encode
from multiunet.tasks import Task
from multiunet.uncertainty import Calibration

FOUND = 0.5
"""IoU above which an object of a sample is the same object: at most one can be."""

LABELLING = 64
"""Bytes a pixel that it takes to find the connected parts of a sample, and which of the prediction's they are."""


def find_share(objects: NDArray[np.integer], samples: Iterable[NDArray[np.integer]]) -> NDArray[np.float32]:
    """Compute the share of samples in which each object is found.

    It is where an object of the sample overlaps it by an IoU above ``FOUND``.

    Args:
        objects: numbered from 1, 0 outside; ``space``.
        samples: numbered objects of each sample, ``space``.

    Returns:
        The share of each pixel's object, ``space``; NaN outside.
    """
    found, count = np.zeros(int(objects.max()) + 1), 0
    for other in samples:
        pairs = overlaps(objects, other)
        found[pairs.predicted[pairs.iou > FOUND]] += 1
        count += 1
    share = (found / count).astype(np.float32)
    share[0] = np.nan
    result: NDArray[np.float32] = share[objects]
    return result


def choose_encoding(info: ImageInfo, task: Task, calibration: Calibration | None = None) -> Encode | None:
    """Return what is to be kept of each sample to find its objects; None for quantities.

    Nor are parts of classes that may overlap found again in samples.

    Args:
        calibration: of the prediction, by whose thresholds samples are decided, too.
    """
    if info.regression or info.overlapping is not None:
        return None
    if info.instances is None:
        return lambda mean: _decide(task, mean, calibration)
    return encode_parts if info.instances.classes is None else partial(encode_classes, kinds=info.instances.kinds)


def count_layers(info: ImageInfo) -> int:
    """Return how many maps ``choose_encoding`` makes of a sample: one, and one for each class of objects."""
    return 1 if info.instances is None or info.instances.classes is None else 1 + info.instances.kinds


def check_confidence(options: ImagePredict, encode: Encode | None) -> None:
    """Check that objects have a confidence, where it is to be exported.

    Args:
        encode: of the samples; None where they are not looked at.

    Raises:
        InputError: saying what it takes.
    """
    if "confidence" in (options.export_what or ()) and encode is None:
        raise InputError(
            "`export_what=confidence`: it is the share of Monte-Carlo samples in which an object is found; give "
            "`samples=16`, say, of a run with dropout, and leave `confidence` on"
        )


def _decide(task: Task, mean: torch.Tensor, calibration: Calibration | None) -> torch.Tensor:
    classes = task.decide(mean[None], calibration)
    assert classes is not None  # it has classes
    return classes[0]


def find_confidence(
    objects: NDArray[np.integer], samples: Iterable[NDArray[np.uint8]], info: ImageInfo
) -> NDArray[np.float32]:
    """Compute the share of samples in which each separated object is found, ``space``; see ``find_share``.

    Args:
        samples: map of each, as ``encode_parts`` made it.
    """
    smallest = info.numbered.smallest
    return find_share(objects, (separate_parts(codes, info.spacing, smallest) for codes in samples))


def write_confidence(path: Path, item: ItemWriter, info: ImageInfo, objects: NDArray[np.int32] | None) -> None:
    """Write the confidence of an image's objects, or of its connected parts, and drop its samples.

    Parts of an image that is too large for it have none; a remark says so.

    Args:
        path: of the image, for the remark.
        objects: separated ones; None: the parts are those of the written classes.
    """
    if objects is not None:
        item.write_confidence(find_confidence(objects, item.samples(), info))
    else:
        classes = item.classes()
        if LABELLING * classes.size > free_memory():
            remark_file(path, f"{format_shape(classes.shape)} pixels are too large to find the confidence of its parts")
        else:
            item.write_confidence(find_share_of_parts(classes, item.samples()))


def find_share_of_parts(
    classes: NDArray[np.unsignedinteger], samples: Iterable[NDArray[np.uint8]]
) -> NDArray[np.float32]:
    """Compute the share of samples in which each connected part is found as a part of its class.

    Pixels that touch, at a corner too, are one part.

    Args:
        classes: ``space``.
        samples: classes of each sample, ``space``.

    Returns:
        The share of each pixel's part, ``space``.
    """
    parts = _label(classes)
    of = np.zeros(int(parts.max()) + 1, classes.dtype)
    of[parts] = classes
    found, count = np.zeros(len(of)), 0
    for sample in samples:
        others = _label(sample)
        pairs = overlaps(parts, others)
        of_others = np.zeros(int(others.max()) + 1, sample.dtype)
        of_others[others] = sample
        same = (pairs.iou > FOUND) & (of[pairs.predicted] == of_others[pairs.true])
        found[pairs.predicted[same]] += 1
        count += 1
    share: NDArray[np.float32] = (found / count).astype(np.float32)[parts]
    return share


def _label(classes: NDArray[np.unsignedinteger]) -> NDArray[np.integer]:
    numbered: NDArray[np.integer] = label(classes.astype(np.int32) + 1, background=0, connectivity=classes.ndim)
    return numbered


def rank_objects(
    objects: NDArray[np.integer], share: NDArray[np.floating], probability: NDArray[np.floating], samples: int
) -> NDArray[np.float64]:
    """Compute what orders objects: the share of samples that find them, then the mean probability.

    Args:
        objects: numbered from 1, 0 outside; ``space``.
        share: of each pixel's object, ``space``.
        probability: that a pixel lies in an object, ``space``.
        samples: whose shares differ by one over their number at least.

    Returns:
        The rank of each pixel's object, ``space``, higher where it is surer; 0 outside.
    """
    sizes = np.bincount(objects.ravel())
    means = np.bincount(objects.ravel(), probability.ravel()) / np.maximum(sizes, 1)
    ranks = np.where(objects > 0, np.nan_to_num(share.astype(np.float64)) + means[objects] / (2 * samples), 0.0)
    result: NDArray[np.float64] = ranks
    return result
