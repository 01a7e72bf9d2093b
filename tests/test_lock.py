from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from multiunet import InputError, lock
from multiunet.lock import LOCK, lock_run

HOLD = """
import sys; from pathlib import Path; from multiunet.lock import lock_run
with lock_run(Path(sys.argv[1])):
    print("begun", flush=True)
    sys.stdin.read()
"""


def test_one_process_is_in_it_at_a_time_and_a_dead_one_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-c", HOLD, str(folder)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"begun\n"
    with pytest.raises(InputError, match="run: is being trained by another process; wait for it"), lock_run(folder):
        pass
    child.kill()
    child.communicate()
    assert (folder / LOCK).exists()
    with lock_run(folder):
        pass
    assert list(folder.iterdir()) == []


def test_a_process_does_not_enter_twice(tmp_path: Path) -> None:
    with lock_run(tmp_path), pytest.raises(InputError, match="is being trained"), lock_run(tmp_path):
        pass
    with lock_run(tmp_path):
        pass


def test_a_folder_goes_again_if_nothing_came_into_it(tmp_path: Path) -> None:
    for name in ("mine", "filled"):
        (tmp_path / "mine").mkdir(exist_ok=True)
        with lock_run(tmp_path / name), lock_run(tmp_path / "new"):
            (tmp_path / "filled").mkdir(exist_ok=True)
            (tmp_path / "filled" / "file").write_text("")
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "filled"}


def test_a_file_system_without_locks_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(lock.FileLock, "acquire", refuse)
    with lock_run(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []
