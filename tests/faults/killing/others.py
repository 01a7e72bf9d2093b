"""Strikes that are no signals: lost power, a clock set back, a full disk and a read-only one."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.killing.child import END_SECONDS, Child, Place, start
from tests.faults.killing.moments import DAY, Moments, lose_power

OTHERS = ("power", "clock", "disk", "read-only")

MOUNTED = ("disk", "read-only")
"""Those that need a disk of their own, hence the superuser."""

ROOM = "256m"


def can_mount() -> bool:
    """Return whether this process may mount a disk."""
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("mount") is not None


@contextmanager
def own_disk(folder: Path, kind: str) -> Iterator[None]:
    """Put the contents of a folder on a disk of its own, in memory, where this kind needs one."""
    if kind not in MOUNTED:
        yield
        return
    before = folder.with_name("before")
    shutil.rmtree(before, ignore_errors=True)
    folder.rename(before)
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "none", str(folder)], check=True)
    try:
        shutil.copytree(before, folder, dirs_exist_ok=True)
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _remount(folder: Path, how: str) -> bool:
    done = subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], stderr=subprocess.DEVNULL, check=False)
    return done.returncode == 0


def strike_otherwise(
    kind: str, place: Place, words: list[str], save_seconds: float, seconds: float, count: int, rng: random.Random
) -> tuple[Child, str, bool]:
    """Strike a command in another way than by a signal.

    Args:
        seconds: of the undisturbed command.
        count: its operations on files.

    Returns:
        The command that has ended, how it was struck, in words, and whether it was.
    """
    deadline = rng.randint(1, max(1, count))
    if kind == "power":
        known = {path.stat().st_ino: (path.stat().st_size, path.stat().st_mtime_ns) for path in place.here.rglob("*")}
        child = _run(start(place, words, save_seconds, Moments(deadline, kind)))
        struck = place.take("struck")
        lost = lose_power(place, known, rng) if struck else ""
        return child, f"power lost at operation {deadline} of {count}: {lost}", struck
    if kind == "clock":
        child = _run(start(place, words, save_seconds, Moments(deadline, "KILL")))
        for path in place.here.rglob("*"):  # written a day from now, as the clock has it that is set back
            os.utime(path, (path.stat().st_atime + DAY, path.stat().st_mtime + DAY))
        return child, f"killed at operation {deadline} of {count}, then set back a day", place.take("struck")
    if kind == "disk":
        child = _run_on_a_small_disk(place, words, save_seconds, rng)
        return child, "disk full", child.code != 0
    child = start(place, words, save_seconds, Moments())
    child.wait(rng.random() * seconds)
    while child.poll() is None and not _remount(place.here, "ro"):  # busy while a file is open for writing
        child.wait(0.002)
    _run(child)
    _remount(place.here, "rw")
    return child, "disk read-only", child.code != 0


def _run_on_a_small_disk(place: Place, words: list[str], save_seconds: float, rng: random.Random) -> Child:
    used = shutil.disk_usage(place.here).used
    _remount(place.here, f"size={used + 4096 * rng.randint(1, 60)}")
    child = _run(start(place, words, save_seconds, Moments()))
    _remount(place.here, f"size={ROOM}")
    return child


def _run(child: Child) -> Child:
    if child.wait(END_SECONDS) is None:
        child.end()
    return child
