"""Folders in which torch-geometric keeps its datasets."""

from __future__ import annotations

from pathlib import Path

from multiunet.domains.graph.files.ogb import is_ogb
from multiunet.errors import InputError
from multiunet.wording import listing

NOT_DATA = ("pre_transform.pt", "pre_filter.pt")
"""Files of such a folder that say how its data were made."""


def find_processed(folder: Path) -> Path | None:
    """Return the file with the graphs of a dataset folder of torch-geometric; None for another folder.

    Raises:
        InputError: where there are several, naming them.
    """
    place = folder / "processed"
    if not place.is_dir() or is_ogb(folder):
        return None
    files = [path for path in sorted(place.glob("*.pt")) if path.name not in NOT_DATA]
    if len(files) > 1:
        names = [f"processed/{path.name}" for path in files]
        raise InputError(f"{folder}: is a dataset folder of torch-geometric with {listing(names)}; give one of them")
    return files[0] if files else None
