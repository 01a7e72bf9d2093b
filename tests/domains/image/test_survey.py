from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.shelf import Shelf
from multiunet.domains.image.survey import survey
from multiunet.domains.image.truths import load_target
from multiunet.errors import InputError


def facts_of(root: Path, **settings: Any) -> dict[str, Any]:
    if settings.get("task") != "regression":
        settings.setdefault("masks", root / "masks")
    return survey(ImageTrain(images=root / "images", **settings))


def repaint(path: Path, pixels: np.ndarray) -> None:
    tifffile.imwrite(path, pixels) if path.suffix == ".tif" else Image.fromarray(pixels).save(path)


def test_facts_of_a_folder(folder: Any) -> None:
    root = folder(6)
    facts = facts_of(root)
    assert facts == json.loads(json.dumps(facts))
    assert (facts["ndim"], facts["dims"], facts["channels"], facts["colour"]) == (2, ["y", "x"], 1, "grey")
    assert (facts["values"], facts["classes"]) == ([4, 9], ["4", "9"])
    masks = [np.asarray(Image.open(item["truth"])) for item in facts["split"]["train"]]
    assert facts["pixels"]["train"] == [sum(int((m == v).sum()) for m in masks) for v in (4, 9)]
    assert facts["patch_size"] == [40, 48]


def test_volumes(folder: Any) -> None:
    facts = facts_of(folder(4, shape=(12, 40, 48), suffix=".tif", kind=np.float32))
    assert (facts["ndim"], facts["dims"], facts["patch_size"]) == (3, ["z", "y", "x"], [12, 40, 48])
    assert facts["strides"][0] == [1, 2, 2]  # 6 sections would be too few


def test_grey_levels_saved_as_colours_are_grey_if_all_are(folder: Any) -> None:
    root = folder(4)
    grey = np.asarray(Image.open(root / "images/s1.png"))
    repaint(root / "images/s1.png", np.dstack([grey] * 3))
    facts = facts_of(root, intensities="train")
    assert facts["channels"] == len(facts["intensities"]["mean"]) == 1
    colours = np.dstack([grey, grey, 255 - grey])
    repaint(root / "images/s1.png", colours)
    with pytest.raises(InputError, match=r"s1\.png: is in colours, but other images are grey"):
        facts_of(root)
    for index in range(4):
        repaint(root / f"images/s{index}.png", np.roll(colours, index, axis=0))
    assert (facts_of(root)["channels"], facts_of(root)["colour"]) == (3, "rgb")


def test_intensities_of_the_training_images(folder: Any) -> None:
    root = folder(6)
    facts = facts_of(root, intensities="train")
    pixels = np.concatenate([np.asarray(Image.open(item["image"])).ravel() for item in facts["split"]["train"]])
    assert facts["intensities"]["mean"] == pytest.approx([pixels.mean()])
    assert facts["intensities"]["deviation"] == pytest.approx([pixels.std()])


def test_an_ignored_value_is_no_class(folder: Any) -> None:
    root = folder(4)
    mask = np.array(Image.open(root / "masks/s1.png"))
    mask[:5] = 255
    repaint(root / "masks/s1.png", mask)
    assert facts_of(root, ignore_value=255)["values"] == [4, 9]


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
        facts_of(root)


def test_images_and_volumes_do_not_mix(folder: Any) -> None:
    root = folder(4, suffix=".tif")
    tifffile.imwrite(root / "images/s2.tif", np.ones((5, 40, 48), np.uint8), photometric="minisblack")
    with pytest.raises(InputError, match=r"\.tif: has \d axes"):
        facts_of(root)


def test_other_numbers_of_channels(folder: Any) -> None:
    root = folder(4, suffix=".tif")
    for index, channels in enumerate((2, 2, 5, 2)):
        pixels = np.random.default_rng(index).integers(0, 99, (channels, 40, 48)).astype(np.uint8)
        tifffile.imwrite(root / f"images/s{index}.tif", pixels, metadata={"axes": "CYX"})
    with pytest.raises(InputError, match=r"\.tif: has \d channels, but .*\.tif has \d"):
        facts_of(root)


def test_the_same_image_in_two_splits_is_refused(folder: Any) -> None:
    root = folder(6)
    (root / "images/s5.png").write_bytes((root / "images/s0.png").read_bytes())
    lists = {"train": ["s0", "s1"], "val": ["s2"], "test": ["s5"]}
    (root / "a.json").write_text(json.dumps(lists))
    with pytest.raises(InputError, match=r"s5\.png \(test\) and .*s0\.png \(train\) are the same image"):
        facts_of(root, splits=f"{root}/a.json")
    lists["train"].append(lists["test"].pop())
    (root / "a.json").write_text(json.dumps(lists))
    facts_of(root, splits=f"{root}/a.json")  # twice in training harms nobody


def test_a_constant_image_is_a_warning(folder: Any, caplog: pytest.LogCaptureFixture) -> None:
    root = folder(4)
    repaint(root / "images/s1.png", np.full((40, 48), 7, np.uint8))
    facts_of(root)
    assert "s1.png: all pixels are 7" in caplog.text


def test_a_class_that_no_training_mask_has(folder: Any) -> None:
    root = folder(4)
    mask = np.array(Image.open(root / "masks/s3.png"))
    mask[0, 0] = 77
    repaint(root / "masks/s3.png", mask)
    (root / "a.json").write_text(json.dumps({"train": ["s0", "s1"], "val": ["s2"], "test": ["s3"]}))
    with pytest.raises(InputError, match=r"s3\.png: value 77 is in no training mask"):
        facts_of(root, splits=f"{root}/a.json")
    assert facts_of(root, splits=f"{root}/a.json", ignore_value=77)["values"] == [4, 9]


def test_numbered_objects_are_no_classes(folder: Any) -> None:
    root = folder(6)
    for index in range(6):
        count = 17 + index
        mask = np.zeros((20, 24), np.uint8)
        mask[::2, :count] = np.arange(1, count + 1)
        mask = np.kron(mask, np.ones((2, 2), np.uint8))
        repaint(root / f"masks/s{index}.png", mask)
    with pytest.raises(InputError, match="number the objects"):
        facts_of(root)


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0]])
def test_class_weights_that_do_not_fit(folder: Any, weights: list[float]) -> None:
    with pytest.raises(InputError, match="give 2 numbers, none negative"):
        facts_of(folder(4), class_weights=weights)


@pytest.mark.parametrize("size", [[16, 16, 16], [0]])
def test_patch_sizes_that_do_not_fit(folder: Any, size: list[int]) -> None:
    with pytest.raises(InputError, match="--patch-size"):
        facts_of(folder(4), patch_size=size)


def test_masks_and_targets_are_asked_for(folder: Any) -> None:
    root = folder(4)
    with pytest.raises(InputError, match="--task segmentation needs --masks"):
        facts_of(root, masks=None)
    with pytest.raises(InputError, match="--task regression needs --targets"):
        facts_of(root, task="regression")


def test_targets(folder: Any) -> None:
    root = folder(4)
    stack = {}
    for index in range(4):
        stack[index] = np.random.default_rng(index).normal(5, 2, (40, 48)).astype(np.float32)
        stack[index][0, :7] = np.nan
        (root / "targets").mkdir(exist_ok=True)
        tifffile.imwrite(root / f"targets/s{index}.tif", stack[index])
    settings: dict[str, Any] = {"task": "regression", "targets": root / "targets"}
    facts = facts_of(root, **settings)
    known = np.concatenate([stack[int(item["name"][1:])].ravel() for item in facts["split"]["train"]])
    assert (facts["centre"], facts["scale"]) == (
        pytest.approx([np.nanmean(known)], rel=1e-5),
        pytest.approx([np.nanstd(known)], rel=1e-5),
    )
    for index in range(4):
        tifffile.imwrite(root / f"targets/s{index}.tif", np.full((40, 48), 3.0, np.float32))
    with pytest.raises(InputError, match="targets are 3 everywhere"):
        facts_of(root, **settings)
    for index in range(4):
        tifffile.imwrite(root / f"targets/s{index}.tif", np.full((40, 48), np.nan, np.float32))
    with pytest.raises(InputError, match="NaN everywhere"):
        facts_of(root, **settings)


def test_a_number_that_means_not_measured(folder: Any, caplog: pytest.LogCaptureFixture) -> None:
    root = folder(4)
    (root / "targets").mkdir()
    for index in range(4):
        heights = np.random.default_rng(index).integers(3, 9, (40, 48)).astype(np.int16)
        heights[:5] = -9999
        tifffile.imwrite(root / f"targets/s{index}.tif", heights)
    settings: dict[str, Any] = {"task": "regression", "targets": root / "targets"}
    facts = facts_of(root, **settings, ignore_value=-9999)
    assert 5 < facts["centre"][0] < 6
    target = load_target(str(root / "targets/s0.tif"), facts, Shelf())
    assert np.isnan(target[0, :5]).all()
    assert not np.isnan(target[0, 5:]).any()
    facts_of(root, **settings, ignore_value=-1)
    assert "--ignore-value -1: no target in" in caplog.text


def few_objects(root: Path, parts: int) -> None:
    """Masks that number 3 to 6 squares, each of so many parts."""
    for index in range(6):
        labels = np.zeros((40, 48), np.uint8)
        for number in range(3 + index % 4):
            for part in range(parts):
                labels[14 * part : 14 * part + 4, 7 * number : 7 * number + 5] = number + 1
        repaint(root / "masks" / f"s{index}.png", labels)


def test_values_that_may_number_objects_are_told_of(folder: Any, caplog: pytest.LogCaptureFixture) -> None:
    root = folder(6)
    few_objects(root, parts=2)
    facts_of(root, seed=1)
    assert "--instances" not in caplog.text
    few_objects(root, parts=1)
    facts_of(root, seed=1)
    assert "masks have 4 to 7 values; if these number objects, pass --instances" in caplog.text


def test_images_of_several_depths_are_told_of_where_it_matters(folder: Any, caplog: pytest.LogCaptureFixture) -> None:
    root = folder(6)
    for index in range(0, 6, 2):
        path = root / "images" / f"s{index}.png"
        repaint(path, np.asarray(Image.open(path)).astype(np.uint16) * 257)
    facts_of(root)
    assert not caplog.text
    facts_of(root, intensities="train")
    assert "holds images of uint16 and uint8, and --intensities train takes their numbers as they are" in caplog.text
