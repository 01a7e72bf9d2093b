from __future__ import annotations

import json
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
    return survey(ImageTrain(images=root / "images", masks=root / "masks", **settings))


def repaint(path: Path, pixels: np.ndarray) -> None:
    tifffile.imwrite(path, pixels) if path.suffix == ".tif" else Image.fromarray(pixels).save(path)


def test_an_ignored_value_is_no_class(folder: Any) -> None:
    root = folder(4)
    mask = np.array(Image.open(root / "masks/s1.png"))
    mask[:5] = 255
    repaint(root / "masks/s1.png", mask)
    assert survey_data(root, ignore_value=255).values == (4, 9)


def test_a_class_that_no_training_mask_has(folder: Any) -> None:
    root = folder(4)
    mask = np.array(Image.open(root / "masks/s3.png"))
    mask[0, 0] = 77
    repaint(root / "masks/s3.png", mask)
    (root / "a.json").write_text(json.dumps({"train": ["s0", "s1"], "val": ["s2"], "test": ["s3"]}))
    with pytest.raises(InputError, match=r"s3\.png: value 77 is in no training mask"):
        survey_data(root, splits=f"{root}/a.json")
    assert survey_data(root, splits=f"{root}/a.json", ignore_value=77).values == (4, 9)


def test_numbered_objects_are_no_classes(folder: Any) -> None:
    root = folder(6)
    for index in range(6):
        count = 17 + index
        mask = np.zeros((20, 24), np.uint8)
        mask[::2, :count] = np.arange(1, count + 1)
        mask = np.kron(mask, np.ones((2, 2), np.uint8))
        repaint(root / f"masks/s{index}.png", mask)
    with pytest.raises(InputError, match="number the objects"):
        survey_data(root)


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0]])
def test_class_weights_that_do_not_fit(folder: Any, weights: list[float]) -> None:
    said = "all weights are zero" if weights == [0, 0] else "give 2 numbers, none negative"
    with pytest.raises(InputError, match=said):
        survey_data(folder(4), class_weights=weights)


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
    survey_data(root, seed=1)
    assert "`instances`" not in caplog.text
    few_objects(root, parts=1)
    survey_data(root, seed=1)
    assert "masks have 4 to 7 values; if these number objects, pass `instances`" in caplog.text


def test_objects_of_painted_masks_are_counted_once(folder: Any) -> None:
    root = folder(4)
    grey = survey_data(root, seed=1)
    *others, last = [Path(item.target) for item in grey.split.train]
    for path in others:  # colours that are all grey may mean numbers
        repaint(path, np.dstack([np.asarray(Image.open(path))] * 3))
    mask = np.asarray(Image.open(last))
    repaint(last, np.dstack([mask, mask, np.where(mask == 9, 0, mask).astype(np.uint8)]))
    painted = survey_data(root, seed=1)
    assert painted.classes.names == ("#040404", "#090900", "#090909")
    numbers, colours = (
        {name: found.objects_a_mask for name, found in info.fingerprint.classes.items()} for info in (grey, painted)
    )
    assert colours["#040404"] == numbers["4"]
    assert colours["#090900"] + colours["#090909"] == pytest.approx(numbers["9"], rel=1e-3)


@pytest.mark.parametrize("name", ["val", "test"])
@pytest.mark.parametrize("kind", ["mask", "target"])
def test_a_split_of_which_no_pixel_counts_is_refused(folder: Any, name: str, kind: str) -> None:
    root = folder(4)
    lists = {"train": ["s0", "s1"], "val": ["s2"], "test": ["s3"]}
    (root / "a.json").write_text(json.dumps(lists))
    (path,) = (root / f"masks/{stem}.png" for stem in lists[name])
    repaint(path, np.full((40, 48), 255, np.uint8))
    settings: dict[str, Any] = {"masks": root / "masks"}
    if kind == "target":
        settings = {"targets": root / "masks", "task": "regression"}
    config = ImageTrain(images=root / "images", splits=f"{root}/a.json", ignore_value=255, **settings)
    with pytest.raises(InputError, match=rf"{path.name}: no pixel of the 1 {name} {kind} counts"):
        survey(config)
