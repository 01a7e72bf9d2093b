"""Folders that appear under their name only when they are complete."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType

from multiunet.errors import InputError, RunError
from multiunet.files import check_creatable, sync_tree
from multiunet.lock import hold_lock
from multiunet.prediction.ledger import WAIT, Ledger, partial_of, record_of


class ReplacedFolder:
    """Folder that is written as ``partial`` beside its place, and moved there at the end of the context.

    An older folder of the name is moved aside first and removed last. A process that is killed between these two moves
    leaves the new folder complete; the next one finishes its work, or removes what is left beside it. After an error
    the older folder is as it was.

    With a ledger the partial folder stays where a process is interrupted, and another goes on with it. Parts write it
    at the same time; it is moved by the part that joins them.

    Args:
        make: makes the partial folder.

    Attributes:
        partial: where the new folder is to be written.

    Raises:
        InputError: when the folder exists and is not to be overwritten, or cannot be written; at the begin of the
            context also when another process writes it.
        RunError: when the disk is full; at the end of the context, when another program wrote the folder in between.
    """

    def __init__(
        self, path: Path, overwrite: bool, make: Callable[[Path], object], ledger: Ledger | None = None
    ) -> None:
        self.path, self._overwrite, self._make, self._ledger = path, overwrite, make, ledger
        self.partial, self._replaced = partial_of(path), path.with_name(f".{path.name}.replaced")
        if path.exists() and not overwrite:
            self._sweep()
        self._check_free()
        check_creatable(path)
        self._locks = ExitStack()

    def __enter__(self) -> ReplacedFolder:
        with full_disk_in_words(self.path, self._ledger), ExitStack() as locks:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self._ledger is None or not self._ledger.in_parts:
                locks.enter_context(self._lock())
                self._check_no_part_runs()
                self._begin()
            else:
                part = self._ledger.part
                busy = f"{self.path}: another process makes part {part}; wait for that"
                locks.enter_context(hold_lock(self._part_lock(part.number), busy))
                with self._lock(WAIT):
                    self._begin()
            self._locks = locks.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        ledger, stays = self._ledger, False
        with self._locks, full_disk_in_words(self.path, ledger):
            try:
                if error is not None:
                    raise error
                stays = ledger is not None and not ledger.joins
                if not stays:
                    self._move_into_place()
            except BaseException as error:
                stays = ledger is not None and self.partial.exists() and self._keep(ledger, error)
                raise
            finally:
                if not stays:
                    shutil.rmtree(self.partial, ignore_errors=True)
                    if ledger is not None:
                        ledger.remove()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Keep other parts from making something in the folder until the end of the context."""
        if self._ledger is None or self._ledger.joins:  # which holds the lock
            yield
        else:
            with self._lock(WAIT):
                yield

    def close_part(self) -> bool:
        """End this part; return whether it is the last, and now joins all of them."""
        ledger = self._ledger
        assert ledger is not None
        if not ledger.close_part():
            return False
        with ExitStack() as locks:
            try:
                locks.enter_context(self._lock())
            except InputError:  # another part joins them
                return False
            if not self.partial.exists():  # it was faster
                return False
            self._locks.push(locks.pop_all())
        ledger.join()
        return True

    def _begin(self) -> None:
        goes_on = self._ledger is not None and self._ledger.goes_on()
        self._finish_what_was_killed(goes_on)
        self._check_free()
        if not goes_on:
            if self._ledger is not None:
                self._ledger.remove()  # it would be taken for that of the folder that is made now
            self._make_folder()
        if self._ledger is not None:
            self._ledger.open()

    def _make_folder(self) -> None:
        """Make the folder; it is on the disk before a record says that it may be gone on with."""
        try:
            self._make(self.partial)
            sync_tree(self.partial)
        except BaseException:
            shutil.rmtree(self.partial, ignore_errors=True)
            raise

    def _keep(self, ledger: Ledger, error: BaseException) -> bool:
        """Return whether what is written stays after an error: that of parts, or of an interrupted process."""
        stopped = isinstance(error, KeyboardInterrupt | SystemExit)
        if stopped:
            ledger.save()
        return ledger.in_parts or (stopped and not ledger.is_empty())

    def _lock(self, wait: float = 0) -> AbstractContextManager[None]:
        busy = f"{self.path}: another process is writing it; wait for that, or choose another name"
        return hold_lock(lock_of(self.path), busy, wait)

    def _part_lock(self, number: int | str) -> Path:
        return self.path.with_name(f".{self.path.name}.part-{number}.lock")

    def _check_no_part_runs(self) -> None:
        for lock in self.path.parent.glob(self._part_lock("*").name):
            with hold_lock(lock, f"{self.path}: another process makes a part of it; wait for that"):
                pass

    def _check_free(self) -> None:
        if self.path.exists() and not self._overwrite:
            raise InputError(f"{self.path}: exists already; replace it by `overwrite`, or choose another name")

    def _sweep(self) -> None:
        """Remove what a process left that was killed when the folder was complete; not what another can go on with."""
        with suppress(InputError, OSError), self._lock():
            self._check_no_part_runs()  # which also removes the locks of parts that were killed
            shutil.rmtree(self._replaced, ignore_errors=True)
            if not self.partial.exists():
                shutil.rmtree(record_of(self.path), ignore_errors=True)

    def _finish_what_was_killed(self, goes_on: bool) -> None:
        """Finish what a process did that was killed with the lock held; remove what it left, unless it goes on."""
        for left in (self._replaced, self.partial):
            if left.is_symlink():  # put there by others: what is written would go where it leads
                left.unlink()
        if self._replaced.exists() and not self.path.exists():
            complete = self.partial if self.partial.exists() else self._replaced
            os.rename(complete, self.path)
        for left in [self._replaced] if goes_on else [self._replaced, self.partial]:
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


def lock_of(path: Path) -> Path:
    """Return the lock of a folder that is written, which the process holds that completes it."""
    return path.with_name(f".{path.name}.lock")


@contextmanager
def full_disk_in_words(path: Path, ledger: Ledger | None = None) -> Iterator[None]:
    """Raise ``RunError`` in place of the system's error when the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        kept = "so nothing of the prediction is kept; free some space, or choose another place"
        if ledger is not None and ledger.in_parts:
            kept = "and what is done is kept; free some space, and give the same command again"
        raise RunError(f"{path}: the disk is full, {kept}") from error
