from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.fingerprint_info import SeparableObjects
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.survey import survey
from multiunet.errors import InputError


def survey_data(root: Path, **settings: Any) -> ImageInfo:
    return survey(ImageTrain(images=root / "images", masks=root / "masks", instances=True, **settings))


def repaint(root: Path, pixels: np.ndarray, *indices: int) -> None:
    for index in indices:
        kind = "rgb" if pixels.shape[2:] == (3,) else "minisblack"
        tifffile.imwrite(root / "masks" / f"s{index}.tif", pixels, photometric=kind)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((48, 64), np.uint8), "masks: the training masks hold no object; each is a positive number"),
        (np.full((48, 64), -3, np.int32), r"s0\.tif: value -3 in 3072 pixels; objects have positive numbers"),
        (np.full((48, 64), 0.5, np.float32), r"s0\.tif: a mask of float32, of which 3072 pixels are not whole numbers"),
        (np.ones((48, 65), np.uint16), r"s\d\.tif: is 48 x 65, but its image"),
        (np.dstack([np.full((48, 64), n, np.uint8) for n in (1, 2, 3)]), r"s0\.tif: is in colours; `instances` needs"),
        (np.tile(np.eye(8, dtype=np.uint8), (6, 8)), r"one number for \d+ separate parts, .* so these are classes"),
        (np.arange(48 * 64, dtype=np.uint16).reshape(48, 64), "are `images` and `masks` swapped"),
    ],
)
def test_bad_masks_are_named(cells: Path, pixels: np.ndarray, message: str) -> None:
    repaint(cells, pixels, *range(6))
    with pytest.raises(InputError, match=message):
        survey_data(cells)


def test_a_number_in_two_places_is_said(cells: Path, caplog: pytest.LogCaptureFixture) -> None:
    objects = tifffile.imread(cells / "masks" / "s2.tif")
    objects[0, 0] = objects.max()
    repaint(cells, objects, 2)
    with caplog.at_level(logging.WARNING, "multiunet.image"):
        survey_data(cells)
    assert "s2.tif: 8 object numbers, but 9 separate parts (1 such masks)" in caplog.text


def phases(values: list[int], seed: int) -> np.ndarray:
    """48 x 64: blocks of 4 x 4 pixels, each of one of these values."""
    blocks = np.random.default_rng(seed).choice(values, (12, 16)).astype(np.uint8)
    return blocks.repeat(4, axis=0).repeat(4, axis=1)


def test_classes_that_are_taken_for_objects_are_told_of(cells: Path, caplog: pytest.LogCaptureFixture) -> None:
    for index in range(6):
        repaint(cells, phases([0, 85, 170, 255][: 3 if index == 4 else 4], index), index)
    with caplog.at_level(logging.WARNING, "multiunet.image"):
        survey_data(cells)
    assert "3 object numbers, but " in caplog.text
    assert "these look like classes, not numbered objects; leave out `instances`" in caplog.text
    assert "enlarge the images" not in caplog.text


def test_objects_in_pieces_are_not_taken_for_classes(cells: Path, caplog: pytest.LogCaptureFixture) -> None:
    for index in range(6):  # of grains that are cut by cracks, masks have many numbers, or each a count of its own
        repaint(cells, phases(list(range(index % 3 * 6 + 2)), index), index)
    with caplog.at_level(logging.WARNING, "multiunet.image"):
        survey_data(cells)
    assert "all parts of one number count as one object" in caplog.text
    assert "look like classes" not in caplog.text


def test_the_smallest_object_is_that_of_training(cells: Path) -> None:
    info = survey_data(cells)
    masks = [tifffile.imread(item.target) for item in info.split.train]
    assert info.instances.smallest == min(np.unique(mask, return_counts=True)[1].min() for mask in masks)
    assert info.fingerprint.objects == SeparableObjects(looked_at=32, separable=32)


def test_objects_that_none_could_find_are_told_of(cells: Path, caplog: pytest.LogCaptureFixture) -> None:
    repaint(cells, np.arange(1, 1 + 24 * 32, dtype=np.uint16).reshape(24, 32).repeat(2, 0).repeat(2, 1), *range(6))
    for path in (cells / "images").iterdir():
        pixels = np.random.default_rng(len(path.name)).integers(0, 255, (48, 64), dtype=np.uint8)
        Image.fromarray(pixels + np.uint8(int(path.stem[1:]))).save(path)
    with caplog.at_level(logging.WARNING, "multiunet.image"):
        assert survey_data(cells).fingerprint.objects.separable == 0
    assert "would give back only 0 of 3072 training objects" in caplog.text
    assert "`instance_encoding=gap` would give back 4" in caplog.text


def test_the_fingerprint_counts_objects_by_their_numbers(cells: Path) -> None:
    inside = survey_data(cells).fingerprint.classes["inside"]
    assert inside.objects_a_mask == 8
    assert inside.object_pixels == pytest.approx(np.pi * 6.2**2, rel=0.1)
