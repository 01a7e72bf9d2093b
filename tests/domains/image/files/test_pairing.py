"""Names that look alike are paired; what an image and its mask state is compared."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pytest

from multiunet.domains.image.files.listing import list_images, name_files, stem_of
from multiunet.domains.image.files.pairing import Item, count_bar_rows, pair_files
from multiunet.domains.image.files.table import read_pairs
from multiunet.errors import InputError

COMPOSED = unicodedata.normalize("NFC", "größe1é")
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        (f"{COMPOSED}.png", f"{DECOMPOSED}.png"),
        (f"{DECOMPOSED}.png", f"{COMPOSED}_mask.tif"),
        ("07 .png", "07.png"),
        ("cell\u00a07.png", "cell 7.png"),
        ("cell  7.png", "cell 7_mask.png"),
        ("A1.PNG", "A1.png"),
        ("A1.png", "a1.png"),
        ("A1.png", "A1_Mask.TIF"),
        ("IMG_3.OME.TIF", "mask_3.tif"),
    ],
)
def test_names_that_look_alike_are_paired(image: str, mask: str, tmp_path: Path) -> None:
    images, masks = touch(tmp_path / "i", image), touch(tmp_path / "m", mask)
    [item] = pair_files(images, masks)
    assert (Path(item.image), Path(item.target)) == (images / image, masks / mask)
    assert unicodedata.is_normalized("NFC", item.name)


def test_names_that_only_capitals_tell_apart_are_not_mixed_up(tmp_path: Path) -> None:
    images, masks = touch(tmp_path / "i", "a.png", "A.png"), touch(tmp_path / "m", "a.png", "A.png")
    assert {Path(item.image).name: Path(item.target).name for item in pair_files(images, masks)} == {
        "a.png": "a.png",
        "A.png": "A.png",
    }
    (masks / "A.png").unlink()
    with pytest.raises(InputError, match=r"no mask for 1 of the 2 images .* such as [^ ]+_mask .*image,mask"):
        pair_files(images, masks)


def test_names_that_look_the_same_in_one_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="have the same name but for the suffix, or what cannot be seen"):
        list_images(touch(tmp_path / "i", f"{COMPOSED}.png", f"{DECOMPOSED}.png"))


def test_names_in_a_splits_file_are_compared_as_they_look() -> None:
    assert stem_of(f"{DECOMPOSED}.png") == stem_of(COMPOSED) == COMPOSED
    assert list(name_files([Path(f"{DECOMPOSED}/c.png"), Path("s1/c.png")])) == [f"{COMPOSED}_c", "s1_c"]


def test_files_of_a_table_are_found_as_they_look(tmp_path: Path) -> None:
    touch(tmp_path, f"{DECOMPOSED}.png", "m.png")
    (tmp_path / "pairs.csv").write_text(f"image,mask\n{COMPOSED}.png,m.png\n", encoding="utf-8")
    [row] = read_pairs(tmp_path / "pairs.csv")
    assert row.image == tmp_path / f"{DECOMPOSED}.png"


def test_columns_that_are_not_known_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "a.png", "m.png")
    (tmp_path / "pairs.csv").write_text("image,mask,set\na.png,m.png,test\n")
    read_pairs(tmp_path / "pairs.csv")
    assert "pairs.csv: columns that are not used: set; known are image, mask or target, split, and group" in caplog.text
    (tmp_path / "pairs.csv").write_text("image,mask,image\na.png,m.png,a.png\n")
    with pytest.raises(InputError, match="has the column 'image' twice"):
        read_pairs(tmp_path / "pairs.csv")


def test_pixel_sizes_of_an_image_and_its_mask_are_compared(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    item = Item("a", str(tmp_path / "a.nii"), str(tmp_path / "b.nii.gz"))
    for path, step in ((item.image, 1.0), (item.target, 1.001)):
        nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6), np.uint8), np.diag([step, 1, 1, 1])), path)
    count_bar_rows(item, (6, 5, 4), 0, (6, 5, 4))
    assert not caplog.text
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6), np.uint8), np.diag([2, 1, 1, 1])), item.target)
    count_bar_rows(item, (6, 5, 4), 0, (6, 5, 4))
    assert "b.nii.gz: states pixels of 1000 x 1000 x 2000 micrometres, its image 1000 x 1000 x 1000" in caplog.text


def test_an_image_and_its_mask_in_one_file_are_compared_array_by_array(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, step in (("raw", 2.0), ("label", 2.0), ("image", 3.0), ("other", 4.0)):
            file.create_dataset(name, data=np.zeros((20, 30, 40), np.uint8)).attrs["element_size_um"] = [step, 1.0, 1.0]
    item = Item("a", str(tmp_path / "a.h5"), str(tmp_path / "a.h5"))
    count_bar_rows(item, (20, 30, 40), 0, (20, 30, 40))
    assert "states pixels" not in caplog.text
    count_bar_rows(Item("a", item.image, f"{item.image}:/other"), (20, 30, 40), 0, (20, 30, 40))
    assert "a.h5:/other: states pixels of 4 x 1 x 1 micrometres, its image 2 x 1 x 1" in caplog.text
