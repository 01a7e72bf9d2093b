"""How much memory there is."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from multiunet import memory


def test_free_memory_is_what_the_system_and_the_groups_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = {
        "/proc/self/cgroup": ["0::/a/b"],
        "/sys/fs/cgroup/a/memory.max": ["3000000"],
        "/sys/fs/cgroup/a/memory.current": ["1000000"],
        "/sys/fs/cgroup/a/memory.stat": ["anon 1", "inactive_file 500000"],
        "/sys/fs/cgroup/a/b/memory.max": ["max"],
        "/sys/fs/cgroup/a/b/memory.current": ["7"],
    }
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: SimpleNamespace(available=5000 * 1024))
    monkeypatch.setattr(memory, "_lines", lambda path: lines.get(str(path), []))
    assert memory.free_memory() == 2_500_000
    del lines["/sys/fs/cgroup/a/memory.max"]
    assert memory.free_memory() == 5000 * 1024
