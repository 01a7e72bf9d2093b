"""Check that all that an HDF5 file leads to lies in itself, for readers of other packages."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from multiunet.domains.image.files.hdf5_storage import check_storage
from multiunet.domains.image.files.lazy import MOST, format_shape
from multiunet.errors import InputError

MOST_LINKS = 100_000
"""Links of a file, at most: walking them takes seconds."""


def check_links(path: Path, file: Path) -> None:
    """Check every link and array of a file: none leads out of it, and none is beyond belief.

    Raises:
        InputError: naming the link or the array.
    """
    import h5py

    with h5py.File(file, "r") as opened:
        waiting, seen, count = [opened["/"]], set[Any](), 0
        while waiting:
            group = waiting.pop()
            if (place := h5py.h5o.get_info(group.id).addr) in seen:
                continue
            seen.add(place)
            for name in group:
                count += 1
                if count > MOST_LINKS:
                    raise InputError(f"{path}: holds over {MOST_LINKS:,} groups and arrays; export it again")
                if isinstance(link := group.get(name, getlink=True), h5py.ExternalLink):
                    raise InputError(
                        f"{path}: {name} is a link to another file, {link.filename}, which is not read, as that may be "
                        "any file of this machine; save it anew"
                    )
                item = group.get(name)
                if isinstance(item, h5py.Group):
                    waiting.append(item)
                elif isinstance(item, h5py.Dataset):
                    _check_array(path, file, item)


def _check_array(path: Path, file: Path, array: Any) -> None:
    shape = array.shape or ()
    if math.prod(shape) > MOST:
        raise InputError(f"{path}: says that {array.name} has {format_shape(shape)} values, which no image has")
    check_storage(path, file, array, image=False)
