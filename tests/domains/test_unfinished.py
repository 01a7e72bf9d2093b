from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from multiunet.domains import unfinished
from multiunet.domains.unfinished import Unfinished, sweep_finished
from multiunet.errors import InputError


def kill(*_: Any) -> None:
    raise KeyboardInterrupt


def test_a_folder_whose_making_was_killed_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "s.zarr"
    with monkeypatch.context() as patch:
        patch.setattr(unfinished, "write_text", kill)
        with pytest.raises(KeyboardInterrupt):
            Unfinished(out, {"seed": 0}, overwrite=False).prepare()
    assert (tmp_path / ".s.zarr.unfinished").is_dir()
    again = Unfinished(out, {"seed": 1}, overwrite=False)
    again.prepare()
    assert Unfinished(out, {"seed": 1}, overwrite=False).goes_on
    with pytest.raises(InputError, match="unfinished samples of other settings"):
        Unfinished(out, {"seed": 2}, overwrite=False)


@pytest.mark.parametrize(("made", "moved", "swept"), [(True, True, True), (True, False, False), (False, True, False)])
def test_what_is_left_of_samples_is_swept_once_their_result_is_there(
    made: bool, moved: bool, swept: bool, tmp_path: Path
) -> None:
    """Of a process that replaces an older result, killed before it says that all are made, or before it moves."""
    out = tmp_path / "s.zarr"
    out.mkdir()
    kept = Unfinished(out, {"seed": 0}, overwrite=True)
    kept.prepare()
    if made:
        kept.note_all_made()
    if moved:
        out.rename(tmp_path / "older")
        out.mkdir()
    sweep_finished(out, tmp_path / "lock")
    assert kept.path.exists() == (not swept)


@pytest.mark.parametrize("files", range(4))
def test_a_removal_that_was_killed_anywhere_is_ended(
    files: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "s.zarr"
    kept = Unfinished(out, {"seed": 0}, overwrite=False)
    kept.prepare()
    (kept.path / "batch-0.safetensors").touch()
    kept.note_all_made()
    out.mkdir()
    removed: list[str] = []

    def strike(remove: Any) -> Any:
        def removing(path: Any, *given: Any, **options: Any) -> None:
            if len(removed) == files:
                raise KeyboardInterrupt
            remove(path, *given, **options)
            removed.append(str(path))

        return removing

    with monkeypatch.context() as patch:
        for name in ("unlink", "rmdir"):
            patch.setattr(os, name, strike(getattr(os, name)))
        with pytest.raises(KeyboardInterrupt):
            kept.remove()
    assert kept.path.exists()
    sweep_finished(out, tmp_path / "lock")
    assert [path.name for path in tmp_path.iterdir()] == ["s.zarr"]
