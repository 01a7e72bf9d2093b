"""How much memory there is, and how to say it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import torch

CPU = torch.device("cpu")


def process_memory() -> int:
    """Bytes that this process holds in main memory; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def free_memory(device: torch.device = CPU) -> int:
    """Bytes that this process may still take on the device.

    On Linux what is available, and what its control groups leave; elsewhere half of what is installed.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    known = [*_available(), *_left_by_groups()]
    return min(known) if known else _installed() // 2


def amount(size: int) -> str:
    """Bytes for people.

    >>> amount(1_600_000_000), amount(250_000_000), amount(7_000_000_000_000)
    ('1.6 GB', '250 MB', '7,000 GB')
    """
    if size < 1e9:
        return f"{size / 1e6:.0f} MB"
    return f"{size / 1e9:.1f} GB" if size < 1e11 else f"{size / 1e9:,.0f} GB"


def _installed() -> int:
    if not hasattr(os, "sysconf"):
        return 16 << 30
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _available() -> Iterator[int]:
    lines = _lines(Path("/proc/meminfo"))
    yield from (int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))


def _left_by_groups() -> Iterator[int]:
    """Limit minus use of each control group (versions 2 and 1) that limits this process, as seen from within it."""
    root = Path("/sys/fs/cgroup")
    named = {root}
    for line in _lines(Path("/proc/self/cgroup")):
        _, kinds, path = line.split(":", 2)
        if kinds in ("", "memory"):
            folder = (root / kinds / path.strip("/")).resolve()
            named |= {folder, *(parent for parent in folder.parents if parent.is_relative_to(root))}
    for folder in named:
        for limit, used in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
            numbers = [line for name in (limit, used) for line in _lines(folder / name)]
            if len(numbers) == 2 and all(number.isdigit() for number in numbers) and int(numbers[0]) < 1 << 60:
                yield max(0, int(numbers[0]) - int(numbers[1]) + _reclaimable(folder))


def _reclaimable(folder: Path) -> int:
    """Bytes of a control group's use that are copies of files, which the system takes back when it needs to."""
    known = dict(line.split()[:2] for line in _lines(folder / "memory.stat") if len(line.split()) == 2)
    return int(known.get("inactive_file", known.get("total_inactive_file", 0)))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
