"""Separation of touching objects in a predicted map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter
from skimage.measure import label
from skimage.segmentation import watershed
from torch import Tensor

from multiunet.domains.image.files.lazy import check_fits
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.prediction.tops import find_tops

SMOOTHING = 1.0
"""Deviation of the Gaussian that smooths distances, in pixels (of the finest axis)."""


NECK = 0.15
"""A part is cut where it is thinner than the thinner of both sides by this share: large and small objects alike."""


SMALLEST = 10
"""Pixels of the smallest object, where a run does not know it from its training masks.

All but ``COARSE`` were chosen on the validation images of dsb2018_fluo, whose nuclei are 10 to 40 pixels wide.
"""


SEPARATING = 120
"""Bytes a pixel that ``separate_objects`` takes."""


@dataclass(frozen=True)
class Separated:
    """Objects of a map, and where each began to grow.

    Attributes:
        objects: numbered from 1, 0 outside; ``space``.
        seeds: place of the first pixel of each object's seed in the raveled map, ascending; ``(objects,)``.
    """

    objects: NDArray[np.int32]
    seeds: NDArray[np.int64]


def separate_objects(
    probabilities: NDArray[np.floating], spacing: Sequence[float], smallest: int = SMALLEST
) -> NDArray[np.int32]:
    """Return the objects of probabilities, numbered from 1, 0 outside; ``space``, int32.

    Args:
        probabilities: of the classes in ``CLASSES``, ``(2 or 3, *space)``.
        spacing, smallest: see ``separate_parts``.
    """
    return separate_parts(encode_parts(torch.from_numpy(probabilities)).numpy(), spacing, smallest)


def encode_parts(probabilities: Tensor, kinds: int = 1) -> Tensor:
    """Return all that separation needs of probabilities: 0 outside, 1 in an object, 2 in its inner part.

    Pixels that are more likely inside than not are inner parts; those that are less likely outside than not are of
    objects, too.

    Args:
        probabilities: of the classes in ``CLASSES``, ``(2 or 3, *space)``; of objects that have classes, of the labels
            of ``data/object_classes.py``.
        kinds: classes that objects may have.

    Returns:
        ``space``, uint8.
    """
    inside = probabilities[1 : 1 + kinds].sum(dim=0) > 0.5
    whole = inside | (probabilities[0] < 0.5)
    return whole.to(torch.uint8) + inside.to(torch.uint8)


def separate_parts(codes: NDArray[np.uint8], spacing: Sequence[float], smallest: int = SMALLEST) -> NDArray[np.int32]:
    """Return the objects of a map of ``encode_parts``, numbered from 1, 0 outside; ``space``, int32.

    Connected pixels of code 2 are inner parts. The maxima of the distance to the end of
    their part, smoothed, are the seeds (one, or several where a part has necks: two objects that the network joined).
    A region without any inner part is a seed, too. From the seeds, a watershed (Meyer 1994) goes down that distance,
    over all pixels of objects. Seeds that gain too few pixels leave them to their
    neighbours.

    Args:
        spacing: distance of neighbouring pixels by axis, in any unit.
        smallest: pixels of an object, its ends included; smaller ones are noise.
    """
    return separate_from_seeds(codes, spacing, smallest).objects


def separate_from_seeds(codes: NDArray[np.uint8], spacing: Sequence[float], smallest: int = SMALLEST) -> Separated:
    """Return the objects of ``separate_parts`` with the places of their seeds, by which they are in order."""
    inside, whole = codes == 2, codes > 0
    distance, seeds = _seeds(inside, whole, np.asarray(spacing) / min(spacing))
    found = watershed(-distance, seeds, mask=whole)
    enough = np.bincount(found.reshape(-1)) >= smallest
    enough[0] = False
    if not enough[1:].all():  # the others are noise in an object, or outside
        found = watershed(-distance, np.where(enough[seeds], seeds, 0), mask=whole)
    kept = np.bincount(found.reshape(-1)) >= smallest
    kept[0] = False
    return Separated(_number_anew(found, kept), _first_places(seeds)[np.flatnonzero(kept)])


def find_objects(probabilities: NDArray[np.floating], info: ImageInfo) -> NDArray[np.int32]:
    """Separate objects with the spacing and the smallest object of training; see ``separate_parts``.

    Args:
        probabilities: see ``encode_parts``.
    """
    own = info.numbered
    codes = encode_parts(torch.from_numpy(probabilities), own.kinds).numpy()
    return separate_parts(codes, info.spacing, own.smallest)


def _seeds(
    inside: NDArray[np.bool_], whole: NDArray[np.bool_], steps: NDArray[np.floating]
) -> tuple[NDArray[np.floating], NDArray[np.integer]]:
    """The smoothed distance to the end of each inner part, and the numbered seeds.

    Args:
        steps: distance of neighbouring pixels by axis, in units of the finest.
    """
    parts, regions = label(inside, connectivity=1), label(whole, connectivity=1)
    depth = np.ones(inside.shape) if inside.all() else distance_transform_edt(inside, sampling=steps)
    distance = gaussian_filter(depth, SMOOTHING / steps)
    # differences of logarithms are ratios; half a pixel more keeps those of the ends finite
    tops = find_tops(np.log(distance + 0.5), -math.log(1 - NECK), inside)
    flat = inside & ~_marked(parts, tops)  # too thin to have a top: a seed as it is
    bare = whole & ~_marked(regions, inside)  # nothing but ends: a small or narrow object
    return distance, label(tops | flat | bare, connectivity=1)


def _marked(numbers: NDArray[np.integer], marks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark pixels whose number has a mark anywhere."""
    has = np.zeros(int(numbers.max()) + 1, dtype=bool)
    has[numbers[marks]] = True
    found: NDArray[np.bool_] = has[numbers]
    return found


def check_separable(path: Path, space: Sequence[int], samples: int = 0) -> None:
    """Check that memory suffices to separate the objects of an image of this size.

    Args:
        samples: whose maps are in memory, too.

    Raises:
        InputError: when there is too little memory for it.
    """
    needed = (SEPARATING + samples) * math.prod(space)
    check_fits(path, "separating its objects", needed, "cut it into images of their own")


def remove_small(objects: NDArray[np.integer], smallest: int) -> NDArray[np.int32]:
    """Remove objects of fewer pixels than ``smallest``; number the others anew in their order."""
    kept = np.bincount(objects.reshape(-1)) >= smallest
    kept[0] = False
    return _number_anew(objects, kept)


def _number_anew(objects: NDArray[np.integer], kept: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Number the objects that are kept from 1, in their order."""
    result: NDArray[np.int32] = np.where(kept, np.cumsum(kept), 0).astype(np.int32)[objects]
    return result


def _first_places(numbers: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return where each number is first in the raveled map, ``(numbers + 1,)``."""
    flat = numbers.reshape(-1)
    places = np.flatnonzero(flat)[::-1]
    first = np.zeros(int(flat.max()) + 1, dtype=np.int64)
    first[flat[places]] = places  # of several the last that is written: the first of the map
    return first
