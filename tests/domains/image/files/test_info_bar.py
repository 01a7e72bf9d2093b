"""Information bars of many makes, drawn under real and made-up pictures; and pictures that have none."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from multiunet_datasets import synthetic
from PIL import Image, ImageDraw, ImageFont

from multiunet import open_prediction
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.files.info_bar import drop_rows, find_bar
from multiunet.domains.image.files.lazy import Lazy
from multiunet.domains.image.files.listing import list_images
from multiunet.domains.image.files.readers import read_image
from multiunet.domains.image.survey import survey
from multiunet.errors import InputError

TEXTS = ("HV 20.0 kV  mag 5 000 x  WD 9.8 mm", "det ETD  HFW 51.2 um  17 Nov 2026")

STYLES: dict[str, dict[str, int]] = {
    "dark": {"ground": 0, "ink": 255},
    "white": {"ground": 255, "ink": 0},
    "grey": {"ground": 128, "ink": 255},
    "dark grey": {"ground": 30, "ink": 230},
    "two lines": {"ground": 0, "ink": 255, "lines": 2},
    "white, two lines": {"ground": 255, "ink": 0, "lines": 2},
    "framed": {"ground": 0, "ink": 255, "frame": 2},
    "cells": {"ground": 0, "ink": 255, "lines": 2, "cells": 6, "frame": 1},
}


def drawn(width: int, height: int, ground: int, ink: int, lines: int = 1, cells: int = 0, frame: int = 0) -> np.ndarray:
    """A bar with text and a scale, as microscopes draw it."""
    image = Image.new("L", (width, height), ground)
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(max(7, int(0.6 * height / lines)))
    for line in range(lines):
        pen.text((6, int(height * (line + 0.5) / lines)), TEXTS[line], fill=ink, font=font, anchor="lm")
    pen.line((width - 10 - width // 5, height // 2, width - 10, height // 2), fill=ink, width=3)
    for cell in range(1, cells):
        pen.line((cell * width // cells, 0, cell * width // cells, height), fill=ink)
    for inset in range(frame):
        pen.rectangle((inset, inset, width - 1 - inset, height - 1 - inset), outline=ink)
    return np.asarray(image)


def with_bar(picture: np.ndarray, height: int, style: str) -> np.ndarray:
    """A picture ``(y, x)`` of 8 bits above a bar of this height."""
    return np.vstack([picture, drawn(picture.shape[1], height, **STYLES[style])])


def as_jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


@pytest.fixture(scope="module")
def micrograph(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    folder = synthetic.write_polycrystal(tmp_path_factory.mktemp("bar"), images=1, size=240, grains=40)
    return read_image(folder / "images/00.png").pixels[0]


@pytest.mark.parametrize("style", STYLES)
def test_bars_of_every_make_are_found_to_the_row(style: str, micrograph: np.ndarray) -> None:
    for height in (20, 33):
        image = with_bar(micrograph, height, style)
        assert find_bar(image[None]) == height
        assert find_bar(as_jpeg(image, 90)[None]) == height
        assert find_bar(image[None].astype(np.uint16) * 16) == height  # 12 bits
        assert find_bar(image[None].astype(np.float32) / 255) == height
        assert find_bar(np.stack([image] * 3)) == height
    assert find_bar(micrograph[None]) == 0


def test_what_is_no_bar_stays(micrograph: np.ndarray) -> None:
    columns = micrograph.shape[1]
    empty = np.vstack([micrograph, np.zeros((30, columns), np.uint8)])
    assert find_bar(empty[None]) == 0  # padding, maybe, but no bar: it says nothing
    burnt_in = micrograph.copy()
    text = drawn(columns, 30, 0, 255)
    burnt_in[-30:][text > 0] = 255
    assert find_bar(burnt_in[None]) == 0  # text on the picture itself
    dark = np.zeros_like(micrograph)
    dark[20:60, 20:60] = 200
    assert find_bar(with_bar(dark, 30, "dark")[None]) == 0  # nobody can say where it begins
    assert find_bar(np.full((1, 64, 64), 7)) == 0
    assert find_bar(np.random.default_rng(0).integers(0, 2, (1, 64, 64))) == 0
    assert find_bar(micrograph[None, :20]) == 0


def test_of_a_large_image_only_the_lower_part_is_read(micrograph: np.ndarray) -> None:
    image = np.tile(with_bar(micrograph, 33, "cells")[None], (1, 1, 2))
    rows: list[int] = []

    def read(region: tuple[slice, ...]) -> np.ndarray:
        rows.append(region[1].start)
        return image[region]

    lazy = Lazy(image.shape, image.dtype, read, (1, 1, image.shape[2]))
    assert find_bar(lazy) == 33
    assert min(rows) >= int(0.69 * image.shape[1])
    cut = drop_rows(lazy, 33)
    assert isinstance(cut, Lazy)
    assert np.array_equal(cut, drop_rows(image, 33))
    assert np.array_equal(cut, image[:, :-33])


def real_pictures(data_folder: Path) -> Iterator[np.ndarray]:
    for folder in ("super_alloy/images", "uhcs/train/images", "uhcs/validate/images", "isbi2012/train/image"):
        yield from (read_image(path).pixels for path in list_images(data_folder / folder).values())
    for split in ("train", "val", "test"):
        folder = f"dsb2018_fluo/{split}/images"
        yield from (read_image(path).pixels for path in list_images(data_folder / folder).values())


@pytest.mark.realdata
def test_no_real_picture_has_one_however_it_is_turned(data_folder: Path) -> None:
    count = 0
    for pixels in real_pictures(data_folder):
        for view in (pixels, pixels[:, ::-1], pixels.swapaxes(1, 2), pixels.swapaxes(1, 2)[:, ::-1]):
            assert find_bar(view) == 0
            count += 1
    assert count == 4 * 277


@pytest.mark.realdata
def test_bars_below_real_micrographs_are_found_to_the_row(data_folder: Path) -> None:
    for path in list_images(data_folder / "uhcs/train/images").values():
        picture = read_image(path).pixels[0]
        for style in STYLES:
            assert find_bar(with_bar(picture, 38, style)[None]) == 38  # 522 rows, as they left the microscope


def bars_below(root: Path, height: int, masks_too: bool) -> Path:
    """Draws bars below the images of ``folder``; below masks rows of their lower value."""
    for path in (root / "images").iterdir():
        picture = np.asarray(Image.open(path))
        Image.fromarray(with_bar(picture, height, "dark")).save(path)
        mask = np.asarray(Image.open(root / "masks" / path.name))
        if masks_too:
            below = np.full((height, mask.shape[1]), 77, np.uint8)  # its value must not become a class
            Image.fromarray(np.vstack([mask, below])).save(root / "masks" / path.name)
    return root


@pytest.mark.parametrize("masks_too", [True, False])
@pytest.mark.parametrize("crop", ["auto", 20])
def test_images_and_masks_lose_their_bars_alike(folder: Any, masks_too: bool, crop: Any) -> None:
    before = survey(ImageTrain(images=(root := folder(5, shape=(80, 200))) / "images", masks=root / "masks"))
    bars_below(root, 20, masks_too)
    after = survey(ImageTrain(images=root / "images", masks=root / "masks", crop_bar=crop))
    assert after.segmented.pixels == before.segmented.pixels
    assert after.values == (4, 9)
    assert after.patch_size == before.patch_size
    assert len(after.target_bars) == (5 if masks_too else 0)


def test_bars_that_are_not_cut_off_are_told_of(folder: Any, caplog: pytest.LogCaptureFixture) -> None:
    root = bars_below(folder(5, shape=(80, 200)), 20, masks_too=False)
    with pytest.raises(InputError, match=r"80 x 200, but .* is 100 x 200.*pass `crop_bar=auto`, or 20 if"):
        survey(ImageTrain(images=root / "images", masks=root / "masks"))
    assert "bar of 20 rows, as do 5 of the 5 images; `crop_bar=auto`" in caplog.text
    caplog.clear()
    Image.fromarray(np.asarray(Image.open(root / "images/s3.png"))[:80]).save(root / "images/s3.png")
    survey(ImageTrain(images=root / "images", masks=root / "masks", crop_bar="auto"))
    assert "s3.png: no information bar found (in 1 of the 5 images); this image is left as it is" in caplog.text
    # a height would be cut off every image
    assert "`crop_bar`" not in caplog.text


def test_what_cannot_be_cut_is_said(folder: Any) -> None:
    root = folder(4)
    with pytest.raises(InputError, match=r"has 40 rows, so `crop_bar=40` leaves none"):
        survey(ImageTrain(images=root / "images", masks=root / "masks", crop_bar=40))
    for value in ("Auto", "0", -3, 2.5, True):
        with pytest.raises(ValueError, match="give auto, none or a positive number"):
            ImageTrain(images=root / "images", crop_bar=value)
    (root / "stacks").mkdir()
    for index in range(4):
        tifffile.imwrite(root / f"stacks/s{index}.tif", np.zeros((3, 40, 48), np.uint8), photometric="minisblack")
    with pytest.raises(InputError, match="a volume, but `crop_bar=auto` looks at images"):
        survey(ImageTrain(images=root / "stacks", masks=root / "masks", crop_bar="auto"))


def test_predictions_lie_on_what_is_left(
    folder: Any, multiunet: Callable, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = bars_below(folder(5, shape=(80, 200)), 20, masks_too=True)
    small = ["--widths", "4,8", "--patch-size", "32", "--epochs", 1, "--steps-per-epoch", 1, "--out", tmp_path / "run"]
    words = ["--images", root / "images", "--masks", root / "masks", "--crop-bar", "auto", *small]
    assert multiunet("train", "image", *words).code == 0
    scored = multiunet("evaluate", "image", "--run", tmp_path / "run", "--json")
    assert json.loads(scored.out)["metrics"]["classes"] == ["4", "9"]
    words = ["--run", tmp_path / "run", "--images", root / "images", "--samples", 1, "--export", tmp_path / "out"]
    done = multiunet("predict", "image", *words, "--out", tmp_path / "p.zarr")
    assert done.code == 0, done.err
    data = open_prediction(tmp_path / "p.zarr")["s1"]
    assert (dict(data["class"].sizes), data.attrs["crop_bar"]) == ({"y": 80, "x": 200}, 20)
    assert data["y"].values[[0, -1]].tolist() == [0, 79]
    assert read_image(tmp_path / "out/s1_class.png").space == (80, 200)
    # a class map serves as the mask of its image, which has the bar
    info = survey(ImageTrain(images=root / "images", masks=root / "masks", crop_bar="auto"))
    Image.open(tmp_path / "out/s1_class.png").save(root / "masks/s1.png")
    again = survey(ImageTrain(images=root / "images", masks=root / "masks", crop_bar="auto"))
    assert len(again.target_bars) == len(info.target_bars) - 1
    whole = multiunet("predict", "image", *words[:-2], "--crop-bar", "none", "--out", tmp_path / "whole.zarr")
    assert whole.code == 0, whole.err
    assert "bar of 20 rows, as do 5 of the 5 images; `crop_bar=auto` removes it" in caplog.text
    assert dict(open_prediction(tmp_path / "whole.zarr")["s1"]["class"].sizes) == {"y": 100, "x": 200}


def test_other_images_are_scored_as_those_of_training(
    folder: Any, retouched: Any, multiunet: Callable, tmp_path: Path
) -> None:
    root = bars_below(folder(5, shape=(80, 200)), 20, masks_too=True)
    small = ["--widths", "4,8", "--patch-size", "32", "--epochs", 1, "--steps-per-epoch", 1, "--out", tmp_path / "run"]
    words = ["--images", root / "images", "--masks", root / "masks", "--crop-bar", "auto", *small]
    assert multiunet("train", "image", *words).code == 0
    other = Path(shutil.copytree(root, tmp_path / "other"))
    retouched(other / "images")
    short = np.asarray(Image.open(other / "masks/s0.png"))
    Image.fromarray(short[:80]).save(other / "masks/s0.png")  # a mask without the bar of its image
    words = ["evaluate", "image", "--run", tmp_path / "run", "--images", other / "images", "--masks", other / "masks"]
    scored = multiunet(*words, "--json")
    assert scored.code == 0, scored.err  # the bars' value 77 would be unknown
    assert set(json.loads(scored.out)["items"]) == {f"s{i}" for i in range(5)}
    Image.fromarray(short[:70]).save(other / "masks/s0.png")
    refused = multiunet(*words)
    assert (refused.code, "100 x 200, of which 20 rows are cut off" in refused.err) == (3, True), refused.err
