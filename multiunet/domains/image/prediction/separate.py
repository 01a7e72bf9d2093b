"""Separation of touching objects in a predicted map."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
"""Bytes a pixel that ``separate_objects`` takes, which needs the whole image."""


def separate_objects(
    probabilities: NDArray[np.floating], spacing: Sequence[float], smallest: int = SMALLEST
) -> NDArray[np.int32]:
    """Return the objects of probabilities, numbered from 1, 0 outside; ``space``, int32.

    Args:
        probabilities: of the classes in ``CLASSES``, ``(2 or 3, *space)``.
        spacing, smallest: see ``separate_parts``.
    """
    return separate_parts(encode_parts(torch.from_numpy(probabilities)).numpy(), spacing, smallest)


def encode_parts(probabilities: Tensor) -> Tensor:
    """Return all that separation needs of probabilities: 0 outside, 1 in an object, 2 in its inner part.

    Pixels that are more likely inside than not are inner parts; those that are less likely outside than not are of
    objects, too.

    Args:
        probabilities: of the classes in ``CLASSES``, ``(2 or 3, *space)``.

    Returns:
        ``space``, uint8.
    """
    inside = probabilities[1] > 0.5
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
    inside, whole = codes == 2, codes > 0
    distance, seeds = _seeds(inside, whole, np.asarray(spacing) / min(spacing))
    found = watershed(-distance, seeds, mask=whole)
    enough = np.bincount(found.reshape(-1)) >= smallest
    enough[0] = False
    if not enough[1:].all():  # the others are noise in an object, or outside
        found = watershed(-distance, np.where(enough[seeds], seeds, 0), mask=whole)
    return remove_small(found, smallest)


def find_objects(probabilities: NDArray[np.floating], info: ImageInfo) -> NDArray[np.int32]:
    """Separate objects with the spacing and the smallest object of training; see ``separate_objects``."""
    return separate_objects(probabilities, info.spacing, info.numbered.smallest)


def _seeds(
    inside: NDArray[np.bool_], whole: NDArray[np.bool_], steps: NDArray[np.floating]
) -> tuple[NDArray[np.floating], NDArray[np.integer]]:
    """The smoothed distance to the end of each inner part, and the numbered seeds.

    Args:
        steps: distance of neighbouring pixels by axis, in units of the finest.
    """
    parts, regions = label(inside, connectivity=1), label(whole, connectivity=1)
    distance = gaussian_filter(distance_transform_edt(inside, sampling=steps), SMOOTHING / steps)
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
    result: NDArray[np.int32] = np.where(kept, np.cumsum(kept), 0).astype(np.int32)[objects]
    return result
