"""Classes of objects, in one label with the parts that objects are encoded in.

Of K classes a pixel's label is 0 outside, and ``1 + part * K + class`` in an object, where the parts of ``CLASSES``
that are not outside count from 0. So one softmax says how likely each part of each class is: summed over the classes it
is the encoding of the objects, and summed over the parts it is their classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from multiunet.domains.image.data.instances import CLASSES, Touching

IGNORED = -1


def name_labels(touching: Touching, classes: Sequence[str]) -> list[str]:
    """Return the name of each label, in their order.

    >>> name_labels("boundary", ["round", "long"])
    ['outside', 'round', 'long', 'round boundary', 'long boundary']
    """
    outside, _, *others = CLASSES[touching]
    return [outside, *classes, *(f"{name} {part}" for part in others for name in classes)]


def join_classes(
    parts: NDArray[np.int16], objects: NDArray[np.integer], of: Sequence[int], count: int
) -> NDArray[np.int16]:
    """Return the label of each pixel; of an object without a class ``-1 - part``, of what is not known -1.

    Args:
        parts: class that encodes each pixel, as ``encode_objects`` gives it, ``space``.
        objects: its object, numbered from 1, ``space``.
        of: class of each object; -1 where it has none.
        count: classes.
    """
    classes = np.array([IGNORED, *of], np.int16)[np.maximum(objects, 0)]
    labels = np.where(classes < 0, IGNORED - parts, 1 + (parts - 1) * count + classes)
    joined: NDArray[np.int16] = np.where(parts > 0, labels, parts).astype(np.int16)
    return joined


def sum_parts(probabilities: Tensor, count: int) -> Tensor:
    """Return the probability that a pixel is of an object of each class, ``(count, *space)``.

    Args:
        probabilities: of the labels, ``(1 + parts * count, *space)``.
    """
    summed: Tensor = probabilities[1:].unflatten(0, (-1, count)).sum(dim=0)
    return summed
