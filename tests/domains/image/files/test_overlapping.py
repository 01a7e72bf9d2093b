"""Masks of overlapping classes, in all layouts, and pairs of images with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from multiunet.domains.image.data.overlapping import sample_overlapping
from multiunet.domains.image.files.overlapping import (
    UNKNOWN,
    choose_places,
    join_files,
    places_of,
    read_overlapping,
    split_files,
    unpack,
    used_places,
)
from multiunet.domains.image.files.overlapping_pairs import list_sources, pair_overlapping
from multiunet.errors import InputError

CELL = np.array([[0, 1, 1], [0, 1, 1]], dtype=np.uint8)
BORDER = np.array([[1, 1, 0], [0, 0, 0]], dtype=np.uint8)
BITS = CELL + 2 * BORDER


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels, photometric="minisblack")
    else:
        Image.fromarray(pixels).save(path)
    return path


def test_layouts_give_the_same_bits(tmp_path: Path) -> None:
    files = [save(tmp_path / f"m/{name}/a.png", 255 * mask) for name, mask in (("c", CELL), ("d", BORDER))]
    painted = np.stack([255 * CELL, 255 * BORDER, 0 * CELL], axis=-1)
    given = {
        join_files(files): ("files", 2),
        str(save(tmp_path / "pages.tif", np.stack([CELL, BORDER]))): ("channels", 2),
        str(save(tmp_path / "colours.png", painted)): ("channels", 3),
        str(save(tmp_path / "bits.png", BITS)): ("bits", 0),
    }
    for target, layout in given.items():
        found = read_overlapping(target, 2)
        assert (found.layout, found.places) == layout
        assert np.array_equal(found.bits[...], BITS), target
    volume = np.stack([np.stack([CELL] * 4), np.stack([BORDER] * 4)], axis=1)  # z, c, y, x
    tifffile.imwrite(tmp_path / "v.tif", volume, imagej=True, metadata={"axes": "ZCYX"})
    assert np.array_equal(read_overlapping(str(tmp_path / "v.tif"), 3).bits[...], np.stack([BITS] * 4))


def test_unknown_pixels_are_those_of_their_class(tmp_path: Path) -> None:
    files = [save(tmp_path / f"{name}/a.png", mask) for name, mask in (("c", CELL), ("d", BORDER))]
    save(files[1], np.where(CELL == 0, 9, BORDER).astype(np.uint8))
    planes = unpack(read_overlapping(join_files(files), 2, ignore_value=9).bits[...], 2)
    assert np.array_equal(planes[0], CELL)
    assert np.array_equal(np.isnan(planes[1]), CELL == 0)
    assert planes[1, 0, 1] == 1
    bits = save(tmp_path / "bits.png", np.where(CELL == 0, 255, 1).astype(np.uint8))
    assert (
        np.isnan(unpack(read_overlapping(str(bits), 2, 255).bits[...], 3)).all(axis=0).tolist() == (CELL == 0).tolist()
    )


def test_places_are_renumbered_with_their_unknown_bits() -> None:
    bits = np.array([0b1000, 0b0010, 1 << (UNKNOWN + 3)])
    assert places_of(used_places(bits)) == [1, 3]
    assert unpack(choose_places(bits, [1, 3]), 2).tolist() == [
        [0.0, 1.0, 0.0],
        pytest.approx([1.0, 0.0, np.nan], nan_ok=True),
    ]
    assert choose_places(np.array([0b11]), [0, 1]).tolist() == [0b11]


def test_samples_take_what_most_of_a_place_has() -> None:
    bits = np.zeros((4, 6), dtype=np.int64)
    bits[:, 3:] |= 1
    bits[2:, :] |= 2
    rows, columns = np.meshgrid(np.arange(3, dtype=np.float32), np.arange(5, dtype=np.float32), indexing="ij")
    moved = sample_overlapping(bits, np.stack([rows + 0.25, columns + 0.6]), 2)
    assert moved[0].tolist() == [[0.0, 0.0, 1.0, 1.0, 1.0]] * 3  # 2.6 is more than half in the column 3
    assert moved[1, :, 0].tolist() == [0.0, 0.0, 1.0]  # 1.25 is a quarter in the row 2
    whole = sample_overlapping(bits, np.stack([rows, columns]), 2)
    assert np.array_equal(whole, unpack(bits[:3, :5], 2))


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.stack([CELL, 3 * BORDER]), r"channel 1: value 3 in 2 pixels; a mask of one class is 0 outside and 1"),
        (np.stack([CELL, CELL + 254 * (BORDER * CELL)]), r"channel 1: value 255 in 1 pixel; .* this has 0, 1, 255"),
        (-BITS.astype(np.int16), r"3 pixels are -|pixels are -"),
    ],
)
def test_other_values_are_named(tmp_path: Path, pixels: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_overlapping(str(save(tmp_path / "a.tif", pixels)), 2)


def test_masks_of_one_image_are_alike(tmp_path: Path) -> None:
    files = [save(tmp_path / "c/a.png", CELL), save(tmp_path / "d/a.png", BORDER[:1])]
    with pytest.raises(InputError, match=r"d/a.png: is 1 x 3, but .*c/a.png is 2 x 3"):
        read_overlapping(join_files(files), 2)
    with pytest.raises(InputError, match="rename it"):
        join_files([tmp_path / "a,b.png"])


def test_folders_and_endings_of_classes_are_paired(tmp_path: Path) -> None:
    for name in ("a", "a_1"):
        save(tmp_path / f"images/{name}.png", CELL)
        for kind, mask in (("cell", CELL), ("border", BORDER)):
            save(tmp_path / f"folders/{kind}/{name}.png", mask)
            save(tmp_path / f"endings/{name}_{kind}.png", mask)
    for where in ("folders", "endings"):
        items = pair_overlapping(tmp_path / "images", tmp_path / where)
        assert [item.name for item in items] == ["a", "a_1"]
        assert [list_sources(item) for item in items] == [("border", "cell")] * 2
        for item in items:
            assert np.array_equal(read_overlapping(item.target, 2).bits[...], BORDER + 2 * CELL)
            assert all(Path(file).is_file() for file in split_files(item.target))
    (tmp_path / "folders/border/a_1.png").unlink()
    with pytest.raises(InputError, match=r"folders/border: no mask of this class for 1 of the 2 images .*a_1"):
        pair_overlapping(tmp_path / "images", tmp_path / "folders")
    (tmp_path / "endings/a_1_cell.png").unlink()
    with pytest.raises(InputError, match=r"no mask a_1_cell, which 1 other image has"):
        pair_overlapping(tmp_path / "images", tmp_path / "endings")
