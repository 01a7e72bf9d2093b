"""Border weights: pixels between close objects count more (Ronneberger et al. 2015)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, find_objects

NEGLIGIBLE = 1e-4
"""Where the exponential is smaller, it is taken for 0."""


def border_weights(
    objects: NDArray[np.integer],
    weight: float = 10.0,
    sigma: float = 5.0,
    spacing: Sequence[float] | None = None,
    balance: float | NDArray[np.floating] = 1.0,
) -> NDArray[np.float32]:
    """Compute the weight map ``w_c + w_0 exp(-(d_1 + d_2)^2 / (2 sigma^2))`` of an image of objects.

    Ronneberger et al. 2015, "U-Net: Convolutional Networks for Biomedical Image Segmentation", eq. 2: large where the
    two nearest objects are close to each other, so that the cross-entropy (eq. 1) pays for joining them.

    Args:
        objects: one positive integer for each object, 0 or less outside, ``space``; any number of axes.
        weight: ``w_0``; 0 or more.
        sigma: in sites; where ``spacing`` differs by axis, in those of the finest.
        spacing: distance of neighbouring sites by axis, in any unit; None: all alike.
        balance: ``w_c``, one number or one for each site: the weights that balance classes.

    Returns:
        ``space``, float32. ``d_1`` and ``d_2`` are the distances from a site's centre to that of the nearest site of
        the nearest and of the second nearest object; the first is 0 within an object. Summands below
        ``NEGLIGIBLE * weight`` are left out, so that each object is looked at only within their reach.

    Raises:
        ValueError: for floats, a weight below 0, a sigma that is not positive, or a spacing that does not fit.

    >>> objects = np.array([3, 0, 0, 7, 0])
    >>> round(float(border_weights(objects, weight=10, sigma=5)[1]), 3)  # 1 from object 3, 2 from object 7
    9.353
    >>> round(1 + 10 * math.exp(-(3**2) / 50), 3)
    9.353
    """
    steps = np.asarray([1.0] * objects.ndim if spacing is None else list(spacing), dtype=np.float64)
    if objects.dtype.kind not in "biu":
        raise ValueError(f"objects are numbered by integers, got {objects.dtype}")
    if not weight >= 0 or not sigma > 0:
        raise ValueError(f"weight {weight} must not be negative, and sigma {sigma} must be positive")
    if len(steps) != objects.ndim or not (steps > 0).all():
        raise ValueError(f"spacing {spacing}: {objects.ndim} positive numbers are needed, one an axis")
    steps = steps / steps.min()
    reach = sigma * math.sqrt(-2 * math.log(NEGLIGIBLE))
    nearest = np.full(objects.shape, np.inf, dtype=np.float32)
    second = nearest.copy()
    numbers = np.unique(objects[objects > 0])
    compact = np.where(objects > 0, np.searchsorted(numbers, objects) + 1, 0)
    for number, box in enumerate(find_objects(compact), start=1):
        near = tuple(
            slice(max(0, side.start - math.ceil(reach / step)), side.stop + math.ceil(reach / step))
            for side, step in zip(box, steps)
        )
        distance = distance_transform_edt(compact[near] != number, sampling=steps).astype(np.float32)
        second[near] = np.minimum(second[near], np.maximum(nearest[near], distance))
        nearest[near] = np.minimum(nearest[near], distance)
    together = nearest + second
    pull = np.where(together <= reach, np.exp(-(together**2) / np.float32(2 * sigma**2)), 0.0)
    result: NDArray[np.float32] = (balance + weight * pull).astype(np.float32)
    return result
