from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from multiunet import files
from multiunet.files import name_temporary, write_atomically, write_text


def test_a_file_is_replaced_whole_or_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def interrupted(temporary: Path) -> None:
        temporary.write_text("half")
        assert path.read_text() == "old"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, interrupted)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]
    write_text(path, "new")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["new"]


def test_windows_which_opens_no_folders_writes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, flush = os.open, os.fsync

    def open_file(path: Path, flags: int, *rest: int) -> int:
        if Path(path).is_dir():
            raise PermissionError(path)
        return opened(path, flags, *rest)

    def flush_writable(number: int) -> None:
        os.write(number, b"")  # fails where the file is open for reading alone, as Windows' flush does
        flush(number)

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(os, "open", open_file)
    monkeypatch.setattr(os, "fsync", flush_writable)
    write_text(tmp_path / "a.txt", "new")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["new"]


def test_file_systems_that_flush_no_folders_write_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flush = os.fsync

    def flush_files(number: int) -> None:
        if stat.S_ISDIR(os.fstat(number).st_mode):
            raise OSError(22, "Invalid argument")
        flush(number)

    monkeypatch.setattr(os, "fsync", flush_files)
    write_text(tmp_path / "a.txt", "new")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["new"]


def test_files_of_writers_that_were_killed_go_with_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, gone = tmp_path / "a.txt", 2**22 + 5  # beyond the numbers that processes get
    files._sweep.cache_clear()
    own = f"{files.machine_digest()}-{os.getpid()}"
    assert own in name_temporary(path).name
    left = name_temporary(path).with_name(name_temporary(path).name.replace(own, f"{files.machine_digest()}-{gone}"))
    kept = [left.with_name(left.name.replace("a.txt", "fresh")), tmp_path / f".b.txt.00000000-{gone}.tmp.txt"]
    for file in (left, *kept):
        file.write_text("half")
    for file in (left, kept[1]):
        os.utime(file, (0, 0))
    write_text(path, "new")
    assert sorted(tmp_path.iterdir()) == sorted([path, *kept]), "of this machine, and not written for long"
