from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.files.listing import list_images
from multiunet.domains.image.files.readers import read_image
from multiunet.domains.image.survey import survey
from multiunet.domains.image.survey.swapped import looks_like_mask
from multiunet.errors import InputError


def surveyed(root: Path, images: str = "images", masks: str = "masks") -> dict[str, Any]:
    return survey(ImageTrain(images=root / images, masks=root / masks))


def test_masks_given_as_images_are_refused(folder: Any) -> None:
    root = folder(5)
    with pytest.raises(InputError, match=r"masks/s\d\.png: is the same as its mask .*`images`"):
        surveyed(root, images="masks")
    shutil.copy(root / "masks/s2.png", root / "images/s2.png")
    with pytest.raises(InputError, match=r"images/s2\.png: is the same as its mask .*masks/s2\.png"):
        surveyed(root)


def test_painted_masks_given_as_images_are_refused(folder: Any) -> None:
    root = folder(5)
    for path in (root / "masks").iterdir():
        mask = np.asarray(Image.open(path))
        Image.fromarray(np.where(mask[..., None] == 9, (255, 0, 0), (0, 0, 255)).astype(np.uint8)).save(path)
    with pytest.raises(InputError, match="is the same as its mask"):
        surveyed(root, images="masks")


def test_images_of_the_areas_of_their_masks_are_told_of(folder: Any, caplog: pytest.LogCaptureFixture) -> None:
    root = folder(5)
    for path in (root / "masks").iterdir():
        mask = np.asarray(Image.open(path))
        Image.fromarray(np.where(mask == 9, 255, 0).astype(np.uint8)).save(root / "images" / path.name)
    surveyed(root)
    assert caplog.text.count("shows only the areas of its mask") == 5
    caplog.clear()
    for path in (root / "images").iterdir():  # two values, but not those areas: a thresholded image is one
        Image.fromarray(np.roll(np.array(Image.open(path)), 3, axis=0)).save(path)
    surveyed(root)
    assert "areas" not in caplog.text


@pytest.mark.realdata
def test_no_real_picture_may_be_a_mask(data_folder: Path) -> None:
    for name in ("super_alloy/images", "uhcs/train/images", "isbi2012/train/image"):
        assert not any(looks_like_mask(read_image(path).pixels) for path in list_images(data_folder / name).values())
