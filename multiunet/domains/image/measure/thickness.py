"""Thickness of layers: of the largest balls that fit into them, or along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

LEVELS = 48
"""Most radii that are told apart: beyond that, neighbouring ones count as one, to about 4 % or less."""


@dataclass(frozen=True)
class ThicknessRow:
    """Thickness of a class in an image: a row of ``thickness.csv``, in ``length_unit``.

    Attributes:
        kind: ``local``, or the axis along which it is taken.
        places: of ``local``, pixels of the class; of an axis, lines along it that meet the class.
        mean, sd, median, low, high: over these places; ``sd`` has ddof 1 and is None of a single one, ``low`` and
            ``high`` are the 5th and the 95th percentile.
    """

    image: str
    phase: str
    kind: str
    places: int
    mean: float
    sd: float | None
    median: float
    low: float
    high: float
    length_unit: str


def local_thickness(mask: NDArray[np.bool_], spacing: Sequence[float]) -> NDArray[np.float64]:
    """Return at each pixel the diameter of the largest ball that holds it and lies inside; 0 outside.

    Hildebrand and Rueegsegger 1997, "A new method for the model-independent assessment of thickness in
    three-dimensional images". A straight layer of w pixels has w to half a pixel: its middle may lie between two.
    What lies beyond the image's border does not end a layer.

    Args:
        mask: of the layer, ``space``.
        spacing: distance of neighbouring pixels by axis.

    Raises:
        ValueError: when the mask covers the whole image.
    """
    if mask.all():
        raise ValueError("the mask covers the whole image, so nothing says how thick it is")
    result = np.zeros(mask.shape)
    if not mask.any():
        return result
    radius = distance_transform_edt(mask, sampling=spacing)
    for level in _levels(radius[mask]):  # ascending: larger balls overwrite
        reached = distance_transform_edt(radius < level, sampling=spacing) < level
        result[reached] = 2 * level - min(spacing) / 2
    return np.where(mask, result, 0.0)


def thickness_along(mask: NDArray[np.bool_], axis: int, step: float) -> NDArray[np.float64]:
    """Return thickness along an axis: of each line that meets the mask, its length in it; ``(lines,)``."""
    counts = np.asarray(np.count_nonzero(mask, axis=axis), dtype=np.float64)
    return counts[counts > 0] * step


def summarise_thickness(
    image: str, phase: str, kind: str, values: NDArray[np.float64], unit: str
) -> ThicknessRow | None:
    """Return the row of thicknesses ``(places,)``; None where there are none."""
    if not len(values):
        return None
    low, median, high = np.percentile(values, (5, 50, 95)).tolist()
    sd = float(values.std(ddof=1)) if len(values) > 1 else None
    return ThicknessRow(image, phase, kind, len(values), float(values.mean()), sd, median, low, high, unit)


def _levels(radii: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the radii that balls are drawn of, ascending: all, or ``LEVELS`` of them at about equal ratios."""
    own = np.unique(radii)
    if len(own) <= LEVELS:
        return own
    wanted = np.geomspace(own[0], own[-1], LEVELS)
    return np.unique(own[np.minimum(np.searchsorted(own, wanted * (1 - 1e-9)), len(own) - 1)])
