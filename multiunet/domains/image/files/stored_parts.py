"""Check that the parts are there that a large array is stored in."""

from __future__ import annotations

from pathlib import Path

from multiunet.domains.image.files.lazy import MOST
from multiunet.domains.remarks import remark_file
from multiunet.errors import InputError

LARGE_BLANK = 1 << 30
"""Values beyond which an array of which nothing is stored is no blank image."""

VAST = 1 << 34
"""Values beyond which an array that is nearly empty is no image."""

MOST_EMPTY = 10_000
"""Parts for each one that is stored, of a vast array, at most."""


def check_stored(path: Path, stored: int, needed: int, size: int) -> None:
    """Check that an image is not empty: of one that is vast, some part of each few thousand is stored.

    Args:
        stored, needed: parts that are stored, and that the whole has.
        size: values of the whole.

    Raises:
        InputError: saying how much is there.
    """
    if size > MOST or needed == 1:  # which reading refuses, or knows all of
        return
    if not stored and size > LARGE_BLANK and needed > 1:
        raise InputError(f"{path}: holds no data: nothing of its {size:,} values is stored; copy or export it again")
    if size > VAST and stored * MOST_EMPTY < needed:
        raise InputError(
            f"{path}: holds next to no data: {stored:,} of its {needed:,} parts are stored; export the part that is "
            "not empty"
        )


def warn_of_missing(path: Path, missing: int, needed: int, fill: object) -> None:
    """Warn of parts of an image that are not stored, and so read as one value."""
    if missing > 0:
        remark_file(
            path,
            f"{missing} of the {needed} parts that it is stored in are not there, and read as {fill}; if they "
            "are not empty, the file is incomplete",
        )
