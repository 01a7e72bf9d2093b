from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.files.masks import read_mask
from multiunet.domains.image.survey import survey
from multiunet.domains.image.survey.splits import SPLITS, split_items
from multiunet.domains.image.survey.stratify import choose_images, spread_classes
from multiunet.errors import InputError


def random_classes(rng: np.random.Generator, images: int) -> list[frozenset[int]]:
    return [frozenset({0, *(value for value in range(1, 6) if rng.random() < 0.25)}) for _ in range(images)]


@pytest.mark.parametrize("seed", range(30))
def test_no_fold_tests_all_images_of_a_class_that_another_could(seed: int) -> None:
    rng = np.random.default_rng(seed)
    images, folds = int(rng.integers(6, 20)), int(rng.integers(2, 6))
    classes = random_classes(rng, images)
    order = rng.permutation(images).tolist()
    row = spread_classes(order, folds, classes)
    assert sorted(row) == list(range(images))
    counts = Counter(value for own in classes for value in own)
    for fold in range(folds):
        tested = Counter(value for image in row[fold::folds] for value in classes[image])
        assert all(tested[value] < count for value, count in counts.items() if count > 1)
    if row == order:
        return
    # changed only where it had to be
    together = [{value for image in order[fold::folds] for value in classes[image]} for fold in range(folds)]
    assert any(counts[value] > 1 and sum(value in own for own in together) == 1 for value in counts)


@pytest.mark.parametrize("seed", range(30))
def test_what_is_set_apart_leaves_every_class(seed: int) -> None:
    rng = np.random.default_rng(seed)
    classes = random_classes(rng, 12)
    order = rng.permutation(12).tolist()
    apart = choose_images(order, 3, classes)
    assert len(set(apart)) == 3
    left = {value for image in set(range(12)) - set(apart) for value in classes[image]}
    assert left == {value for own in classes for value in own}  # there are images enough that show nothing of their own
    plain = [frozenset({0})] * 12
    assert choose_images(order, 3, plain) == order[:3]


def test_there_is_a_choice_even_when_every_image_is_the_last_of_a_class() -> None:
    assert choose_images([2, 0, 1], 2, [frozenset({image}) for image in range(3)]) == [2, 0]


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
