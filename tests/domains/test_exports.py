from __future__ import annotations

import json
from pathlib import Path

import pytest

from multiunet.domains.exports import MANIFEST, exported


def write(folder: Path, *names: str) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text(name)
    return [folder / name for name in names]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != MANIFEST)


def test_what_an_earlier_export_left_goes_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "out"
    exported(out, lambda: write(out, "a", "b", "c"))
    (out / "mine").write_text("x")
    (out / "b").write_text("changed by hand")
    exported(out, lambda: write(out, "a", "d"))
    assert names(out) == ["a", "b", "d", "mine"]
    exported(out, lambda: write(out, "e"))
    assert names(out) == ["b", "e", "mine"]


@pytest.mark.parametrize(
    "manifest", ["", "[1]", '{"../outside": [1, 2]}', '{"sub": null}', '{"link": null, "gone": null}', '{"": null}']
)
def test_a_manifest_that_somebody_made_up_removes_nothing(tmp_path: Path, manifest: str) -> None:
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    (tmp_path / "outside").write_text("x")
    (out / "link").symlink_to(tmp_path / "outside")
    stamp = (tmp_path / "outside").stat()
    (out / MANIFEST).write_text(manifest.replace("[1, 2]", json.dumps([stamp.st_size, stamp.st_mtime_ns])))
    exported(out, lambda: write(out, "a"))
    assert (names(out), (tmp_path / "outside").read_text()) == (["a", "link", "sub"], "x")
