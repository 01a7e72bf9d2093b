"""Images as they come: what is wrong with them is refused with a reason, or told of; disks that are full."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from multiunet.domains.image.files.listing import list_images
from multiunet.domains.image.files.readers import read_image

SMALL = ["--widths", "4,8", "--patch-size", "16", "--epochs", "1", "--steps-per-epoch", "1"]
TRAIN = ["train", "image", "--images", "images", "--masks", "masks", *SMALL, "--out", "run"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six images of 40 x 48 with masks of the values 4 and 9."""
    for index in range(6):
        rng = np.random.default_rng(index)
        inside = np.zeros((40, 48), dtype=bool)
        inside[index : index + 20, 5:30] = True
        for kind, pixels in (("images", rng.normal(80, 8, (40, 48)) + 60 * inside), ("masks", np.where(inside, 9, 4))):
            (tmp_path / kind).mkdir(exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / kind / f"s{index}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def replace_image(stem: str, pixels: np.ndarray, **how: Any) -> None:
    Path(f"images/{stem}.png").unlink()
    tifffile.imwrite(f"images/{stem}.tif", pixels, **how)


def not_a_number() -> None:
    pixels = np.ones((40, 48), np.float32)
    pixels[3, 4] = np.nan
    replace_image("s2", pixels)


CASES: list[tuple[str, Callable[[], object], list[str]]] = [
    (
        "other channels",
        lambda: replace_image(
            "s2", np.random.default_rng(0).integers(0, 9, (5, 40, 48), np.uint8), metadata={"axes": "CYX"}
        ),
        ["s2.tif", "5 channels", "alike"],
    ),
    (
        "other axes",
        lambda: replace_image("s2", np.zeros((7, 40, 48), np.uint8), photometric="minisblack"),
        ["s2.tif", "axes", "one at a time"],
    ),
    ("a NaN", not_a_number, ["s2.tif", "1 pixel is NaN", "fill in"]),
    (
        "a mask as image",
        lambda: Image.open("masks/s2.png").save("images/s2.png"),
        ["images/s2.png", "is the same as its mask", "masks/s2.png", "--images"],
    ),
    ("nothing but a broken link", lambda: broken_links_only(), ["images", "s0.png", "broken link"]),
]


def broken_links_only() -> None:
    for path in Path("images").iterdir():
        path.unlink()
        path.symlink_to("/nowhere/at/all.png")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("spoil", "named"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_bad_images_are_named_and_nothing_is_left(spoil: Callable, named: list[str], multiunet: Callable) -> None:
    spoil()
    before = sorted(Path().rglob("*"))
    done = multiunet(*TRAIN)
    assert done.code == 3, done.err
    assert "Traceback" not in done.err
    for word in named:
        assert word in done.err
    assert sorted(Path().rglob("*")) == before


def test_what_is_skipped_is_told_once(here: Path, multiunet: Callable, caplog: pytest.LogCaptureFixture) -> None:
    Image.open("images/s0.png").save("images/x.gif")
    Path("images/broken.png").symlink_to("/nowhere/at/all.png")
    Path("images/.hidden.gif").write_text("x")
    assert multiunet(*TRAIN, "--dry-run").code == 0
    told = [text for text in caplog.messages if "skipped" in text]
    [text] = told
    assert "images: skipped broken.png (a broken link), x.gif;" in text
    assert ".png" in text
    assert list(list_images(Path("images"))) == [f"s{i}" for i in range(6)]


def nifti(path: Path, steps: tuple[float, float, float]) -> None:
    nibabel.save(nibabel.Nifti1Image(np.ones((5, 6, 7), np.uint8), np.eye(4)), path)
    content = bytearray(path.read_bytes())
    content[80:92] = np.array(steps, "<f4").tobytes()  # pixdim[1:4], which nibabel would not write so
    path.write_bytes(content)


def ome(path: Path, **sizes: Any) -> None:
    tifffile.imwrite(path, np.ones((6, 7), np.uint8), ome=True, metadata={"axes": "YX", **sizes})


def imagej(path: Path, resolution: tuple[float, float], depth: float) -> None:
    metadata = {"axes": "ZYX", "unit": "um", "spacing": depth}
    tifffile.imwrite(path, np.ones((5, 6, 7), np.uint8), imagej=True, resolution=resolution, metadata=metadata)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.nii", lambda path: nifti(path, (0.0, 1.0, 1.0))),
        ("a.nii", lambda path: nifti(path, (-1.0, 1.0, 1.0))),
        ("a.nii", lambda path: nifti(path, (1.0, 1.0, float("nan")))),
        ("a.nii", lambda path: nifti(path, (float("inf"), 1.0, 1.0))),
        ("a.ome.tif", lambda path: ome(path, PhysicalSizeX=0.0, PhysicalSizeY=1.0)),
        ("a.ome.tif", lambda path: ome(path, PhysicalSizeX=-1.0, PhysicalSizeY=1.0)),
        ("a.ome.tif", lambda path: ome(path, PhysicalSizeX="wide", PhysicalSizeY=1.0)),
        ("a.tif", lambda path: imagej(path, (0, 0), 1.0)),
        ("a.tif", lambda path: imagej(path, (1, 1), -2.0)),
        ("a.tif", lambda path: imagej(path, (1, 1), float("nan"))),
    ],
)
def test_impossible_pixel_sizes_are_unknown(
    name: str, write: Callable, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / name)
    picture = read_image(tmp_path / name)
    assert (picture.spacing, picture.unit) == (None, None)
    assert f"{name}: says that its pixels are" in caplog.text
    assert "taken as unknown" in caplog.text


def test_possible_pixel_sizes_are_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    nifti(tmp_path / "a.nii", (1.0, 2.0, 3.0))
    ome(tmp_path / "a.ome.tif", PhysicalSizeX=0.5, PhysicalSizeY=0.25)
    imagej(tmp_path / "a.tif", (2, 4), 3.0)
    assert read_image(tmp_path / "a.nii").spacing == (3000.0, 2000.0, 1000.0)
    assert read_image(tmp_path / "a.ome.tif").spacing == (0.25, 0.5)
    assert read_image(tmp_path / "a.tif").spacing == pytest.approx((3.0, 0.25, 0.5))
    assert "unknown" not in caplog.text


def full(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_nothing_of_a_prediction(
    here: Path, multiunet: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert multiunet(*TRAIN).code == 0
    before = sorted(Path().rglob("*"))
    monkeypatch.setattr(zarr.Array, "__setitem__", full)
    done = multiunet("predict", "image", "--run", "run", "--images", "images", "--samples", 1, "--out", "p.zarr")
    assert done.code == 1
    assert done.err.splitlines()[-1].startswith("error: p.zarr: the disk is full, so nothing of the prediction is kept")
    assert "Traceback" not in done.err
    assert sorted(Path().rglob("*")) == before


def test_a_full_disk_is_named_with_the_file_that_did_not_fit(
    here: Path, multiunet: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert multiunet(*TRAIN).code == 0
    monkeypatch.setattr(tifffile, "imwrite", full)
    words = ["--run", "run", "--images", "images/s0.png", "--samples", 1, "--out", "p.zarr", "--export", "out"]
    done = multiunet("predict", "image", *words)
    assert (done.code, "Traceback" in done.err) == (1, False)
    assert "out/s0_uncertainty.tif: No space left on device" in done.err
    assert not [path for path in Path("out").iterdir() if "uncertainty" in path.name]


def test_folds_name_the_one_that_cannot_learn_a_class(here: Path, multiunet: Callable) -> None:
    mask = np.array(Image.open("masks/s3.png"))
    mask[:3] = 77
    Image.fromarray(mask).save("masks/s3.png")
    done = multiunet(*TRAIN, "--folds", 3)
    assert (done.code, Path("run").exists()) == (3, False)
    assert "s3.png: value 77 is in no training mask of fold" in done.err
    assert "--ignore-value 77" in done.err
    done = multiunet(*TRAIN, "--folds", 3, "--class-weights", "1,1,5", "--ignore-value", 77)
    assert (done.code, "give 2 numbers" in done.err) == (3, True)
    done = multiunet(*TRAIN, "--folds", 3, "--class-weights", "1,5", "--ignore-value", 77, "--dry-run", "--json")
    assert json.loads(done.out)["dataset"]["target"]["values"] == [4, 9]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--patch-size", "100000"],
            "--patch-size 16,100000: a patch of 1,600,000 pixels, but no training image",
        ),
        (["--fold", "1"], "error: --fold 1 without --folds; say how many there are\n"),
        (["--crop-bar", "x"], "--crop-bar: give auto, none or a positive number of rows (got 'x')"),
        (["--widths", "4,100000000"], "--widths: give at least two positive numbers up to 16384"),
        (["--crop-bar", "40"], "has 40 rows, so --crop-bar 40 leaves none"),
    ],
)
@pytest.mark.usefixtures("here")
def test_settings_that_cannot_be(words: list[str], said: str, multiunet: Callable) -> None:
    done = multiunet(*TRAIN, *words)
    assert (done.code, Path("run").exists()) == (3, False)
    assert said in done.err


@pytest.mark.usefixtures("here")
def test_patches_of_one_pixel_on_the_coarsest_level_are_trained_on(multiunet: Callable) -> None:
    assert multiunet(*TRAIN, "--patch-size", 8, "--widths", "4,4,4,4", "--batch-size", 1).code == 0


@pytest.mark.usefixtures("here")
def test_files_that_hold_no_image(multiunet: Callable) -> None:
    Path("images/s1.png").write_bytes(b"")
    assert "s1.png: an empty file" in multiunet(*TRAIN).err
    Path("images/s1.png").write_text("hello")
    said = multiunet(*TRAIN).err
    assert "s1.png: not an image that can be read" in said
    assert "BytesIO" not in said


@pytest.mark.usefixtures("here")
def test_a_zarr_folder_without_an_array(multiunet: Callable) -> None:
    Path("images/s1.png").unlink()
    Path("images/s1.zarr").mkdir()
    done = multiunet(*TRAIN)
    assert (done.code, "s1.zarr: holds no array" in done.err) == (3, True), done.err


def test_images_that_viewers_turn_are_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    image = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8))
    image.save(tmp_path / "straight.jpg")
    assert read_image(tmp_path / "straight.jpg").space == (6, 8)
    assert caplog.text == ""
    turned = image.getexif()
    turned[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=turned)
    assert read_image(tmp_path / "turned.jpg").space == (8, 6)
    assert "turned.jpg: its orientation tag says that viewers turn it, and it is read as they show it" in caplog.text


@pytest.mark.parametrize(
    "error", [MemoryError("Unable to allocate 9 TiB"), MemoryError(), RuntimeError("x: can't allocate memory: 9 bytes")]
)
@pytest.mark.usefixtures("here")
def test_too_little_memory_is_said(error: Exception, multiunet: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(*_: Any) -> Any:
        raise error

    monkeypatch.setattr("multiunet.domains.image.data.patches.Patches.draw", draw)
    done = multiunet(*TRAIN)
    assert (done.code, Path("run").exists()) == (1, False)
    assert "error: not enough memory; give smaller patches" in done.err


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("image;mask\nimages/s0.png;masks/s0.png\n", "with commas between them"),
        ("image,mask\n" + "images/s0.png,masks/s0.png\n" * 2, "s0.png: named twice"),
        (
            "image,mask\n" + "".join(f"images/s{i}.png,masks/s{i}.png\n" for i in range(5)) + "images,masks\n",
            "images: a folder, where a file is needed",
        ),
    ],
)
@pytest.mark.usefixtures("here")
def test_tables_that_are_none(table: str, said: str, multiunet: Callable) -> None:
    Path("pairs.csv").write_text(table)
    done = multiunet("train", "image", "--images", "pairs.csv", *SMALL, "--out", "run")
    assert (done.code, said in done.err) == (3, True), done.err


@pytest.mark.usefixtures("here")
def test_an_ignored_value_that_no_mask_has_is_told_of(multiunet: Callable, caplog: pytest.LogCaptureFixture) -> None:
    assert multiunet(*TRAIN, "--ignore-value", 255, "--dry-run").code == 0
    assert "`ignore_value=255`: no mask in" in caplog.text
    assert "they have 4, 9" in caplog.text


@pytest.mark.usefixtures("here")
def test_runs_without_dropout_predict_one_sample(multiunet: Callable) -> None:
    assert multiunet(*TRAIN, "--dropout", 0).code == 0
    words = ["predict", "image", "--images", "images", "--run", "run"]
    done = multiunet(*words, "--out", "p.zarr")
    assert (done.code, "trained without dropout" in done.err) == (0, True), done.err
    assert zarr.open_group("p.zarr").attrs["samples"] == 1
    assert multiunet(*TRAIN[:-1], "other", "--seed", 0).code == 0
    done = multiunet(*words, "--run", "other", "--out", "q.zarr")
    assert (done.code, "1 of the 2 runs has no dropout; pass --samples 1" in done.err) == (3, True), done.err
    assert multiunet(*words, "--run", "other", "--out", "q.zarr", "--samples", 1).code == 0
    done = multiunet(*words, "--run", "./run", "--out", "r.zarr")
    assert (done.code, "run: named twice" in done.err) == (3, True), done.err
