"""Locks that keep other processes out of a folder or a file while one works on it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from multiunet.errors import InputError

LOCK = "LOCK"
"""Name of the lock file in a run folder; one that is left behind was held by a process that was killed."""

WITHOUT_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK}
"""Errors by which a file system says that it has no locks."""


@contextmanager
def hold_lock(path: Path, busy: str, wait: float = 0) -> Iterator[None]:
    """Hold the lock file ``path`` until the end of the context, where it is removed.

    The operating system drops the lock however the process ends. On a file system without locks nobody is kept out.

    Args:
        busy: words for the error.
        wait: seconds to wait for another process.

    Raises:
        InputError: when another process holds it.
    """
    lock = FileLock(path, timeout=wait)
    try:
        while True:
            before = _inode(path)
            lock.acquire()
            if before in (None, _inode(path)):
                break
            lock.release()  # the process that held it removed the file in between: the lock keeps nobody out
    except (Timeout, RuntimeError) as error:  # RuntimeError: held by this very process
        raise InputError(busy) from error
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
    try:
        yield
    finally:
        try:
            with suppress(OSError):  # Windows removes no open file
                path.unlink()
        finally:
            lock.release()


def is_held(path: Path) -> bool:
    """Return whether a process holds the lock file ``path``."""
    try:
        with hold_lock(path, str(path)):
            return False
    except InputError:
        return True


@contextmanager
def lock_run(folder: Path) -> Iterator[None]:
    """Keep other processes from training into ``folder`` until the end of the context.

    The folder is made if need be, and removed again if nothing came into it.

    Raises:
        InputError: when another process trains into it.
    """
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with hold_lock(folder / LOCK, f"{folder}: is being trained by another process; wait for it, or stop it first"):
            yield
    finally:
        if made:
            with suppress(OSError):
                folder.rmdir()


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None
