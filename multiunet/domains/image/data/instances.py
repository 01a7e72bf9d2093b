"""Objects that touch, encoded in classes that a network learns.

A network that knows only outside and inside joins what touches. It is taught where objects end in one of two ways:

- ``gap``: outside and inside, with a gap of one pixel drawn where two objects touch (Ronneberger et al. 2015, sec. 3);
- ``boundary``: outside, inside, and the outermost pixels of each object, a class of their own (Caicedo et al. 2019,
  "Evaluation of deep learning strategies for nucleus segmentation in fluorescence images").

Either way, a watershed fills the objects from their inner parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label

Touching = Literal["gap", "boundary"]

CLASSES: dict[Touching, list[str]] = {"gap": ["outside", "inside"], "boundary": ["outside", "inside", "boundary"]}
"""What is learnt of objects, in the order of the classes."""


COARSE = 2.0
"""Times the spacing of the finest axis, beyond which an axis is coarse: objects are a section or two thick there."""


def encode_objects(objects: NDArray[np.integer], touching: Touching, spacing: Sequence[float]) -> NDArray[np.int16]:
    """Return the class to learn at each pixel: its index in ``CLASSES``; -1 where nothing is known.

    Args:
        objects: one positive integer for each object, 0 outside, -1 unknown; ``space``.
        touching: how objects that touch are encoded.
        spacing: distance of neighbouring pixels by axis, in any unit.
    """
    ends = _touches_later(objects) if touching == "gap" else _is_outermost(objects, spacing)
    inside = np.where(ends, CLASSES[touching].index("outside" if touching == "gap" else "boundary"), 1)
    return np.where(objects > 0, inside, np.minimum(objects, 0)).astype(np.int16)


def _touches_later(objects: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Mark pixels whose next neighbour along an axis is of another object."""
    found = np.zeros(objects.shape, dtype=bool)
    for first, later in _neighbours(objects.ndim):
        found[first] |= (objects[first] != objects[later]) & (objects[first] > 0) & (objects[later] > 0)
    return found


def _is_outermost(objects: NDArray[np.integer], spacing: Sequence[float]) -> NDArray[np.bool_]:
    """Mark pixels with a neighbour that is not of the same object; the image's border ends nothing.

    Nor does the outside along a coarse axis: of an object one or two sections thick, nothing inner would be left.
    """
    found = np.zeros(objects.shape, dtype=bool)
    for (first, later), step in zip(_neighbours(objects.ndim), spacing):
        lowest = 1 if step > COARSE * min(spacing) else 0
        differ = (objects[first] != objects[later]) & (objects[first] >= lowest) & (objects[later] >= lowest)
        found[first] |= differ
        found[later] |= differ
    return found


def _neighbours(ndim: int) -> list[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """For each axis, all pixels but the last, and those that follow them."""
    everything = [slice(None)] * ndim
    return [
        (
            tuple(slice(None, -1) if a == axis else s for a, s in enumerate(everything)),
            tuple(slice(1, None) if a == axis else s for a, s in enumerate(everything)),
        )
        for axis in range(ndim)
    ]


def renumber(objects: np.ndarray, ignored: int | None) -> NDArray[np.int32]:
    """Number objects 1, 2, 3, ... in the order of their numbers; 0 stays 0, ``ignored`` becomes -1."""
    numbers = np.unique(objects)
    numbers = numbers[(numbers != 0) & (numbers != (0 if ignored is None else ignored))]
    found: NDArray[np.int32] = np.searchsorted(numbers, objects).astype(np.int32) + 1
    found[objects == 0] = 0
    if ignored is not None:
        found[objects == ignored] = -1
    return found


def count_objects(objects: NDArray[np.integer]) -> tuple[int, int]:
    """Count objects, and their connected parts; parts that meet at a corner are one."""
    return len(np.unique(objects[objects > 0])), int(label(np.maximum(objects, 0), background=0).max())


def sample_objects(objects: NDArray[np.int32], coordinates: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return for each of ``coordinates`` ``(ndim, *shape)`` the object with the largest share around it.

    As ``augment.sample_labels``, in a time that does not depend on how many objects there are: of the ``2^ndim`` sites
    around, each votes with its weight of linear interpolation.
    """
    low = [np.minimum(np.floor(x).astype(np.intp), max(0, n - 2)) for x, n in zip(coordinates, objects.shape)]
    part = [(x - first).astype(np.float32) for x, first in zip(coordinates, low)]
    corners = list(np.ndindex(*(2,) * objects.ndim))
    numbers = [
        objects[tuple(np.minimum(a + c, n - 1) for a, c, n in zip(low, corner, objects.shape))] for corner in corners
    ]
    weights = [_product([p if c else 1 - p for p, c in zip(part, corner)]) for corner in corners]
    best: NDArray[np.int32] = numbers[0]
    largest = np.full(coordinates.shape[1:], -1.0, dtype=np.float32)
    for number in numbers:
        share = sum((weight * (other == number) for weight, other in zip(weights, numbers)), np.float32(0))
        more = share > largest
        best, largest = np.where(more, number, best), np.where(more, share, largest)
    return best


def _product(factors: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    result = factors[0]
    for factor in factors[1:]:
        result = result * factor
    return result
