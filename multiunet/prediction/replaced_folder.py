"""Folders that appear under their name only when they are complete."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

from multiunet.errors import InputError, RunError
from multiunet.files import check_creatable, sync_tree
from multiunet.lock import hold_lock


class ReplacedFolder:
    """Folder that is written as ``partial`` beside its place, and moved there at the end of the context.

    An older folder of the name is moved aside first and removed last. A process that is killed between these two moves
    leaves the new folder complete; the next one finishes its work. After an error the older folder is as it was.

    Attributes:
        partial: where the new folder is to be written.

    Raises:
        InputError: when the folder exists and is not to be overwritten, or cannot be written; at the begin of the
            context also when another process writes it.
        RunError: when the disk is full; at the end of the context, when another program wrote the folder in between.
    """

    def __init__(self, path: Path, overwrite: bool) -> None:
        self.path, self._overwrite = path, overwrite
        self.partial, self._replaced = path.with_name(f".{path.name}.partial"), path.with_name(f".{path.name}.replaced")
        self._check_free()
        check_creatable(path)
        self._locks = ExitStack()

    def __enter__(self) -> ReplacedFolder:
        with full_disk_in_words(self.path), ExitStack() as locks:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            busy = f"{self.path}: another process is writing it; wait for that, or choose another name"
            locks.enter_context(hold_lock(self.path.with_name(f".{self.path.name}.lock"), busy))
            self._finish_what_was_killed()
            self._check_free()
            self._locks = locks.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        with self._locks, full_disk_in_words(self.path):
            try:
                if error is not None:
                    raise error
                self._move_into_place()
            finally:
                shutil.rmtree(self.partial, ignore_errors=True)

    def _check_free(self) -> None:
        if self.path.exists() and not self._overwrite:
            raise InputError(f"{self.path}: exists already; replace it by `overwrite`, or choose another name")

    def _finish_what_was_killed(self) -> None:
        """Finish what a process was doing that was killed with the lock held, and remove what it left."""
        if self._replaced.exists() and not self.path.exists():
            complete = self.partial if self.partial.exists() else self._replaced
            os.rename(complete, self.path)
        for left in (self._replaced, self.partial):
            shutil.rmtree(left, ignore_errors=True)

    def _move_into_place(self) -> None:
        sync_tree(self.partial)
        if self.path.exists():
            if not self._overwrite:
                raise RunError(f"{self.path}: another program wrote it in the meantime; choose another name")
            os.rename(self.path, self._replaced)
        try:
            os.rename(self.partial, self.path)
        except OSError:
            if self._replaced.exists():
                os.rename(self._replaced, self.path)
            raise
        shutil.rmtree(self._replaced, ignore_errors=True)


@contextmanager
def full_disk_in_words(path: Path) -> Iterator[None]:
    """Raise ``RunError`` in place of the system's error when the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise RunError(
            f"{path}: the disk is full, so nothing of the prediction is kept; free some space, or choose another place"
        ) from error
