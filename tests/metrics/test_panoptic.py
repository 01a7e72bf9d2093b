"""Panoptic quality by class and F1 of detection, against counts of objects looked at one by one."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.draw import disk

from multiunet.metrics import PanopticMatcher

CLASSES = 3


def draw(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Predicted and true discs, most of which overlap well, and their classes, most of which agree."""
    rng = np.random.default_rng(seed)
    found, true = np.zeros((2, 96, 96), np.int64)
    classes = rng.integers(-1, CLASSES, 40), rng.integers(0, CLASSES, 40)
    for number in range(1, 37):
        centre = np.array([8 + 16 * ((number - 1) // 6), 8 + 16 * ((number - 1) % 6)])
        if rng.random() < 0.9:
            true[disk(centre, 6, shape=true.shape)] = number
        if rng.random() < 0.9:
            found[disk(centre + rng.normal(0, 1.5, 2), rng.uniform(4, 7), shape=true.shape)] = number
        if rng.random() < 0.7:
            classes[1][number] = max(0, classes[0][number])
    return found, true, classes[1], classes[0]


def count(item: tuple[np.ndarray, ...], own: int) -> tuple[float, float]:
    """Panoptic quality and F1 of HoVer-Net of one class, object by object."""
    found, true, of_found, of_true = item
    pairs = {}
    for b in np.unique(true[true > 0]):
        for a in np.unique(found[(true == b) & (found > 0)]):
            iou = ((found == a) & (true == b)).sum() / ((found == a) | (true == b)).sum()
            if iou > 0.5:
                pairs[a, b] = iou
    right = sum(of_found[a] == of_true[b] == own for a, b in pairs)
    wrong = sum(of_true[b] >= 0 and (of_found[a] == own) != (of_true[b] == own) for a, b in pairs)
    false = sum(of_found[a] == own for a in np.unique(found[found > 0]) if a not in {a for a, _ in pairs})
    missed = sum(of_true[b] == own for b in np.unique(true[true > 0]) if b not in {b for _, b in pairs})
    quality = sum(iou for (a, b), iou in pairs.items() if of_found[a] == of_true[b] == own)
    return quality / (right + (wrong + false + missed) / 2), 2 * right / (2 * right + 2 * wrong + false + missed)


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_objects_looked_at_one_by_one(seed: int) -> None:
    item = draw(seed)
    matcher = PanopticMatcher(CLASSES)
    matcher.update(*item)
    scores = matcher.scores()
    qualities, f1 = zip(*(count(item, own) for own in range(CLASSES)))
    assert scores["pq_per_class"] == pytest.approx(qualities)
    assert scores["detection_f1_per_class"] == pytest.approx(f1)
    assert scores["mean_pq"] == pytest.approx(np.mean(qualities))


def test_items_are_pooled() -> None:
    whole, parts = PanopticMatcher(CLASSES), PanopticMatcher(CLASSES)
    for seed in range(2):
        whole.update(*draw(seed))
        one = PanopticMatcher(CLASSES)
        one.update(*draw(seed))
        parts.add(one)
    np.testing.assert_array_equal(whole.confusion, parts.confusion)
    assert whole.scores()["mean_pq"] == pytest.approx(parts.scores()["mean_pq"])
    assert whole.scores()["class_accuracy"] == parts.scores()["class_accuracy"] < 1


def test_perfect_objects_of_one_wrong_class() -> None:
    true = np.repeat([0, 1, 2, 3], 4)
    matcher = PanopticMatcher(2)
    matcher.update(true, true, [-1, 0, 0, 0], [-1, 0, 0, 1])
    scores = matcher.scores()
    assert (scores["pq"], scores["class_accuracy"], scores["commonest_class"]) == (1, 2 / 3, 2 / 3)
    assert scores["pq_per_class"] == [pytest.approx(2 / 2.5), 0]
    assert scores["recall_per_class"] == [1, 0]
    assert scores["precision_per_class"] == [pytest.approx(2 / 3), None]  # nothing is predicted as the second


def test_nothing_there_and_nothing_found() -> None:
    matcher = PanopticMatcher(2)
    matcher.update(np.zeros(4, int), np.zeros(4, int), [-1], [-1])
    assert matcher.scores()["pq"] is None
    assert matcher.scores()["pq_per_class"] == [None, None]
