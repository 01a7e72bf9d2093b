"""Moments of a command, counted by what it does to files: at one of them it strikes itself.

Kills at random times seldom fall between the writing of a file and its renaming. Those at a random operation do.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.chmod", "os.truncate", "os.fsync"}
"""Audit events of what changes files; the last is none of Python's, and is raised here."""

DAY = 86_400.0


@dataclass
class Moments:
    """Counter of operations on files, in the child.

    Attributes:
        deadline: number of the operation before which it strikes; None: never.
        kind: what strikes: the name of a signal; ``power``: killed, and what the disk does not hold is noted;
            ``clock``: the clock is set back a day.
        undoable: changes of folders since anything was last flushed, the oldest first, of ``power``.
        synced: size and time of each file by its number, as it was flushed.
    """

    deadline: int | None = None
    kind: str = "KILL"
    count: int = 0
    undoable: list[list[Any]] = field(default_factory=list)
    synced: dict[int, tuple[int, int]] = field(default_factory=dict)
    _busy: bool = False
    _place: Any = None

    def watch(self, place: Any) -> None:
        """Begin to count, in the process that calls this and no other."""
        self._place, self._root, self._pid = place, str(place.here), os.getpid()
        self._modules = set(sys.modules)
        real = os.fsync

        def fsync(file: Any) -> None:
            number = file if isinstance(file, int) else file.fileno()
            sys.audit("os.fsync", os.readlink(f"/proc/self/fd/{number}"))
            real(number)
            found = os.fstat(number)
            self.synced[found.st_ino] = (found.st_size, found.st_mtime_ns)
            self.undoable.clear()  # a file system with a journal writes all changes before this one, too

        os.fsync = fsync  # type: ignore[assignment]
        sys.addaudithook(self._hear)

    def note_count(self, place: Any) -> None:
        """Say how many operations there were, and which modules were imported."""
        self._busy = True
        (place.side / "count").write_text(str(self.count))
        (place.side / "modules").write_text("\n".join(set(sys.modules) - self._modules))

    def _hear(self, event: str, given: tuple[Any, ...]) -> None:
        if event not in EVENTS or self._busy or os.getpid() != self._pid:
            return
        if event == "open" and not (isinstance(given[2], int) and given[2] & WRITES):
            return
        self._busy = True
        try:
            paths = self._paths(event, given)
            if paths and paths[0].startswith(self._root):
                self.count += 1
                if self.count == self.deadline:
                    self._strike()
                if self.kind == "power":
                    self._note(event, paths)
        finally:
            self._busy = False

    def _paths(self, event: str, given: tuple[Any, ...]) -> list[str]:
        found = []
        folders = {"os.rename": given[2:4], "os.link": given[2:4], "os.remove": given[1:2], "os.rmdir": given[1:2]}
        for number, name in enumerate(given[:2] if event in ("os.rename", "os.link") else given[:1]):
            if isinstance(name, int) or name is None:
                return []
            folder = (folders.get(event) or ())[number : number + 1]
            base = f"/proc/self/fd/{folder[0]}" if folder and isinstance(folder[0], int) and folder[0] >= 0 else None
            found.append(os.path.abspath(os.path.join(os.readlink(base) if base else os.getcwd(), os.fsdecode(name))))
        return found

    def _strike(self) -> None:
        (self._place.side / "struck").touch()
        if self.kind == "power":
            note = {"undoable": self.undoable, "synced": [[number, *state] for number, state in self.synced.items()]}
            (self._place.side / "journal.json").write_text(json.dumps(note))
            os.kill(os.getpid(), signal.SIGKILL)
        if self.kind == "clock":
            real = time.time
            time.time = lambda: real() - DAY
            return
        os.kill(os.getpid(), getattr(signal, f"SIG{self.kind}"))

    def _note(self, event: str, paths: list[str]) -> None:
        """Note how an operation that follows is undone."""
        path = paths[-1]
        before = self._keep(path) if event in ("os.rename", "os.remove") else None
        if event == "os.rename":
            self.undoable.append(["rename", *paths, before])
        elif event == "os.remove":
            self.undoable.append(["remove", path, before])
        elif event == "os.rmdir":
            self.undoable.append(["rmdir", path])
        elif event in ("os.mkdir", "os.link", "open") and not os.path.lexists(path):  # else it fails, or makes nothing
            self.undoable.append(["make", path])

    def _keep(self, path: str) -> str | None:
        """Keep a second name of a file that is about to lose its own."""
        try:
            if not stat.S_ISREG(os.lstat(path).st_mode):
                return None
        except FileNotFoundError:
            return None
        kept = str(self._place.side / f"kept-{self.count}")
        os.link(path, kept)
        return kept


def lose_power(place: Any, known: dict[int, tuple[int, int]], rng: Any) -> str:
    """Take from the disk what a machine that lost its power may not have written; return what, in words.

    Changes of folders after the last flush are undone, a random number of the newest ones. Files that were not flushed
    after they were written are empty, or cut off in the middle, or whole.

    Args:
        known: sizes and times of the files that were there before, by their numbers.
    """
    note, lost = json.loads(place.read("journal.json")), []
    kept = known | {number: (size, changed) for number, size, changed in note["synced"]}
    changes = note["undoable"]
    for change in reversed(changes[len(changes) - rng.randint(0, len(changes)) :]):
        lost.append(" ".join([change[0], Path(change[1]).name]))
        _undo(change)
    for path in sorted(place.here.rglob("*")):
        if not path.is_file() or path.is_symlink():
            continue
        found = path.stat()
        if kept.get(found.st_ino) == (found.st_size, found.st_mtime_ns):
            continue
        rest = rng.choice([0, found.st_size // 2, found.st_size])
        if rest < found.st_size:
            os.truncate(path, rest)
            lost.append(f"cut {path.name}")
    return ", ".join(lost)


def _undo(change: list[Any]) -> None:
    import shutil

    kind, path = change[0], change[1]
    if kind == "rename" and os.path.lexists(change[2]):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.rename(change[2], path)
        if change[3]:
            os.rename(change[3], change[2])
    elif kind == "remove" and change[2] and os.path.isdir(os.path.dirname(path)) and not os.path.lexists(path):
        os.rename(change[2], path)
    elif kind == "rmdir":
        os.makedirs(path, exist_ok=True)
    elif kind == "make" and os.path.lexists(path):
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
