"""PNG and JPEG: opacity, palettes, animations, and what is called by another name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from multiunet.domains.image.files.masks import read_mask
from multiunet.domains.image.files.readers import read_image
from multiunet.errors import InputError

GREY = np.random.default_rng(0).integers(0, 256, (16, 24), dtype=np.uint8)
LABELS = np.kron(np.array([[0, 1, 2], [2, 0, 1]], np.uint8), np.ones((8, 8), np.uint8))


@pytest.mark.parametrize("kind", ["grey", "palette"])
def test_a_value_that_is_transparent_varies_the_opacity(kind: str, tmp_path: Path) -> None:
    image = Image.fromarray(LABELS)
    if kind == "palette":
        image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    image.save(tmp_path / "a.png", transparency=1)
    with pytest.raises(InputError, match=r"a\.png: its alpha channel varies"):
        read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), LABELS)
    image.save(tmp_path / "b.png", transparency=77)
    assert read_image(tmp_path / "b.png").pixels.shape[0] == (3 if kind == "palette" else 1)


def test_animations_are_refused(tmp_path: Path) -> None:
    first, *others = (Image.fromarray(GREY + step) for step in range(3))
    first.save(tmp_path / "a.png", save_all=True, append_images=others)
    with pytest.raises(InputError, match=r"a\.png: an animation of 3 images"):
        read_image(tmp_path / "a.png")


def test_further_pictures_in_a_jpeg_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first, other = (Image.fromarray(np.dstack([GREY + step] * 3)) for step in range(2))
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[other])
    assert read_image(tmp_path / "a.jpg").space == (16, 24)
    assert "a.jpg: holds 2 images, of which the first is read" in caplog.text


def test_labels_compressed_as_jpeg_are_refused_whatever_the_name(tmp_path: Path) -> None:
    Image.fromarray(LABELS).save(tmp_path / "a.png", "JPEG")
    tifffile.imwrite(tmp_path / "a.tif", LABELS, compression="jpeg")
    for name in ("a.png", "a.tif"):
        with pytest.raises(InputError, match=f"{name}: JPEG changes values near edges"):
            read_mask(tmp_path / name)
        assert read_image(tmp_path / name).space == (16, 24)


def test_rows_of_bmp_are_stored_from_either_end(tmp_path: Path) -> None:
    path = tmp_path / "a.bmp"
    Image.fromarray(GREY).save(path)
    np.testing.assert_array_equal(read_image(path).pixels[0], GREY)
    content = bytearray(path.read_bytes())
    height = int.from_bytes(content[22:26], "little", signed=True)
    content[22:26] = (-height).to_bytes(4, "little", signed=True)
    path.write_bytes(content)
    np.testing.assert_array_equal(read_image(path).pixels[0], GREY[::-1])


def test_pages_of_other_meaning_in_a_tiff_are_refused(tmp_path: Path) -> None:
    """A mask of transparency, or a thumbnail, is no section."""
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(GREY, metadata=None)
        file.write(GREY > 99, metadata=None, subfiletype=4)
    with pytest.raises(InputError, match=r"a\.tif: holds 2 images"):
        read_image(tmp_path / "a.tif")
