"""Objects of a stored prediction: at once, or of a large image block by block in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from multiunet.domains.image.files.lazy import check_fits
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.prediction.confidence import FOUND, write_confidence
from multiunet.domains.image.prediction.object_blocks import (
    HALOS,
    Block,
    BlockObjects,
    ReadCodes,
    Region,
    cut_blocks,
    find_by_block,
)
from multiunet.domains.image.prediction.object_classes import write_object_classes
from multiunet.domains.image.prediction.separate import SEPARATING, encode_parts, find_objects
from multiunet.domains.remarks import remark_file
from multiunet.prediction.item_writer import ItemWriter
from multiunet.wording import counted

AT_ONCE = 9 << 20
"""Pixels of an image whose objects are found at once, 3,072 x 3,072: on any machine, so that results do not differ."""


def check_separable_by_block(path: Path, space: Sequence[int], samples: int = 0) -> None:
    """Check that memory suffices to find the objects of an image of this size, by block where it is large.

    Args:
        samples: whose maps are in memory, too, of an image whose objects are found at once.

    Raises:
        InputError: when there is too little memory for it.
    """
    if math.prod(space) <= AT_ONCE:
        needed = (SEPARATING + samples) * math.prod(space)
    else:
        needed = SEPARATING * max(count_sites(block.window) for block in cut_blocks(space))
    check_fits(path, "separating its objects", needed, "free some memory")


def write_objects(path: Path, item: ItemWriter, info: ImageInfo, confidence: bool) -> None:
    """Find the objects of an image whose means are written, and write them.

    Args:
        path: of the image, for remarks.
        confidence: write the share of samples that find each, too.
    """
    if math.prod(item.space) <= AT_ONCE:
        objects = find_objects(item.mean(), info)
        item.write_instances(objects)
        if confidence:
            write_confidence(path, item, info, objects)
    else:
        blocks = cut_blocks(item.space)
        write_objects_by_block(path, item, info, blocks)
        if confidence:
            write_confidence_by_block(item, info, blocks)
    if info.numbered.classes is not None:
        write_object_classes(item, info.numbered.classes)


def write_objects_by_block(path: Path, item: ItemWriter, info: ImageInfo, blocks: Sequence[Block]) -> None:
    """Find and write the objects of an image block by block; remark on those larger than the halo."""
    found = BlockObjects(item.space, info.spacing, info.numbered.smallest)
    item.make_instances()
    for core, numbers in find_by_block(lambda region: _read_codes(item, region, info), blocks, found):
        item.write_values("instance", core, numbers)
    final = found.numbers()
    for block in blocks:
        item.write_values("instance", block.core, final[item.read_values("instance", block.core)])
    if found.cut:
        halo = HALOS[len(item.space)]
        remark_file(
            path,
            f"{counted(found.cut, 'object')} or more reach farther than {halo} pixels beyond a block; they are joined "
            "from their parts, whose borders may differ from those that the whole image would give",
        )


def write_confidence_by_block(item: ItemWriter, info: ImageInfo, blocks: Sequence[Block]) -> None:
    """Write the share of samples in which each object is found, as ``find_share`` has it, block by block."""
    sizes = count_objects(item, blocks)
    found = np.zeros(len(sizes))
    for sample in range(item.sample_count):

        def read(region: Region, sample: int = sample) -> NDArray[np.uint8]:
            return item.read_sample(sample, region)

        found += find_again(read, item, info, blocks, sizes)
    share = (found / item.sample_count).astype(np.float32)
    share[0] = np.nan
    item.make_confidence()
    for block in blocks:
        item.write_values("confidence", block.core, share[item.read_values("instance", block.core)])


def count_objects(item: ItemWriter, blocks: Sequence[Block]) -> NDArray[np.int64]:
    """Return the pixels of each written object, by its number; those outside have the number 0."""
    sizes = np.zeros(1, np.int64)
    for block in blocks:
        own = np.bincount(item.read_values("instance", block.core).ravel(), minlength=len(sizes))
        own[: len(sizes)] += sizes
        sizes = own
    return sizes


def find_again(
    read: ReadCodes, item: ItemWriter, info: ImageInfo, blocks: Sequence[Block], sizes: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which written objects a sample has, too: with an IoU above ``FOUND``.

    Args:
        read: the map of the sample.
        sizes: pixels of each written object.
    """
    sample = BlockObjects(item.space, info.spacing, info.numbered.smallest)
    common = np.concatenate(list(_count_common(read, item, blocks, sample)), axis=1)
    numbers = sample.numbers()
    own, other, count = common[0], numbers[common[1]].astype(np.int64), common[2]
    others = np.bincount(other, count).astype(np.int64)
    both = (own > 0) & (other > 0)
    pairs, place = np.unique(own[both] * len(others) + other[both], return_inverse=True)
    own, other = np.divmod(pairs, len(others))
    inside = np.bincount(place, count[both])
    again = np.zeros(len(sizes), dtype=bool)
    again[own[inside / (sizes[own] + others[other] - inside) > FOUND]] = True
    return again


def _count_common(
    read: ReadCodes, item: ItemWriter, blocks: Sequence[Block], sample: BlockObjects
) -> Iterator[NDArray[np.int64]]:
    """Yield of each block pairs of a written object and one of the sample, with their pixels, ``(3, pairs)``."""
    for core, numbers in find_by_block(read, blocks, sample):
        written = item.read_values("instance", core).ravel().astype(np.int64)
        width = int(numbers.max()) + 1
        pairs, count = np.unique(written * width + numbers.ravel(), return_counts=True)
        yield np.stack([*np.divmod(pairs, width), count])


def _read_codes(item: ItemWriter, region: Region, info: ImageInfo) -> NDArray[np.uint8]:
    mean = item.read_values("mean", (slice(None), *region))
    return encode_parts(torch.from_numpy(mean), info.numbered.kinds).numpy()


def count_sites(region: Region) -> int:
    """Return the pixels of a region."""
    return math.prod(part.stop - part.start for part in region)
