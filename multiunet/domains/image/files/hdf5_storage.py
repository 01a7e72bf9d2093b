"""Check of where the numbers of an HDF5 array lie, and of what its stored parts may become."""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from multiunet.domains.expansion import DEFLATE_MOST, LARGE, check_promise
from multiunet.domains.image.files.lazy import Region
from multiunet.domains.image.files.stored_parts import check_stored, warn_of_missing
from multiunet.errors import InputError

DEFLATE, CHECKSUM = 1, 3
"""Numbers of filters (HDF5: H5Z_FILTER_DEFLATE, H5Z_FILTER_FLETCHER32)."""

HARMLESS = LARGE // DEFLATE_MOST
"""Bytes of a stored part that unpack to little, whatever they are."""

DEEPEST = 4
"""Arrays that are made of others that are made of others, at most."""


def check_storage(path: Path, file: Path, array: Any, image: bool, depth: int = 0) -> None:
    """Check that an array's numbers are there, and lie in its file or, of a virtual one, in its folder.

    A file may name any other of the machine as the place of its numbers, which would be read, and shown, as pixels.

    Args:
        path: file and array as the user named them.
        file: that holds the array.
        image: warn of parts that should have been written.

    Raises:
        InputError: naming what is missing, or lies elsewhere.
    """
    if array.external:
        raise InputError(
            f"{path}: its numbers lie in another file, {array.external[0][0]}, which is not read, as that may be any "
            "file of this machine; save the array anew with h5py or h5repack"
        )
    if array.is_virtual:
        _check_sources(path, file, array, image, depth)
        return
    size, needed, stored = array.dtype.itemsize, array.size, array.id.get_storage_size() // array.dtype.itemsize
    if array.chunks:
        size *= math.prod(array.chunks)
        needed = math.prod(math.ceil(n / part) for n, part in zip(array.shape, array.chunks))
        stored = array.id.get_num_chunks()
    if image:
        check_stored(path, stored, needed, array.size)
        if array.chunks:
            warn_of_missing(path, needed - stored, needed, array.fillvalue)
    if array.chunks and stored and size > LARGE and _deflates(array):
        check_promise(path, "a part of its array", array.id.get_storage_size(), size)


def _check_sources(path: Path, file: Path, array: Any, image: bool, depth: int) -> None:
    """Check the arrays that a virtual one is made of."""
    import h5py

    folder = file.parent.resolve()
    for source in {(source.file_name, source.dset_name) for source in array.virtual_sources()}:
        name, place = source
        part = file if name == "." else folder / name
        if not part.exists():
            raise InputError(f"{path}: a part of its array lies in {name}, which is not there; put it back")
        if name != "." and not part.resolve().is_relative_to(folder):
            raise InputError(
                f"{path}: a part of its array lies in {name}, outside of its folder, which is not read, as that may be "
                "any file of this machine; put it beside the file, or save the array anew"
            )
        if depth == DEEPEST:
            raise InputError(f"{path}: its array is made of others that are made of others; save it anew")
        with h5py.File(part, "r") as opened:
            if isinstance(found := opened.get(place), h5py.Dataset):
                check_storage(path, part, found, image, depth + 1)


class Checked:
    """Check of stored parts before they are unpacked: HDF5 makes as much room as they ask for.

    Args:
        path: file and array as the user named them.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._known = path, set[tuple[int, ...]]()

    def check(self, array: Any, region: Region) -> None:
        """Check the parts that a region touches, each once.

        Raises:
            InputError: when one becomes more than its place holds.
        """
        if array.chunks is None or array.is_virtual or not _deflates(array):
            return
        size = math.prod(array.chunks) * array.dtype.itemsize
        for corner in _corners(region, array.chunks):
            if corner in self._known:
                continue
            if array.id.get_chunk_info_by_coord(corner).size > HARMLESS:
                skipped, stored = array.id.read_direct_chunk(corner)
                if not skipped and len(zlib.decompressobj().decompress(stored, size + 1)) > size:
                    raise InputError(
                        f"{self._path}: damaged, or made to do harm: a stored part becomes more than the {size:,} "
                        "bytes of its place; copy or export it again"
                    )
            self._known.add(corner)


def _corners(region: Region, chunks: Sequence[int]) -> list[tuple[int, ...]]:
    ranges = [range(cut.start // n * n, cut.stop, n) for cut, n in zip(region, chunks)]
    return list(itertools.product(*ranges))


def _deflates(array: Any) -> bool:
    """Return whether the last filter of an array, checksums apart, is deflate, so that stored parts begin with it."""
    plan = array.id.get_create_plist()
    filters = [plan.get_filter(index)[0] for index in range(plan.get_nfilters())]
    return bool(filters) and next((one for one in reversed(filters) if one != CHECKSUM), None) == DEFLATE
