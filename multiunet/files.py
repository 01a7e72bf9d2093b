"""Files and folders: checked before they are written, and written whole."""

from __future__ import annotations

import csv
import functools
import io
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from multiunet.errors import InputError
from multiunet.process import machine_digest

TEMPORARY = re.compile(r"\..+\.(?:([0-9a-f]{8})-)?(\d+)\.tmp(\.[^.]*)?")
"""Name of a file that is being written: with a digest of its machine's name, and the number of its process."""

LEFT_SECONDS = 600.0
"""Age of such a file, not written since, that is left over for sure, if its process is gone."""

AnyPath = str | os.PathLike[str]
"""Type of a path that a Python caller gives."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Characters with which spreadsheets begin a formula; the last four are the same in full width."""


def as_paths(given: AnyPath | Sequence[AnyPath]) -> list[Path]:
    """Return one path, or several, as a list."""
    return [Path(given)] if isinstance(given, (str, os.PathLike)) else [Path(path) for path in given]


def check_creatable(path: Path) -> None:
    """Check that ``path`` can be written: its nearest part that exists is a folder with permission.

    Raises:
        InputError: naming the folder that is in the way.
    """
    folder = path.parent
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise InputError(f"{path}: cannot be written, because {folder} is a file; choose another place")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{path}: cannot be written: no write permission in {folder}; choose another place")


def check_file(path: Path, overwrite: bool) -> None:
    """Check that a file can be written as ``path``: nothing is there, or a file that may be replaced.

    Raises:
        InputError: saying what is in the way.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file")
    if path.exists() and not overwrite:
        raise InputError(f"{path}: exists already; choose another name, or pass `overwrite`")
    check_creatable(path)


def make_parent(path: Path) -> None:
    """Make the folder of a file that ``check_file`` or ``check_creatable`` has found to be possible."""
    path.absolute().parent.mkdir(parents=True, exist_ok=True)


def check_folder(folder: Path, overwrite: bool) -> None:
    """Check that files can be written into ``folder``: it is new or empty, or its files may be replaced.

    Raises:
        InputError: saying what is in the way.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise InputError(f"{folder}: is a file; give a folder")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise InputError(f"{folder}: is not empty; replace files in it by `overwrite`, or choose another folder")
    check_creatable(folder / "file" if folder.is_dir() else folder)


def write_atomically(path: Path, write: Callable[[Path], object], flush: bool = True) -> None:
    """Write a file under a temporary name with ``write``, flush it to disk and rename it to ``path``.

    A reader, or a machine that loses power, finds the old file or the new one, never a part.

    Args:
        flush: False: a machine that loses power may find a part; for what is flushed later, or is of no use until then.

    Raises:
        OSError: naming the file, when it cannot be written; of it nothing is left.
    """
    temporary = name_temporary(path)
    _sweep(path.parent)
    try:
        temporary.unlink(missing_ok=True)
        with open(temporary, "xb") as file:  # anew: a link of that name would lead elsewhere
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)  # what the umask leaves of it
        write(temporary)
        with suppress(OSError):  # a file system without modes
            os.chmod(temporary, mode)  # a library that makes the file anew may keep it from everybody else
        if flush:
            sync_file(temporary)
        os.replace(temporary, path)
    except OSError as error:
        # a write to a full disk does not say where
        raise error if error.filename else OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
    if flush:
        sync_folder(path.parent)


def name_temporary(path: Path) -> Path:
    """Return under which name this process writes a file before it is renamed to ``path``."""
    return path.with_name(f".{path.name}.{machine_digest()}-{os.getpid()}.tmp{path.suffix}")


@functools.lru_cache(256)
def _sweep(folder: Path) -> None:
    """Remove the files that processes of this machine left in a folder when they were killed; once is enough."""
    with suppress(OSError):
        for path in folder.iterdir():
            found = TEMPORARY.fullmatch(path.name)
            if found is not None and found[1] == machine_digest() and not psutil.pid_exists(int(found[2])):
                with suppress(OSError):
                    if time.time() - path.stat().st_mtime > LEFT_SECONDS:
                        path.unlink()


def sync_tree(folder: Path) -> None:
    """Flush all files in a folder, and the folders themselves, to disk."""
    for place, _, names in os.walk(folder):
        for name in names:
            sync_file(Path(place, name))
        sync_folder(Path(place))


def sync_file(path: Path) -> None:
    """Flush a file to disk."""
    with open(path, "rb+") as file:  # Windows flushes only what may be written
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Flush a folder's list of files to disk."""
    if sys.platform == "win32":  # has no folders to open or flush
        return
    with suppress(OSError):  # a file system that flushes no folders
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def identify(path: Path) -> int | None:
    """Return a number by which a file or folder differs from one that takes its place; None: none is."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def remove_temporaries(folder: Path) -> None:
    """Remove the files that ``write_atomically`` left in a folder where its process was killed.

    Call it only where no other process writes into the folder.
    """
    for path in folder.iterdir():
        if TEMPORARY.fullmatch(path.name):
            path.unlink(missing_ok=True)


def write_text(path: Path, text: str, flush: bool = True) -> None:
    """Write a text file atomically; see ``write_atomically``."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"), flush)


def csv_text(rows: Iterable[Iterable[Any]]) -> str:
    """Return rows of cells as CSV, a line each; None is an empty cell.

    >>> csv_text([["name", "share"], ["a, b", None]])
    'name,share\\n"a, b",\\n'
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
