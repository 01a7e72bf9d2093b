from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.files.masks import read_mask
from multiunet.domains.image.survey import survey
from multiunet.domains.image.survey.splits import SPLITS, split_items
from multiunet.errors import InputError


def show(root: Path, value: int, *stems: int) -> None:
    for stem in stems:
        path = root / f"masks/s{stem}.png"
        mask = np.array(Image.open(path))
        mask[:3, :3] = value
        Image.fromarray(mask).save(path)


@pytest.mark.parametrize("seed", range(6))
def test_every_fold_learns_a_class_of_two_images(folder: Any, seed: int) -> None:
    root = folder(9)
    show(root, 77, 2, 5)
    tested: list[str] = []
    for fold in range(3):
        config = ImageTrain(images=root / "images", masks=root / "masks", folds=3, fold=fold, seed=seed)
        info = survey(config)
        assert 77 in info.values
        tested += [item.name for item in info.split.test]
    assert sorted(tested) == [f"s{i}" for i in range(9)]


@pytest.mark.parametrize("seed", range(6))
def test_a_class_of_one_image_is_learnt(folder: Any, seed: int) -> None:
    root = folder(6)
    show(root, 77, 3)
    splits = split_items(ImageTrain(images=root / "images", masks=root / "masks", seed=seed), root / "masks")
    assert [len(splits[name]) for name in SPLITS] == [4, 1, 1]
    assert any(77 in read_mask(Path(item.target)) for item in splits["train"])


def test_a_fold_that_cannot_learn_a_class_is_named(folder: Any) -> None:
    root = folder(6)
    show(root, 77, 3)
    settings: dict[str, Any] = {"images": root / "images", "masks": root / "masks", "folds": 3}
    failed = []
    for fold in range(3):
        try:
            survey(ImageTrain(**settings, fold=fold))
        except InputError as error:
            failed.append((fold, str(error)))
    [(fold, message)] = failed
    assert f"s3.png: value 77 is in no training mask of fold {fold} of `folds=3`, and in no other mask" in message
    assert "add images that show it, or pass `ignore_value=77`" in message
    assert survey(ImageTrain(**settings, fold=fold, ignore_value=77)).values == (4, 9)
