"""High maxima of a map: no path joins them to a higher place without a deep descent."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


def find_tops(image: Floats, height: float, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the maxima inside a mask from which each path to a higher place descends by ``height`` or more.

    The h-maxima of Soille ("Morphological Image Analysis", 2003, ch. 6), the very pixels that scikit-image's
    ``h_maxima`` marks, its allowance for rounding included: there by a reconstruction over all pixels, here over a
    graph of hills. A hill is all pixels from which the steepest ascent ends on the same peak; two hills meet at their
    highest pass, and only the hills and passes of a spanning tree matter. Pixels that touch at a corner are neighbours.

    Args:
        image: ``space``.
        inside: where tops are looked for, ``space``; paths lead anywhere.
    """
    tops = np.zeros(image.shape, dtype=bool)
    if not inside.any() or height > np.ptp(image):
        return tops
    lowered = image - height - 2 * np.finfo(image.dtype).resolution * np.abs(image)
    # no path below this can lower a top inside
    ground = image >= lowered[inside].min()
    padded, levels = np.pad(ground, 1), image[ground]
    place = np.full(padded.shape, -1, dtype=np.int64)
    place[padded] = np.arange(len(levels))
    field = _Field(levels, place.ravel(), np.flatnonzero(padded), padded.shape)
    peak = _climb(field)
    peaks, number = np.flatnonzero(peak == np.arange(len(peak))), np.empty_like(peak)
    number[peaks] = np.arange(len(peaks))
    hill = number[peak]
    peak_levels = lowered[ground][peaks]
    flood = _flood(peak_levels, *_passes(field, hill, peak_levels))
    tops[ground] = levels - np.minimum(levels, flood[hill]) >= height
    return tops & inside


@dataclass(frozen=True)
class _Field:
    """Sites above the ground, and where their neighbours are.

    Attributes:
        levels: of each site, ``(sites,)``.
        place: index of the site at each place of the padded image, -1 at others; flat.
        at: place of each site, ``(sites,)``.
        shape: of the padded image.
    """

    levels: Floats
    place: Indices
    at: Indices
    shape: tuple[int, ...]

    def steps(self, corners: bool) -> list[int]:
        """Return how far neighbours are in flat indices, from the most negative; 0 is the site itself."""
        strides = np.cumprod((1, *self.shape[:0:-1]))[::-1]
        near = itertools.product((-1, 0, 1), repeat=len(self.shape))
        return sorted(int(np.dot(step, strides)) for step in near if corners or np.abs(step).sum() <= 1)

    def climb_once(self, sites: Indices, corners: bool) -> Indices:
        """Return the highest neighbour of each of ``sites``, or itself; of equal ones the last."""
        best, target = np.full(len(sites), -np.inf), sites.copy()
        known = np.append(self.levels, -np.inf)  # a place of -1 is no site
        for step in self.steps(corners):
            neighbour = self.place[self.at[sites] + step]
            level = known[neighbour]
            higher = level >= best
            np.copyto(best, level, where=higher)
            np.copyto(target, neighbour, where=higher)
        return target


def _climb(field: _Field) -> Indices:
    """Return the peak that a path ever upwards leads to from each site; of equal sites the last is the highest."""
    target = field.climb_once(np.arange(len(field.levels)), corners=False)
    ends = np.flatnonzero(target == np.arange(len(target)))
    target[ends] = field.climb_once(ends, corners=True)
    while True:
        farther = target[target]
        if np.array_equal(farther, target):
            return target
        target = farther


def _passes(field: _Field, hill: Indices, peak_levels: Floats) -> tuple[Indices, Indices, Floats]:
    """Return the passes of a highest spanning tree of hills that meet: from, to, and how high.

    A pass below the lowered peaks of both its hills is left out: whatever comes over it, the peak behind it brings
    more.
    """
    count = len(peak_levels)
    high = np.flatnonzero(field.levels > peak_levels[hill])
    found = list(_meetings(field, hill, high, peak_levels))
    pairs, heights = (np.concatenate(part) for part in zip(*found))
    order = np.lexsort((-heights, pairs))
    pairs, heights = pairs[order], heights[order]
    first = np.flatnonzero(np.diff(pairs, prepend=-1))  # the highest of each pair
    pairs, heights = pairs[first], heights[first]
    ranks = np.empty(len(pairs))
    ranks[np.argsort(-heights, kind="stable")] = np.arange(1, len(pairs) + 1)  # each its own: none is lost for being 0
    by_rank: Any = coo_array((ranks, (pairs // count, pairs % count)), shape=(count, count))
    tree = minimum_spanning_tree(by_rank.tocsr()).tocoo()
    height_of = np.empty(len(pairs) + 1)
    height_of[ranks.astype(np.int64)] = heights
    return tree.row.astype(np.int64), tree.col.astype(np.int64), height_of[tree.data.astype(np.int64)]


def _meetings(field: _Field, hill: Indices, sites: Indices, peak_levels: Floats) -> Iterator[tuple[Indices, Floats]]:
    """Yield pairs of hills, as one number each, and the heights of their passes beside ``sites``, step by step."""
    count, own = len(peak_levels), hill[sites]
    at, level, floor = field.at[sites], field.levels[sites], peak_levels[own]
    hill_of, level_of = np.append(hill, -1), np.append(field.levels, -np.inf)
    for step in field.steps(corners=True):
        neighbour = field.place[at + step]
        other, height = hill_of[neighbour], np.minimum(level, level_of[neighbour])
        pick = np.flatnonzero((other != own) & (height > floor))
        low, high = np.minimum(own[pick], other[pick]), np.maximum(own[pick], other[pick])
        yield low * count + high, height[pick]


def _flood(lowered: Floats, one: Indices, other: Indices, heights: Floats) -> Floats:
    """Return the highest level that comes to each hill from a lowered peak, over passes; ``(hills,)``."""
    roads: list[list[tuple[int, float]]] = [[] for _ in lowered]
    for a, b, height in zip(one.tolist(), other.tolist(), heights.tolist()):
        roads[a].append((b, height))
        roads[b].append((a, height))
    flood = lowered.tolist()
    queue = sorted((-level, hill) for hill, level in enumerate(flood))  # a sorted list is a heap
    while queue:
        negative, hill = heapq.heappop(queue)
        if -negative < flood[hill]:  # it has been reached from higher up since
            continue
        for neighbour, height in roads[hill]:
            level = min(-negative, height)
            if level > flood[neighbour]:
                flood[neighbour] = level
                heapq.heappush(queue, (-level, neighbour))
    return np.asarray(flood)
