from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.survey import survey
from multiunet.errors import InputError


def survey_data(root: Path, **settings: Any) -> ImageInfo:
    if settings.get("task") != "regression":
        settings.setdefault("masks", root / "masks")
    return survey(ImageTrain(images=root / "images", **settings))


def repaint(path: Path, pixels: np.ndarray) -> None:
    tifffile.imwrite(path, pixels) if path.suffix == ".tif" else Image.fromarray(pixels).save(path)


def test_survey_data_a_folder(folder: Any) -> None:
    root = folder(6)
    info = survey_data(root)
    assert info == ImageInfo.model_validate_json(info.model_dump_json())
    assert (info.ndim, info.channels, info.colour) == (2, 1, "grey")
    assert (info.values, info.classes.names) == ((4, 9), ("4", "9"))
    masks = [np.asarray(Image.open(item.target)) for item in info.split.train]
    assert info.segmented.pixels["train"] == tuple(sum(int((m == v).sum()) for m in masks) for v in (4, 9))
    assert info.patch_size == (40, 48)


def test_volumes(folder: Any) -> None:
    info = survey_data(folder(4, shape=(12, 40, 48), suffix=".tif", kind=np.float32))
    assert (info.ndim, info.patch_size) == (3, (12, 40, 48))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"masks/s1.png": np.full((40, 50), 4, np.uint8)}, r"masks/s1\.png: is 40 x 50, .*images/s1\.png is 40 x 48"),
        (
            {f"masks/s{i}.png": np.full((40, 48), 4, np.uint8) for i in range(4)},
            "masks: the masks have only the value 4",
        ),
        ({"images/s1.png": np.tile([1, 2, 3], (40, 48, 1))}, "is in colours"),
    ],
)
def test_bad_data(folder: Any, change: dict[str, np.ndarray], message: str) -> None:
    root = folder(4)
    for name, pixels in change.items():
        repaint(root / name, pixels.astype(np.uint8))
    with pytest.raises(InputError, match=message):
        survey_data(root)


@pytest.mark.parametrize("size", [[16, 16, 16], [0]])
def test_patch_sizes_that_do_not_fit(folder: Any, size: list[int]) -> None:
    with pytest.raises(InputError, match=r"`patch_size=.*one for each axis y, x"):
        survey_data(folder(4), patch_size=size)


def test_masks_and_targets_are_asked_for(folder: Any) -> None:
    root = folder(4)
    with pytest.raises(InputError, match="`task=segmentation` needs `masks`"):
        survey_data(root, masks=None)
    with pytest.raises(InputError, match="`task=regression` needs `targets`"):
        survey_data(root, task="regression")


def test_images_of_several_depths_are_told_of_where_it_matters(folder: Any, caplog: pytest.LogCaptureFixture) -> None:
    root = folder(6)
    for index in range(0, 6, 2):
        path = root / "images" / f"s{index}.png"
        repaint(path, np.asarray(Image.open(path)).astype(np.uint16) * 257)
    survey_data(root)
    assert not caplog.text
    survey_data(root, intensities="train")
    assert "holds images of uint16 and uint8, and `intensities=train` takes their numbers as they are" in caplog.text


@pytest.mark.parametrize("task", ["segmentation", "regression"])
def test_a_stack_is_no_truth_of_an_image(folder: Any, task: str) -> None:
    root = folder(4, suffix=".tif")
    mask = tifffile.imread(root / "masks/s1.tif")
    tifffile.imwrite(root / "masks/s1.tif", np.stack([mask] * 5), photometric="minisblack", metadata={"axes": "ZYX"})
    truths = {"targets": root / "masks", "task": task} if task == "regression" else {}
    with pytest.raises(InputError, match=r"masks/s1\.tif: is 5 x 40 x 48, but its image .*s1\.tif is 40 x 48"):
        survey_data(root, **truths)
