"""Names of files and of places inside them: ``FILE.h5:/place``."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

INSIDE = re.compile(r"(.+\.(?:h5|hdf5|zarr|dm3|dm4|emd|ser|bcf|czi|nd2|lif|tiff?)):/*(.+)", re.IGNORECASE)
"""File that may hold several images, and a place inside it."""


def split_place(path: Path) -> tuple[Path, str]:
    """Split ``FILE.h5:/place`` or ``FILE.zarr:/place`` into the file and the place, which may be empty.

    >>> split_place(Path("a/b.h5:/volumes/raw"))
    (PosixPath('a/b.h5'), 'volumes/raw')
    >>> split_place(Path("a/b.h5"))
    (PosixPath('a/b.h5'), '')
    """
    found = INSIDE.fullmatch(str(path))
    return (path, "") if found is None else (Path(found[1]), found[2])


def join_place(path: Path, place: str) -> Path:
    """Name a place in a file, or below a place in it.

    >>> join_place(Path("a.h5:/volumes"), "raw")
    PosixPath('a.h5:/volumes/raw')
    """
    where, above = split_place(path)
    return Path(f"{where}:/{above}/{place}" if above else f"{where}:/{place}")


def normalise_name(name: str) -> str:
    """Return a name with composed accents (NFC) and single spaces: names that look alike become equal.

    >>> normalise_name("e\u0301 1 ") == "\u00e9\u00a01"
    False
    >>> normalise_name("e\u0301 1 ") == normalise_name("\u00e9\u00a01")
    True
    """
    return " ".join(unicodedata.normalize("NFC", name).split())
