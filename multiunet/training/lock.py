"""A folder that one process at a time trains into."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from multiunet.errors import InputError
from multiunet.process import this_process

LOCK = "LOCK"
"""The file in the folder: which process has it. It goes with the lock; one that is left is of a process that died."""

TAKEN = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)


@contextmanager
def only_here(folder: Path) -> Iterator[None]:
    """Within it no other process is in it for this folder, which is made if need be, and goes again if nothing came
    into it.

    The operating system keeps the lock, and drops it however a process ends. On a file system that has no locks,
    nothing is kept from anybody.

    Raises:
        InputError: when another process is in it.
    """
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    file = _taken(path)
    try:
        with suppress(OSError):  # a full disk: the words are for people
            os.ftruncate(file, 0)
            os.write(file, f"{this_process()}\n".encode())
        yield
    finally:
        with suppress(OSError):  # Windows removes no open file
            path.unlink()
        os.close(file)
        if made:
            with suppress(OSError):
                folder.rmdir()


def _taken(path: Path) -> int:
    """The locked file."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(file)
        except OSError as error:
            if error.errno in TAKEN:
                words = os.read(file, 1000).decode(errors="replace").strip()
                os.close(file)
                raise InputError(f"{path.parent}: is being trained ({words}); wait for it, or stop it first") from error
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), os.stat(path)):
                return file
        os.close(file)  # the process that had it removed it in between


def _lock(file: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(file, 1 << 20, os.SEEK_SET)  # others may not read what is locked: not the words
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
