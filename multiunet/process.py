"""Which process works on a run, and whether it still does."""

from __future__ import annotations

import math
import os
import platform
import re
import sys
from datetime import datetime
from pathlib import Path


def this_process() -> str:
    """This process, its machine and the time, in words that ``is_alive`` understands."""
    return (
        f"process {os.getpid()} on {platform.node()} since {datetime.now().astimezone().isoformat(timespec='seconds')}"
    )


def is_alive(words: str) -> bool | None:
    """Whether the process that ``this_process`` named is still there; None where that cannot be told from here."""
    found = re.search(r"process (\d+) on (\S*) since (\S+)", words)
    # on Windows, to ask with signal 0 is to send Ctrl-C
    if found is None or found[2] != platform.node() or sys.platform == "win32":
        return None
    pid = int(found[1])
    try:
        os.kill(pid, 0)  # asks only
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    begun = _begun(pid)
    # a process that began later has its number only
    return begun <= datetime.fromisoformat(found[3]).timestamp() + 2


def _begun(pid: int) -> float:
    """When a process began, in seconds since 1970; never, if it has ended and only waits to be asked how; at the very
    beginning, where the system does not say (Linux does)."""
    try:
        # the name, in brackets, may hold anything
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = re.search(r"^btime (\d+)", Path("/proc/stat").read_text(encoding="utf-8"), flags=re.MULTILINE)
    except OSError:
        return 0.0
    if fields[0] == "Z":
        return math.inf
    return 0.0 if boot is None else int(boot[1]) + int(fields[19]) / os.sysconf("SC_CLK_TCK")
