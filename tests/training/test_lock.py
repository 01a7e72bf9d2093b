from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from multiunet import InputError
from multiunet.training import lock
from multiunet.training.lock import LOCK, only_here

HOLD = """
import sys; from pathlib import Path; from multiunet.training.lock import only_here
with only_here(Path(sys.argv[1])):
    print("begun", flush=True)
    sys.stdin.read()
"""


def test_one_process_is_in_it_at_a_time_and_a_dead_one_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-c", HOLD, str(folder)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"begun\n"
    with (
        pytest.raises(InputError, match=rf"run: is being trained \(process {child.pid} on .*wait for it"),
        only_here(folder),
    ):
        pass
    child.kill()
    child.communicate()
    assert (folder / LOCK).exists()
    with only_here(folder):
        pass
    assert list(folder.iterdir()) == []


def test_a_folder_goes_again_if_nothing_came_into_it(tmp_path: Path) -> None:
    for name in ("mine", "filled"):
        (tmp_path / "mine").mkdir(exist_ok=True)
        with only_here(tmp_path / name), only_here(tmp_path / "new"):
            (tmp_path / "filled").mkdir(exist_ok=True)
            (tmp_path / "filled" / "file").write_text("")
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "filled"}


def test_a_file_system_without_locks_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(lock, "_lock", refuse)
    with only_here(tmp_path):
        assert (tmp_path / LOCK).exists()
    assert list(tmp_path.iterdir()) == []
