from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from multiunet.domains.units import choose_units, deal_units, gather_units, spread_classes


def random_classes(rng: np.random.Generator, images: int) -> list[frozenset[int]]:
    return [frozenset({0, *(value for value in range(1, 6) if rng.random() < 0.25)}) for _ in range(images)]


@pytest.mark.parametrize("seed", range(30))
def test_no_fold_tests_all_images_of_a_class_that_another_could(seed: int) -> None:
    rng = np.random.default_rng(seed)
    images, folds = int(rng.integers(6, 20)), int(rng.integers(2, 6))
    classes = random_classes(rng, images)
    order = rng.permutation(images).tolist()
    first, dealt = deal_units(order, folds)
    assert first == order
    assert dealt == [place % folds for place in range(images)]
    row = spread_classes(order, dealt, classes)
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
    apart = choose_units(order, 3, classes)
    assert len(set(apart)) == 3
    left = {value for image in set(range(12)) - set(apart) for value in classes[image]}
    assert left == {value for own in classes for value in own}  # there are images enough that show nothing of their own
    plain = [frozenset({0})] * 12
    assert choose_units(order, 3, plain) == order[:3]


def test_there_is_a_choice_even_when_every_image_is_the_last_of_a_class() -> None:
    assert choose_units([2, 0, 1], 2, [frozenset({image}) for image in range(3)]) == [2, 0]


@pytest.mark.parametrize("seed", range(20))
def test_groups_of_any_size_make_folds_that_differ_by_one_group_at_most(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 9, 12).tolist()
    row, dealt = deal_units(rng.permutation(12).tolist(), 3, sizes)
    held = [sum(sizes[unit] for unit, own in zip(row, dealt) if own == fold) for fold in range(3)]
    assert sum(held) == sum(sizes)
    assert max(held) - min(held) <= max(sizes)


@pytest.mark.parametrize("seed", range(20))
def test_a_share_of_groups_is_near_what_was_asked(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 9, 12).tolist()
    order = rng.permutation(12).tolist()
    taken = choose_units(order, 10, [frozenset()] * 12, sizes)
    assert len(set(taken)) == len(taken) < 12
    assert 5 <= sum(sizes[unit] for unit in taken) <= 15


def test_one_group_stays_and_one_is_taken() -> None:
    plain = [frozenset[int]()] * 2
    assert choose_units([0, 1], 9, plain, [5, 5]) == [0]
    assert choose_units([0, 1], 1, plain, [50, 40]) == [1]
    assert gather_units(["b", None, "b"]) == [[0, 2], [1]]
