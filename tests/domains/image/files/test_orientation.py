"""Images that state how viewers turn them are turned as Pillow turns them, in memory and on disk, in every format."""

from __future__ import annotations

import io
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from multiunet.domains.image.files import lazy, tiff
from multiunet.domains.image.files.lazy import Lazy
from multiunet.domains.image.files.masks import read_mask
from multiunet.domains.image.files.orientation import ORIENTATION, TURNS
from multiunet.domains.image.files.readers import read_image
from multiunet.errors import InputError

GREY = np.random.default_rng(0).integers(0, 256, (7, 9), dtype=np.uint8)
RGB = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)


def turned(pixels: np.ndarray, tag: int) -> np.ndarray:
    """As Pillow turns an image with this tag."""
    image = Image.fromarray(pixels)
    image.getexif()[ORIENTATION] = tag
    return np.asarray(ImageOps.exif_transpose(image))


def write_tagged(path: Path, pixels: np.ndarray, tag: int) -> None:
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels, extratags=[(ORIENTATION, "H", 1, tag, True)], metadata=None)
        return
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[ORIENTATION] = tag
    image.save(path, exif=exif)


@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize("name", ["a.tif", "a.png"])
@pytest.mark.parametrize("pixels", [GREY, RGB], ids=["grey", "rgb"])
def test_the_tag_is_obeyed_as_pillow_obeys_it(
    pixels: np.ndarray, name: str, tag: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / name
    write_tagged(path, pixels, tag)
    expected = turned(pixels, tag)
    np.testing.assert_array_equal(read_image(path).pixels, np.moveaxis(np.atleast_3d(expected), -1, 0))
    assert (f"{name}: its orientation tag says" in caplog.text) == (tag in TURNS)
    if name == "a.tif":
        with Image.open(io.BytesIO(path.read_bytes())) as image:  # of a grey one mapped from disk it swaps the sides
            image.load()  # turns it
            np.testing.assert_array_equal(expected, np.asarray(image))


def test_masks_are_turned_like_images(tmp_path: Path) -> None:
    for name in ("a.tif", "a.png"):
        write_tagged(tmp_path / name, GREY % 3, 6)
        np.testing.assert_array_equal(read_mask(tmp_path / name), turned(GREY % 3, 6))


def test_a_jpeg_is_turned(tmp_path: Path) -> None:
    write_tagged(tmp_path / "a.jpg", RGB, 8)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.jpg")))
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg").pixels, np.moveaxis(expected, -1, 0))


def test_sixteen_bit_colours_are_turned(tmp_path: Path) -> None:
    deep = RGB.astype(np.uint16) * 257
    plain = imagecodecs.png_encode(deep)
    write_tagged(tmp_path / "b.png", RGB, 3)
    tagged = (tmp_path / "b.png").read_bytes()
    place = tagged.index(b"eXIf") - 4
    chunk = tagged[place : place + 12 + int.from_bytes(tagged[place : place + 4], "big")]
    (tmp_path / "a.png").write_bytes(plain[:33] + chunk + plain[33:])  # behind the header
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels, np.moveaxis(deep[::-1, ::-1], -1, 0))


@pytest.mark.parametrize("tag", sorted(TURNS))
def test_windows_of_a_large_one_are_those_of_the_turned_array(
    tag: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (lazy, tiff):
        monkeypatch.setattr(module, "WHOLE", 50)
    pixels = np.random.default_rng(1).integers(0, 256, (40, 50), dtype=np.uint8)
    how = {"tile": (16, 16), "compression": "zlib", "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", pixels, extratags=[(ORIENTATION, "H", 1, tag, True)], **how)
    found = read_image(tmp_path / "a.tif").pixels
    assert isinstance(found, Lazy)
    np.testing.assert_array_equal(found[0:1, 3:20, 5:31][0], turned(pixels, tag)[3:20, 5:31])


def test_pixel_sizes_turn_with_the_image(tmp_path: Path) -> None:
    fei = "[Scan]\r\nPixelWidth=5e-009\r\nPixelHeight=6e-009\r\n"
    tags = [(34682, "s", 0, fei, True), (ORIENTATION, "H", 1, 6, True)]
    tifffile.imwrite(tmp_path / "a.tif", GREY, extratags=tags, metadata=None)
    assert read_image(tmp_path / "a.tif").spacing == pytest.approx((0.005, 0.006))


def test_pages_that_are_turned_in_different_ways_are_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for tag in (1, 3):
            file.write(GREY, extratags=[(ORIENTATION, "H", 1, tag, True)], metadata=None, contiguous=False)
    with pytest.raises(InputError, match=r"a\.tif: its pages are turned in different ways .*\[1, 3\]"):
        read_image(tmp_path / "a.tif")
