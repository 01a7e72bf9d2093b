"""Real micrographs: that they are read, split and paired as their READMEs say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from multiunet.domains.image.baselines import otsu
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.inputs import Shelf
from multiunet.domains.image.readers import list_images, read_image
from multiunet.domains.image.scoring import score_baseline
from multiunet.domains.image.splits import from_json
from multiunet.domains.image.survey import survey
from multiunet.errors import InputError

pytestmark = pytest.mark.realdata


def test_superalloy(data_folder: Path) -> None:
    alloy = data_folder / "super_alloy"
    facts = survey(
        ImageTrain(images=alloy / "images", masks=alloy / "labels", splits=f"{alloy / 'splits.json'}:Super1")
    )
    published = json.loads((alloy / "splits.json").read_text())["Super1"]
    for name, items in facts["split"].items():
        assert [item["name"] for item in items] == published[name]
    assert (facts["values"], facts["channels"], facts["patch_size"]) == ([0, 1, 2], 1, [256, 256])
    splits = from_json(facts["split"])
    floor = score_baseline([(otsu(splits["train"], facts, Shelf()), splits["test"], facts)], Shelf())
    # dark is secondary gamma prime: the floor of this data set's README
    assert floor["iou"] == pytest.approx([0.740, 0.729, 0.0], abs=0.002)
    assert floor["mean_iou"] == pytest.approx(0.490, abs=0.001)


def test_uint16_beside_uint8(data_folder: Path) -> None:
    types = {read_image(p).pixels.dtype for p in list_images(data_folder / "super_alloy" / "images").values()}
    assert types == {np.dtype("uint8"), np.dtype("uint16")}


def test_any_mask_values(data_folder: Path) -> None:
    train, val = data_folder / "uhcs" / "train", data_folder / "uhcs" / "validate"
    facts = survey(
        ImageTrain(
            images=train / "images",
            masks=train / "labels",
            val_images=val / "images",
            val_masks=val / "labels",
        )
    )
    assert [len(items) for items in facts["split"].values()] == [20, 4, 0]
    assert len(facts["values"]) == 4


def test_grey_levels_in_colours_with_alpha(data_folder: Path) -> None:
    picture = read_image(next(iter(list_images(data_folder / "dsb2018_fluo" / "train" / "images").values())))
    assert (picture.colour, picture.pixels.shape[0]) == ("rgb", 3)
    assert (picture.pixels[0] == picture.pixels[2]).all()


def test_numbered_nuclei_are_no_classes(data_folder: Path) -> None:
    nuclei = data_folder / "dsb2018_fluo" / "train"
    with pytest.raises(InputError, match="number the objects of each mask"):
        survey(ImageTrain(images=nuclei / "images", masks=nuclei / "masks"))


def test_sections_as_a_stack(data_folder: Path, tmp_path: Path) -> None:
    sections = list_images(data_folder / "isbi2012" / "train" / "image").values()
    pixels = np.stack([read_image(path).pixels[0] for path in sections])
    tifffile.imwrite(tmp_path / "stack.tif", pixels, photometric="minisblack")
    np.testing.assert_array_equal(read_image(tmp_path / "stack.tif").pixels[0], pixels)
    assert pixels.shape == (30, 512, 512)
