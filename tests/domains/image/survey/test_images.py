from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.inputs import load_input
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.survey import survey
from multiunet.domains.image.survey.duplicates import hash_content
from multiunet.errors import InputError


def survey_data(root: Path, **settings: Any) -> ImageInfo:
    return survey(ImageTrain(images=root / "images", masks=root / "masks", **settings))


def repaint(path: Path, pixels: np.ndarray) -> None:
    tifffile.imwrite(path, pixels) if path.suffix == ".tif" else Image.fromarray(pixels).save(path)


def test_grey_levels_saved_as_colours_are_grey_if_all_are(folder: Any) -> None:
    root = folder(4)
    grey = np.asarray(Image.open(root / "images/s1.png"))
    repaint(root / "images/s1.png", np.dstack([grey] * 3))
    info = survey_data(root, intensities="train")
    assert info.channels == len(info.intensities.mean) == 1
    colours = np.dstack([grey, grey, 255 - grey])
    repaint(root / "images/s1.png", colours)
    with pytest.raises(InputError, match=r"s1\.png: is in colours, but other images are grey"):
        survey_data(root)
    for index in range(4):
        repaint(root / f"images/s{index}.png", np.roll(colours, index, axis=0))
    assert (survey_data(root).channels, survey_data(root).colour) == (3, "rgb")


def test_intensities_of_the_training_images(folder: Any) -> None:
    root = folder(6)
    info = survey_data(root, intensities="train")
    pixels = np.concatenate([np.asarray(Image.open(item.image)).ravel() for item in info.split.train])
    assert info.intensities.mean == pytest.approx([pixels.mean()])
    assert info.intensities.deviation == pytest.approx([pixels.std()])


def test_images_and_volumes_do_not_mix(folder: Any) -> None:
    root = folder(4, suffix=".tif")
    tifffile.imwrite(root / "images/s2.tif", np.ones((5, 40, 48), np.uint8), photometric="minisblack")
    with pytest.raises(InputError, match=r"\.tif: has \d axes"):
        survey_data(root)


def test_other_numbers_of_channels(folder: Any) -> None:
    root = folder(4, suffix=".tif")
    for index, channels in enumerate((2, 2, 5, 2)):
        pixels = np.random.default_rng(index).integers(0, 99, (channels, 40, 48)).astype(np.uint8)
        tifffile.imwrite(root / f"images/s{index}.tif", pixels, metadata={"axes": "CYX"})
    with pytest.raises(InputError, match=r"\.tif: has \d channels, but .*\.tif has \d"):
        survey_data(root)


def test_the_same_image_in_two_splits_is_refused(folder: Any) -> None:
    root = folder(6)
    (root / "images/s5.png").write_bytes((root / "images/s0.png").read_bytes())
    lists = {"train": ["s0", "s1"], "val": ["s2"], "test": ["s5"]}
    (root / "a.json").write_text(json.dumps(lists))
    with pytest.raises(InputError, match=r"s5\.png \(test\) and .*s0\.png \(train\) are the same image"):
        survey_data(root, splits=f"{root}/a.json")
    lists["train"].append(lists["test"].pop())
    (root / "a.json").write_text(json.dumps(lists))
    survey_data(root, splits=f"{root}/a.json")  # twice in training harms nobody


def test_a_constant_image_is_a_warning(folder: Any, caplog: pytest.LogCaptureFixture) -> None:
    root = folder(4)
    repaint(root / "images/s1.png", np.full((40, 48), 7, np.uint8))
    survey_data(root)
    assert "s1.png: all pixels are 7" in caplog.text


def test_contents_of_what_was_seen_are_remembered(folder: Any) -> None:
    root = folder(6)
    repaint(root / "images/s1.png", np.full((40, 48), 7, np.uint8))  # of constant images nobody can tell
    (root / "a.json").write_text(json.dumps({"train": ["s0", "s1", "s2"], "val": ["s3"], "test": ["s4", "s5"]}))
    info = survey_data(root, splits=f"{root}/a.json")
    seen = {Path(path).name for path in info.content.values()}
    assert seen == {"s0.png", "s2.png", "s3.png"}
    for index in range(6):
        pixels = np.asarray(Image.open(root / f"images/s{index}.png"))
        copy = root / f"copies/{index}.tif"
        copy.parent.mkdir(exist_ok=True)
        tifffile.imwrite(copy, np.dstack([pixels] * 3), photometric="rgb")
        path = info.content.get(hash_content(load_input(str(copy), info, FileCache()).picture))
        assert (path == str(root / f"images/s{index}.png")) == (index in (0, 2, 3))


def save_scaled(path: Path, apart: float) -> None:
    """The image with pixels so many micrometres apart."""
    sizes = {f"PhysicalSize{axis}{name}": value for axis in "XY" for name, value in (("", apart), ("Unit", "\u00b5m"))}
    tifffile.imwrite(path, tifffile.imread(path), ome=True, metadata={"axes": "YX", **sizes})


def scaled(root: Path, apart: dict[int, float]) -> None:
    for index, micrometres in apart.items():
        save_scaled(root / f"images/s{index}.tif", micrometres)
    (root / "a.json").write_text(json.dumps({"train": ["s0", "s1", "s2"], "val": ["s3"], "test": ["s4", "s5"]}))


def test_mixed_magnifications_are_told_of(folder: Any, caplog: pytest.LogCaptureFixture) -> None:
    root = folder(6, suffix=".tif")
    scaled(root, {0: 0.1, 1: 0.12, 2: 0.1, 3: 0.1, 4: 0.1, 5: 0.1})
    assert survey_data(root, splits=f"{root}/a.json").spacing == (0.1, 0.1)
    assert not caplog.messages
    scaled(root, {2: 1.0})
    survey_data(root, splits=f"{root}/a.json")
    [said] = caplog.messages
    assert "s2.tif: pixels are 1 x 1 \u00b5m apart, but the median of the training images is 0.12 x 0.12" in said
    assert "1 of the 3 differ" in said
    caplog.clear()
    survey_data(root, splits=f"{root}/a.json", pixel_size=[0.1])
    assert not caplog.messages


def test_the_spacing_is_that_of_training_images(folder: Any) -> None:
    root = folder(6, suffix=".tif")
    scaled(root, {0: 0.1, 1: 0.1, 2: 0.1, 3: 1.0, 4: 1.0, 5: 1.0})
    info = survey_data(root, splits=f"{root}/a.json")
    assert info.spacing == info.fingerprint.spacing.median == (0.1, 0.1)


@pytest.mark.parametrize(
    ("turned", "common", "said"),
    [
        (["s3"], "RAS", "s3.nii: its axes point LPS, those of most images RAS (RAS in 3, LPS in 1 of"),
        (
            ["s2", "s3"],
            None,
            "s2.nii: its axes point LPS, those of other images RAS (RAS in 2, LPS in 2 of",
        ),
        ([], "RAS", None),
    ],
)
def test_volumes_of_several_orientations_are_said(
    folder: Any, caplog: pytest.LogCaptureFixture, turned: list[str], common: str | None, said: str | None
) -> None:
    root = folder(4, shape=(8, 10, 12), suffix=".tif")
    for path in sorted(root.glob("*/*.tif")):
        affine = np.diag([-1.0, -1.0, 1.0, 1.0]) if path.stem in turned else np.eye(4)
        nibabel.save(nibabel.Nifti1Image(tifffile.imread(path), affine), path.with_suffix(".nii"))
        path.unlink()
    assert survey_data(root).orientation == common
    assert said in caplog.text if said else "axes point" not in caplog.text
