"""Folders of exported files: what an earlier export left there goes when a new one replaces it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from multiunet.files import write_text

MANIFEST = ".multiunet-export.json"
"""In the folder: the size and the time of each file that was exported into it."""


def exported(folder: Path, write: Callable[[], list[Path]]) -> list[Path]:
    """Calls ``write``, which writes files into ``folder``, and returns them.

    Files that an earlier export wrote and this one did not are removed, unless they were changed since; what others
    put there stays.
    """
    before = _read(folder)
    written = write()
    for name in before.keys() - {path.name for path in written}:
        path = folder / name
        if (stamp := _stamp(path)) is not None and stamp == before[name]:
            path.unlink()
    write_text(folder / MANIFEST, json.dumps({path.name: _stamp(path) for path in written}, indent=1) + "\n")
    return written


def _read(folder: Path) -> dict[str, list[int] | None]:
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    plain = content if isinstance(content, dict) else {}
    return {name: stamp for name, stamp in plain.items() if Path(name).name == name}


def _stamp(path: Path) -> list[int] | None:
    """Size and time of change of a plain file; None for anything else."""
    if path.is_symlink() or not path.is_file():
        return None
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]
