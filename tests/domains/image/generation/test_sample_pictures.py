"""Pictures of new images while a generator is trained, and of what samples are made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from multiunet.domains import sampling, training
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.domain import ImageDomain
from multiunet.domains.image.generation.contact_sheet import GAP, THUMBNAIL, make_sheet
from multiunet.domains.image.generation.requests import Request
from multiunet.domains.image.generation.shown_inputs import HOLE, show_inputs, show_layout
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.runs import read_info
from multiunet.progress import Progress
from multiunet.training import checkpoint
from multiunet.training.run_folder import RunFolder
from tests.domains.image.generation.conftest import TINY, MakeRun


def _train(shapes: Path, out: Path, **settings: Any) -> Path:
    training.train("image", TINY | {"images": shapes / "images"} | settings, out, progress=Progress())
    return out


def _names(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "samples").glob("*"))


def test_sheets_are_written_when_due_and_change_no_bit_of_the_training(shapes: Path, tmp_path: Path) -> None:
    own = {"epochs": 3, "val_fraction": 0.34, "masks": shapes / "masks"}
    run, without = (_train(shapes, tmp_path / f"{n}", sample_every=n, **own) for n in (2, 0))
    assert _names(run) == ["epoch-0002.png", "epoch-0003.png"]
    assert not (without / "samples").exists()
    one, other = (checkpoint.load(path / "checkpoints/last.safetensors").tensors for path in (run, without))
    assert all(np.array_equal(one[name], other[name]) for name in one)
    sheet = Image.open(run / "samples/epoch-0003.png")
    assert sheet.size[0] == 3 * (THUMBNAIL // 24 * 24 + GAP) + GAP  # the map, the new image and the real one


def test_a_sheet_needs_nothing_held_out_and_is_the_same_after_another_run(shapes: Path, tmp_path: Path) -> None:
    first, second = (_train(shapes, tmp_path / name, epochs=2, sample_every=1) for name in ("first", "second"))
    assert _names(first) == ["epoch-0001.png", "epoch-0002.png"]
    for name in _names(first):
        assert (first / "samples" / name).read_bytes() == (second / "samples" / name).read_bytes()


def test_inputs_stand_left_of_their_samples() -> None:
    image, left = np.full((1, THUMBNAIL, THUMBNAIL), 1, np.float32), np.zeros((THUMBNAIL, THUMBNAIL, 3), np.uint8)
    sheet, side = make_sheet([[image] * 3], 0.0, 1.0, ["sample"], [[left]]), THUMBNAIL + GAP
    assert sheet.shape[1] == 4 * side + GAP
    assert sheet[-GAP - 1, GAP].tolist() == [0, 0, 0]
    assert sheet[-GAP - 1, GAP + side].tolist() == [255, 255, 255]


def test_classes_have_colours_and_unknown_pixels_are_white() -> None:
    shown = show_layout(np.array([[0, 1], [2, -1]]))
    half = THUMBNAIL // 2
    colours = [shown[y, x].tolist() for y in (0, half) for x in (0, half)]
    assert colours[3] == [255, 255, 255]
    assert len({tuple(colour) for colour in colours}) == 4


@pytest.fixture
def info(make_run: MakeRun) -> ImageInfo:
    found = read_info(ImageDomain(), RunFolder.open(make_run()))
    assert isinstance(found, ImageInfo)
    return found


def test_holes_have_a_colour_of_their_own(info: ImageInfo, shapes: Path) -> None:
    files = {"image": str(shapes / "images/i1.png"), "holes": str(shapes / "masks/i1.png")}
    (shown,) = show_inputs(Request("i1", (0, 0), **files), info, FileCache())
    holes = np.asarray(Image.open(files["holes"])) != 0
    times = shown.shape[0] // holes.shape[0]
    filled = (shown[::times, ::times] == HOLE.astype(np.uint8)).all(axis=-1)
    np.testing.assert_array_equal(filled, holes)


@pytest.mark.parametrize(("setting", "folder"), [("masks", "masks"), ("given", "small"), ("start", "images")])
def test_the_contact_sheet_shows_what_samples_are_made_from(
    make_run: MakeRun, shapes: Path, tmp_path: Path, setting: str, folder: str
) -> None:
    run = make_run() if setting == "start" else make_run(**{setting: shapes / folder})
    options = {setting: shapes / folder, "count": 2, "steps": 2, "device": "cpu", "export": tmp_path / "files"}
    sampling.sample(run, options, tmp_path / "s.zarr", progress=Progress())
    width, _ = Image.open(tmp_path / "files/contact_sheet.png").size
    assert width == 3 * (THUMBNAIL // 24 * 24 + GAP) + GAP
    if setting != "start":  # the sheets of the training: what is given, the new image and the real one
        assert Image.open(run / "samples/epoch-0001.png").size[0] == width
