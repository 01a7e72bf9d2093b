"""Memory: what is free, what tensors take, and amounts in words."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor

# torch documents dispatch modes, in its notes on extending it, under this name alone
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

CPU = torch.device("cpu")


def process_memory() -> int:
    """Return the bytes that this process holds in main memory."""
    return int(psutil.Process().memory_info().rss)


def free_memory(device: torch.device = CPU) -> int:
    """Return the bytes that this process may still take there, limits of groups and its own included."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return min([int(psutil.virtual_memory().available), *_left_by_groups(), *_left_by_limits()])


def amount(size: int) -> str:
    """Return a number of bytes in words.

    >>> amount(1_600_000_000), amount(250_000_000), amount(7_000_000_000_000), amount(4_000)
    ('1.6 GB', '250 MB', '7,000 GB', '4 kB')
    >>> amount(5)
    '5 bytes'
    """
    if size < 1e3:
        return f"{size} bytes"
    if size < 1e6:
        return f"{size / 1e3:.0f} kB"
    if size < 1e9:
        return f"{size / 1e6:.0f} MB"
    return f"{size / 1e9:.1f} GB" if size < 1e11 else f"{size / 1e9:,.0f} GB"


class LiveTensors(TorchDispatchMode):
    """Counter of the bytes of all living tensors that were made inside its context, or noted.

    Attributes:
        now: bytes of those alive.
        most: bytes of those alive at once, at the worst moment so far.
        largest: bytes of the largest.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.most = self.largest = 0
        self._known: dict[int, int] = {}

    def note(self, tensor: Tensor) -> None:
        """Count the tensor's storage until it dies."""
        storage = tensor.untyped_storage()
        key = storage._cdata  # the address of the storage itself: there may be several Python objects for one
        if key in self._known:
            return
        self._known[key] = size = storage.nbytes()
        self.now += size
        self.most, self.largest = max(self.most, self.now), max(self.largest, size)
        weakref.finalize(storage, self._drop, key)

    def passing(self, size: int) -> None:
        """Count bytes that an operation takes for itself and gives back."""
        self.most, self.largest = max(self.most, self.now + size), max(self.largest, size)

    def _drop(self, key: int) -> None:
        self.now -= self._known.pop(key)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.note(leaf)
        return result


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


def _left_by_limits() -> Iterator[int]:
    """Limit minus use of the address space and of data, where this process has such limits (``ulimit -v``)."""
    if sys.platform == "win32":
        return
    import resource  # POSIX alone has it

    sizes = dict(line.split(":", 1) for line in _lines(Path("/proc/self/status")) if line.startswith("Vm"))
    for kind, name in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        limit, _ = resource.getrlimit(kind)
        if limit != resource.RLIM_INFINITY and name in sizes:
            yield max(0, limit - 1024 * int(sizes[name].split()[0]))


def _reclaimable(folder: Path) -> int:
    """Bytes of a control group's use that are copies of files, which the system takes back when it needs to."""
    known = dict(line.split()[:2] for line in _lines(folder / "memory.stat") if len(line.split()) == 2)
    return int(known.get("inactive_file", known.get("total_inactive_file", 0)))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
