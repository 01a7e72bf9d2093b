"""Real micrographs: that they are read, split and paired as their READMEs say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from multiunet.domains.config import EvaluateOptions
from multiunet.domains.evaluation import score_pieces
from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.data.cache import FileCache
from multiunet.domains.image.data.targets import read_objects
from multiunet.domains.image.evaluation.baselines import fit_baselines
from multiunet.domains.image.evaluation.labelled import read_labelled
from multiunet.domains.image.files.listing import list_images
from multiunet.domains.image.files.readers import read_image
from multiunet.domains.image.info import ImageInfo
from multiunet.domains.image.survey import survey
from multiunet.domains.image.task import make_task
from multiunet.domains.splits import SPLITS
from multiunet.errors import InputError

pytestmark = pytest.mark.realdata


def scores_of_otsu(info: ImageInfo) -> dict[str, Any]:
    cache, task = FileCache(), make_task(ImageTrain(images=Path(), masks=Path()), info)
    guess = fit_baselines(info.split.train, info, cache)["otsu"]
    return score_pieces(task, guess(read_labelled(info, EvaluateOptions(), cache))).total.result()


def test_superalloy(data_folder: Path) -> None:
    alloy = data_folder / "super_alloy"
    info = survey(ImageTrain(images=alloy / "images", masks=alloy / "labels", splits=f"{alloy / 'splits.json'}:Super1"))
    published = json.loads((alloy / "splits.json").read_text())["Super1"]
    for name in SPLITS:
        assert [item.name for item in info.split.of(name)] == published[name]
    assert (info.values, info.channels, info.patch_size) == ((0, 1, 2), 1, (256, 256))
    floor = scores_of_otsu(info)
    # dark is secondary gamma prime: the floor of this data set's README
    assert floor["iou"] == pytest.approx([0.740, 0.729, 0.0], abs=0.002)
    assert floor["mean_iou"] == pytest.approx(0.490, abs=0.001)


def test_uint16_beside_uint8(data_folder: Path) -> None:
    types = {read_image(p).pixels.dtype for p in list_images(data_folder / "super_alloy" / "images").values()}
    assert types == {np.dtype("uint8"), np.dtype("uint16")}


def test_any_mask_values(data_folder: Path) -> None:
    train, val = data_folder / "uhcs" / "train", data_folder / "uhcs" / "validate"
    info = survey(
        ImageTrain(
            images=train / "images",
            masks=train / "labels",
            val_images=val / "images",
            val_masks=val / "labels",
        )
    )
    assert info.split.counts() == {"train": 20, "val": 4, "test": 0}
    assert len(info.values) == 4


def test_grey_levels_in_colours_with_alpha(data_folder: Path) -> None:
    picture = read_image(next(iter(list_images(data_folder / "dsb2018_fluo" / "train" / "images").values())))
    assert (picture.colour, picture.pixels.shape[0]) == ("rgb", 3)
    assert (picture.pixels[0] == picture.pixels[2]).all()


def test_numbered_nuclei_are_no_classes(data_folder: Path) -> None:
    nuclei = data_folder / "dsb2018_fluo" / "train"
    with pytest.raises(InputError, match=r"number the objects of each mask, .*pass `instances`"):
        survey(ImageTrain(images=nuclei / "images", masks=nuclei / "masks"))


def test_nuclei_are_counted_and_the_floor_is_that_of_the_readme(data_folder: Path) -> None:
    nuclei = data_folder / "dsb2018_fluo"
    folders = {f"{split}_{kind}": nuclei / split / kind for split in ("val", "test") for kind in ("images", "masks")}
    info = survey(ImageTrain(images=nuclei / "train/images", masks=nuclei / "train/masks", instances=True, **folders))
    assert info.instances.counts == {"train": 3535, "val": 846, "test": 1226}
    floor = scores_of_otsu(info)
    # the README has 0.650 for a like method
    assert floor["ap_50"] == pytest.approx(0.65, abs=0.02)
    assert floor["ap_70"] == pytest.approx(0.491, abs=0.02)
    assert floor["foreground_iou"] == pytest.approx(0.872, abs=0.02)


def test_a_volume_almost_without_ground_between_its_cells(data_folder: Path) -> None:
    labels = read_objects(str(data_folder / "plantseg_ovule/sample_ovule.h5"), None)
    assert (labels.shape, len(np.unique(labels))) == ((32, 128, 128), 51)  # 50 cells, and the ground


def test_sections_as_a_stack(data_folder: Path, tmp_path: Path) -> None:
    sections = list_images(data_folder / "isbi2012" / "train" / "image").values()
    pixels = np.stack([read_image(path).pixels[0] for path in sections])
    tifffile.imwrite(tmp_path / "stack.tif", pixels, photometric="minisblack")
    np.testing.assert_array_equal(read_image(tmp_path / "stack.tif").pixels[0], pixels)
    assert pixels.shape == (30, 512, 512)
