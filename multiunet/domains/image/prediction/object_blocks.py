"""Objects of a map that is larger than memory: found block by block, one number an object."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from multiunet.domains.image.prediction.separate import SMALLEST, Separated, separate_from_seeds

Region = tuple[slice, ...]

SIDES = {2: 2048, 3: 128}
"""Pixels of a block along each axis, by the number of axes."""

HALOS = {2: 256, 3: 40}
"""Pixels beyond a block that are looked at, too: objects and groups of touching ones are mostly smaller."""

ReadCodes = Callable[[Region], NDArray[np.uint8]]
"""Function that reads a region of a map of ``encode_parts``."""


@dataclass(frozen=True)
class Block:
    """Block of a map.

    Attributes:
        core: its own pixels.
        window: those that are looked at: with a halo, as far as the map goes.
        place: number of it along each axis.
    """

    core: Region
    window: Region
    place: tuple[int, ...]

    def within(self, region: Region) -> Region:
        """Return where a region lies in the window."""
        return tuple(slice(a.start - w.start, a.stop - w.start) for a, w in zip(region, self.window))


def cut_blocks(space: Sequence[int], side: int | None = None, halo: int | None = None) -> list[Block]:
    """Cut a map into blocks whose cores partition it, in the order of its memory.

    Args:
        side, halo: pixels of a core by axis, and beyond it; by default those of ``SIDES`` and ``HALOS``.
    """
    side, halo = side or SIDES[len(space)], HALOS[len(space)] if halo is None else halo
    blocks = []
    for place in itertools.product(*(range(-(-n // side)) for n in space)):
        core = tuple(slice(at * side, min(n, (at + 1) * side)) for at, n in zip(place, space))
        window = tuple(slice(max(0, c.start - halo), min(n, c.stop + halo)) for c, n in zip(core, space))
        blocks.append(Block(core, window, place))
    return blocks


@dataclass
class BlockObjects:
    """Objects of a map, found block by block, and joined where they cross borders.

    Each block is separated with its halo. An object is known by its seed: where two blocks see the same seed, their
    objects are one. Where an object is larger than the halo, blocks see different seeds; then two objects are one if
    each block sees its own go on across the face between them, along most of what the smaller has of that face.

    The objects, and their numbers, are those of ``separate_parts`` of the whole map if every object that reaches into a
    block, with all that touch it, directly or through others, or lie up to 8 pixels (of the finest axis) from those,
    ends inside the block's window, 4 pixels from its edge. Where objects touch in endless groups, as cells of a tissue
    do, this is sufficient, not necessary: what is farther away than the halo hardly decides where a border lies.

    Args:
        space: pixels of the map by axis.
        spacing, smallest: see ``separate_parts``.

    Attributes:
        cut: objects that reach into a block and beyond its window.
    """

    space: tuple[int, ...]
    spacing: Sequence[float]
    smallest: int = SMALLEST
    cut: int = 0
    _seeds: list[NDArray[np.int64]] = field(default_factory=list)
    _count: int = 0
    _links: list[NDArray[np.int64]] = field(default_factory=list)
    _faces: dict[tuple[tuple[int, ...], int], NDArray[np.int32]] = field(default_factory=dict)
    _sizes: list[NDArray[np.int64]] = field(default_factory=list)

    def add(self, block: Block, codes: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Find the objects of a block; the blocks come in the order of ``cut_blocks``.

        Args:
            codes: map of ``encode_parts`` of the block's window.

        Returns:
            Numbers of the core's objects, for the time being; 0 outside. ``numbers`` says which are the same.
        """
        found = separate_from_seeds(codes, self.spacing, self.smallest)
        core = block.within(block.core)
        numbers = found.objects + np.where(found.objects > 0, np.int32(self._count), np.int32(0))
        self.cut += _count_cut(found.objects, core, block, self.space)
        self._seeds.append(self._place(block, found))
        self._join_faces(block, numbers)
        own = np.ascontiguousarray(numbers[core])
        self._sizes.append(np.bincount(found.objects[core].ravel(), minlength=len(found.seeds) + 1)[1:])
        self._count += len(found.seeds)
        return own

    def numbers(self) -> NDArray[np.int32]:
        """Return the final number of each number that ``add`` gave, from 1 in the order of seeds; 0 of noise."""
        if not self._count:
            return np.zeros(1, np.int32)
        seeds, sizes = np.concatenate(self._seeds), np.concatenate(self._sizes)
        _, alike = np.unique(seeds, return_inverse=True)
        joined = np.concatenate([*self._links, np.stack([alike + self._count, np.arange(self._count)])], axis=1)
        nodes = self._count + int(alike.max()) + 1
        graph = coo_array((np.ones(joined.shape[1], np.int8), (joined[0], joined[1])), shape=(nodes, nodes))
        group = connected_components(graph.tocsr(), directed=False)[1][: self._count]
        first = np.full(int(group.max()) + 1, np.iinfo(np.int64).max)
        np.minimum.at(first, group, seeds)
        kept = np.bincount(group, sizes) >= max(1, self.smallest)
        order = np.flatnonzero(kept)[np.argsort(first[kept])]
        final = np.zeros(len(first), np.int32)
        final[order] = np.arange(1, len(order) + 1)
        return np.concatenate([np.zeros(1, np.int32), final[group]])

    def _place(self, block: Block, found: Separated) -> NDArray[np.int64]:
        """Return the places of seeds in the raveled map."""
        inside = np.unravel_index(found.seeds, found.objects.shape)
        sites = tuple(at + part.start for at, part in zip(inside, block.window))
        return np.asarray(np.ravel_multi_index(sites, self.space), np.int64)

    def _join_faces(self, block: Block, numbers: NDArray[np.int32]) -> None:
        """Join objects with those of the blocks before; keep what the blocks behind will ask for."""
        for axis, core in enumerate(block.core):
            if core.start > 0:
                before = tuple(at - (axis == other) for other, at in enumerate(block.place))
                self._links.append(_link(self._faces.pop((before, axis)), _crossing(block, numbers, axis, core.start)))
            if core.stop < self.space[axis]:
                self._faces[block.place, axis] = _crossing(block, numbers, axis, core.stop)


def find_by_block(
    read: ReadCodes, blocks: Sequence[Block], objects: BlockObjects
) -> Iterator[tuple[Region, NDArray[np.int32]]]:
    """Yield the core of each block with its objects, as ``BlockObjects.add`` numbers them."""
    for block in blocks:
        yield block.core, objects.add(block, read(block.window))


def _crossing(block: Block, numbers: NDArray[np.int32], axis: int, border: int) -> NDArray[np.int32]:
    """Return what of a block's window goes on across a face of its core, raveled; 0 where nothing does."""

    def plane(at: int) -> NDArray[np.int32]:
        region = tuple(slice(at, at + 1) if axis == other else part for other, part in enumerate(block.core))
        return numbers[block.within(region)].ravel()

    near, far = plane(border - 1), plane(border)
    crossing: NDArray[np.int32] = np.where(near == far, near, np.int32(0))
    return crossing


def _link(first: NDArray[np.int32], second: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return pairs of numbers (from 0) that are one object, ``(2, pairs)``: both see most of it."""
    both = (first > 0) & (second > 0)
    pairs, votes = np.unique(np.stack([first[both], second[both]]), axis=1, return_counts=True)
    sizes = []
    for plane, own in zip((first, second), pairs):
        known, count = np.unique(plane, return_counts=True)
        sizes.append(count[np.searchsorted(known, own)])
    return pairs[:, 2 * votes > np.minimum(*sizes)].astype(np.int64) - 1


def _count_cut(objects: NDArray[np.int32], core: Region, block: Block, space: Sequence[int]) -> int:
    """Count the objects of a core that reach the end of its window, where that is not the end of the map."""
    ends = np.zeros(int(objects.max()) + 1, dtype=bool)
    for axis, (window, size) in enumerate(zip(block.window, space)):
        for at, cut in ((0, window.start > 0), (-1, window.stop < size)):
            if cut:
                ends[objects.take(at, axis=axis).ravel()] = True
    inside = np.zeros_like(ends)
    inside[objects[core].ravel()] = True
    return int((ends & inside)[1:].sum())
