from __future__ import annotations

from pathlib import Path

import pytest

from multiunet.domains.image.files.listing import list_images, name_files, stem_of
from multiunet.errors import InputError


def test_files_of_a_folder_are_sorted_and_others_left_out(tmp_path: Path) -> None:
    for name in ("b.png", "a.TIF", "c.ome.tif", ".hidden.png", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert list(list_images(tmp_path)) == ["a", "b", "c"]
    assert list(list_images(tmp_path / "[ab].*")) == ["a", "b"]
    assert list(list_images(tmp_path / "b.png")) == ["b"]


def test_a_stem_keeps_dots_that_are_no_suffix() -> None:
    assert [stem_of(name) for name in ("s1.5um.png", "s1.5um", "x.ome.tiff")] == ["s1.5um", "s1.5um", "x"]


@pytest.mark.parametrize(
    ("files", "message"),
    [([], "it is empty"), (["readme.txt"], r"it holds \.txt"), (["a.png", "a.tif"], "same name")],
)
def test_folders_that_are_no_images(tmp_path: Path, files: list[str], message: str) -> None:
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=message):
        list_images(tmp_path)


def test_places_in_one_file_tell_its_arrays_apart() -> None:
    assert list(name_files([Path("t.h5:/t0"), Path("t.h5:/t1")])) == ["t_t0", "t_t1"]
    assert list(name_files([Path("s0/c.h5:/v/raw"), Path("s1/c.h5:/v/raw")])) == ["s0_c", "s1_c"]
    assert list(name_files([Path("s0/c.h5:/v/a"), Path("s1/c.h5:/v/b"), Path("s1/c.h5")])) == [
        "s0_c_v_a",
        "s1_c_v_b",
        "s1_c",
    ]
    with pytest.raises(InputError, match="named twice"):
        name_files([Path("t.h5:/t0"), Path("t.h5:/t0")])
