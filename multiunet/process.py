"""Processes: their names in words, and whether one is still alive."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
from datetime import datetime

import psutil


def this_process() -> str:
    """Return this process, its machine and the time, in words that ``is_alive`` understands."""
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    return f"process {os.getpid()} on machine {machine_digest()} since {now}"


@functools.cache
def machine_digest() -> str:
    """Return a digest of this machine's name.

    Run folders are given away, and the name itself is nobody's business.
    """
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def is_alive(words: str) -> bool | None:
    """Return whether the process that ``this_process`` named still runs; None: not known here."""
    found = re.search(r"process (\d+) on machine (\S*) since (\S+)", words)
    if found is None or found[2] != machine_digest():
        return None
    try:
        process = psutil.Process(int(found[1]))
        ended = process.status() == psutil.STATUS_ZOMBIE  # it only waits to be asked how it ended
        # a process that began later has the same number only
        return not ended and process.create_time() <= datetime.fromisoformat(found[3]).timestamp() + 2
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # somebody else's
        return True
