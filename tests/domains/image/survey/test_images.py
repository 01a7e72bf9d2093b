from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.survey import survey
from multiunet.errors import InputError


def facts_of(root: Path, **settings: Any) -> dict[str, Any]:
    if settings.get("task") != "regression":
        settings.setdefault("masks", root / "masks")
    return survey(ImageTrain(images=root / "images", **settings))


def repaint(path: Path, pixels: np.ndarray) -> None:
    tifffile.imwrite(path, pixels) if path.suffix == ".tif" else Image.fromarray(pixels).save(path)


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
