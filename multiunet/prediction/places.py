"""Places of inputs as a store keeps them: seen from its folder, so that both may move together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = "file"
"""Attribute of a group that says where its input lies."""


def keep_place(attrs: Mapping[str, Any], store: Path) -> dict[str, Any]:
    """Return attributes whose absolute ``file`` is seen from the store's folder, without the way to it."""
    kept = dict(attrs)
    if os.path.isabs(place := str(kept.get(FILE, ""))):
        try:
            kept[FILE] = Path(os.path.relpath(place, store.absolute().parent)).as_posix()
        except ValueError:  # another drive
            kept[FILE] = Path(place).name
    return kept


def find_place(attrs: Mapping[str, Any], store: Path) -> Path | None:
    """Return the input that a stored prediction names, which may be gone; None where it names none."""
    return store.absolute().parent / str(attrs[FILE]) if FILE in attrs else None
