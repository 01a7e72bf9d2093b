"""Classes of predicted objects, with their uncertainty.

An object's probability of a class is that of its pixels together: the class's, summed over them, as a share of all
classes. So is each Monte-Carlo sample's, whose probabilities are kept in steps of 1/255 until the objects are known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multiunet.domains.image.data.object_classes import sum_parts
from multiunet.domains.image.prediction.separate import encode_parts
from multiunet.domains.image.target_info import ObjectClasses
from multiunet.prediction.item_writer import ItemWriter

Floats = NDArray[np.float64]

STEPS = 255
"""Into which a sample's probabilities are cut."""


@dataclass(frozen=True)
class ClassMoments:
    """Probability of each class of each object, and its variances, ``(objects, classes)``.

    ``total = epistemic + aleatoric = mean (1 - mean)``. Of a single sample the epistemic part is 0.
    """

    mean: Floats
    epistemic: Floats
    aleatoric: Floats

    @property
    def decided(self) -> NDArray[np.int64]:
        """Likeliest class of each object, ``(objects,)``."""
        chosen: NDArray[np.int64] = self.mean.argmax(axis=1)
        return chosen


def encode_classes(probabilities: Tensor, kinds: int) -> Tensor:
    """Return what is kept of a sample: the map of ``encode_parts``, and the probability of each class.

    Args:
        probabilities: of the labels of ``data/object_classes.py``.

    Returns:
        ``(1 + kinds, *space)``, uint8.
    """
    classes = (sum_parts(probabilities, kinds) * STEPS).round().to(torch.uint8)
    return torch.cat([encode_parts(probabilities, kinds)[None], classes])


def sum_objects(objects: NDArray[np.integer], classes: NDArray[np.generic], count: int) -> Floats:
    """Sum numbers of each class over the pixels of each object, ``(count, classes)``.

    Args:
        objects: numbered from 1, 0 outside, ``space``.
        classes: ``(classes, *space)``.
        count: objects.
    """
    numbers = objects.ravel()
    sums = [np.bincount(numbers, one.ravel(), minlength=count + 1)[1:] for one in classes]
    return np.stack(sums, axis=1).astype(np.float64)


def find_moments(sums: Floats, samples: Iterable[Floats] = ()) -> ClassMoments:
    """Compute the moments of the classes of objects.

    The mean is that of the stored, calibrated probabilities; the share of its variance that is epistemic is that of the
    samples, as calibration leaves it: the variance of their probabilities over that of ``p (1 - p)`` of their mean.

    Args:
        sums: of the probabilities of each class over each object's pixels, ``(objects, classes)``.
        samples: the same of each Monte-Carlo sample, in any unit.
    """
    mean = _normalise(sums)
    total, of_samples = mean * (1 - mean), [_normalise(one) for one in samples]
    if not of_samples:
        return ClassMoments(mean, np.zeros_like(mean), total)
    before = np.mean(of_samples, axis=0)
    spread, whole = np.var(of_samples, axis=0), before * (1 - before)
    share = np.divide(spread, whole, out=np.zeros_like(whole), where=whole > 0)
    epistemic = total * np.clip(share, 0, 1)
    return ClassMoments(mean, epistemic, total - epistemic)


def decide_objects(objects: NDArray[np.integer], mean: Tensor, kinds: int) -> NDArray[np.int64]:
    """Return the class of each object, ``(objects,)``: the likeliest of its pixels together.

    Args:
        objects: numbered from 1, 0 outside, ``space``.
        mean: probabilities of the labels of ``data/object_classes.py``, ``(labels, *space)``.
    """
    sums = sum_objects(objects, sum_parts(mean, kinds).numpy(), int(objects.max(initial=0)))
    return find_moments(sums).decided


def write_object_classes(item: ItemWriter, known: ObjectClasses) -> None:
    """Write the class of each written object, and the map of classes that they make, piece by piece.

    Of the samples, maps are kept that ``encode_classes`` made, if there are several.
    """
    kinds, parts = len(known.names), list(item.regions())
    count = max((int(item.read_values("instance", part).max()) for part in parts), default=0)
    sums, samples = np.zeros((count, kinds)), np.zeros((item.sample_count, count, kinds))
    for part in parts:
        objects = item.read_values("instance", part)
        mean = torch.from_numpy(item.read_values("mean", (slice(None), *part)))
        sums += sum_objects(objects, sum_parts(mean, kinds).numpy(), count)
        for sample, own in enumerate(samples):
            layers = np.stack([item.read_sample(sample, part, layer) for layer in range(1, 1 + kinds)])
            own += sum_objects(objects, layers, count)
    found = find_moments(sums, samples)
    shown = np.concatenate([[0], 1 + found.decided])
    for part in parts:
        item.write_values("class", part, shown[item.read_values("instance", part)])
    item.write_objects({"mean": found.mean, "epistemic": found.epistemic, "aleatoric": found.aleatoric}, known.names)


def _normalise(sums: Floats) -> Floats:
    """Return the share of each class, ``(objects, classes)``; of an object without any, all alike."""
    whole = sums.sum(axis=1, keepdims=True)
    shares: Floats = np.divide(sums, whole, out=np.full_like(sums, 1 / max(1, sums.shape[1])), where=whole > 0)
    return shares
