"""Shapes of objects: axes, orientation, Feret diameters, length along the skeleton."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra, minimum_spanning_tree
from scipy.spatial import ConvexHull, KDTree
from scipy.spatial.distance import pdist
from skimage.morphology import skeletonize

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shape:
    """Shape of an object; lengths in the unit of the spacing. Pixels are areas, not points.

    A rectangle of 40 x 5 has a ``length`` of 40, an ``elongation`` of 8, a ``feret_min`` of 5 and a ``feret_max`` of
    ``hypot(40, 5)``.

    Attributes:
        major_axis, minor_axis: longest and shortest axis of the ellipse (ellipsoid) with the object's second moments.
        elongation: the longest axis over the shortest.
        orientation: of an image, the direction of the longest axis in degrees, counter-clockwise from the x axis as a
            viewer shows it, at least 0 and below 180; None of a volume, or of one without a longest axis.
        feret_max: largest distance of two points of the object.
        feret_min: of an image, the smallest distance of two parallel lines that hold it; None of a volume.
        length: longest path along the skeleton, from tip to tip.
        skeleton_length: of all branches of the skeleton together.
    """

    major_axis: float
    minor_axis: float
    elongation: float
    orientation: float | None
    feret_max: float
    feret_min: float | None
    length: float
    skeleton_length: float


def describe_shape(mask: NDArray[np.bool_], spacing: Sequence[float]) -> Shape:
    """Return the shape of an object.

    Args:
        mask: where it is, ``space``, with one pixel at least.
        spacing: distance of neighbouring pixels by axis.
    """
    step = np.asarray(spacing, dtype=np.float64)
    shortest, longest, orientation = _axes(np.argwhere(mask) * step, step)
    feret_max, feret_min = _feret(mask, step)
    length, skeleton_length = _lengths(np.pad(mask, 1), step)
    return Shape(
        major_axis=longest,
        minor_axis=shortest,
        elongation=longest / shortest,
        orientation=orientation,
        feret_max=feret_max,
        feret_min=feret_min,
        length=length,
        skeleton_length=skeleton_length,
    )


def _axes(points: Floats, step: Floats) -> tuple[float, float, float | None]:
    """Return the shortest and the longest axis, and the direction of the longest."""
    centred = points - points.mean(axis=0)
    moments = centred.T @ centred / len(points) + np.diag(step**2 / 12)  # a pixel's own moment: it is an area
    values, vectors = np.linalg.eigh(moments)
    # of a solid ellipse the second moment is (axis / 4)^2, of an ellipsoid axis^2 / 20
    axes = np.sqrt(values * (16 if len(step) == 2 else 20))
    angle = None
    if len(step) == 2 and not np.isclose(values[0], values[1]):
        down, right = vectors[:, -1]
        angle = math.degrees(math.atan2(-down, right)) % 180.0
        angle = 0.0 if math.isclose(angle, 180.0) else angle
    return float(axes[0]), float(axes[-1]), angle


def _feret(mask: NDArray[np.bool_], step: Floats) -> tuple[float, float | None]:
    """Return the largest and, in an image, the smallest diameter of the convex hull of all corners of pixels."""
    lines = mask.any(axis=-1)
    first, last = np.argmax(mask, axis=-1)[lines], mask.shape[-1] - 1 - np.argmax(mask[..., ::-1], axis=-1)[lines]
    ends = np.concatenate([np.column_stack([np.argwhere(lines), at]) for at in (first, last)])
    corners = np.array(list(itertools.product((-0.5, 0.5), repeat=mask.ndim)))
    points = ((ends[:, None] + corners).reshape(-1, mask.ndim)) * step
    vertices = points[ConvexHull(points).vertices]
    largest = float(pdist(vertices).max())
    if mask.ndim != 2:
        return largest, None
    sides = np.roll(vertices, -1, axis=0) - vertices
    normals = np.column_stack([-sides[:, 1], sides[:, 0]]) / np.linalg.norm(sides, axis=1)[:, None]
    widths = np.ptp(vertices @ normals.T, axis=0)  # one side of the narrowest strip lies on a side of the hull
    return largest, float(widths.min())


def _lengths(mask: NDArray[np.bool_], step: Floats) -> tuple[float, float]:
    """Return the longest path along the skeleton, tips included, and the length of all branches."""
    inner = distance_transform_edt(mask, sampling=step)
    sites = np.argwhere(skeletonize(mask))
    if not len(sites):  # thinning may leave nothing of a few pixels
        sites = np.argwhere(inner == inner.max())[:1]
    to_border = inner[tuple(sites.T)] - step.min() / 2
    pairs = KDTree(sites).query_pairs(math.sqrt(len(step)) + 1e-6, output_type="ndarray")
    apart = np.linalg.norm((sites[pairs[:, 0]] - sites[pairs[:, 1]]) * step, axis=1)
    graph: Any = coo_array((apart, (pairs[:, 0], pairs[:, 1])), shape=(len(sites), len(sites))).tocsr()
    one = _farthest(graph, 0)[0]
    other, path = _farthest(graph, one)
    return path + float(to_border[one] + to_border[other]), float(minimum_spanning_tree(graph).sum())


def _farthest(graph: Any, start: int) -> tuple[int, float]:
    """Return the node that is farthest from another, and how far; twice from any node finds a tree's longest path."""
    distances = dijkstra(graph, directed=False, indices=start)
    distances[~np.isfinite(distances)] = -1.0
    end = int(np.argmax(distances))
    return end, float(distances[end])
