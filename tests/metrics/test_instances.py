"""Counting pairs above one half against the best assignment of all objects to all others."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from skimage.draw import disk

from multiunet.metrics import InstanceMatcher
from multiunet.metrics.instances import THRESHOLDS, average_precision, overlaps


def discs(seed: int, wobble: float = 0.0) -> np.ndarray:
    """Up to 30 discs, some over others; ``wobble``: how far each is moved and grown."""
    places, moves = np.random.default_rng(seed), np.random.default_rng(seed + 99)
    objects = np.zeros((80, 90), dtype=np.int64)
    for number in range(1, 31):
        centre, radius = places.uniform(5, 75, 2), places.uniform(3, 9)
        moved = centre + wobble * moves.normal(size=2)
        grown = max(1.5, radius + wobble * moves.normal())
        objects[disk(moved, grown, shape=objects.shape)] = 7 * number
    return objects


def assigned(predicted: np.ndarray, truth: np.ndarray, threshold: float) -> int:
    """How many pairs the best assignment of objects has above the threshold."""
    a, b = (np.unique(numbers[numbers > 0]) for numbers in (predicted, truth))
    above = np.array(
        [[((predicted == i) & (truth == j)).sum() / ((predicted == i) | (truth == j)).sum() for j in b] for i in a]
    )
    rows, columns = linear_sum_assignment(above > threshold, maximize=True)
    return int((above[rows, columns] > threshold).sum())


@pytest.mark.parametrize("wobble", [0.3, 1.0, 2.0])
def test_precision_is_that_of_the_best_assignment(wobble: float) -> None:
    matcher, hits, counts, miscounted = InstanceMatcher(), np.zeros(len(THRESHOLDS)), 0, 0
    for seed in range(3):
        predicted, truth = discs(seed, wobble), discs(seed)
        matcher.update(predicted, truth)
        hits += [assigned(predicted, truth, threshold) for threshold in THRESHOLDS]
        number = len(np.unique(predicted)) - 1, len(np.unique(truth)) - 1
        counts, miscounted = counts + sum(number), miscounted + abs(number[0] - number[1])
    scores, expected = matcher.scores(), hits / (counts - hits)
    assert hits[0] > hits[-1]
    named = [scores["ap_50"], scores["ap_70"], scores["ap_90"]]
    assert named == pytest.approx([expected[0], expected[4], expected[8]])
    assert scores["ap_mean"] == pytest.approx(expected.mean())
    assert scores["count_error"] == pytest.approx(miscounted / scores["true_objects"])
    assert scores["objects"] + scores["true_objects"] == counts


def test_a_case_by_hand() -> None:
    truth = np.array([[1, 1, 1, 1, 0, 2, 2, 2, 0, 3]])
    joined = np.array([[9, 9, 9, 9, 9, 9, 9, 9, 0, 4]])  # IoU 4 / 8 (no more than one half), 3 / 8, and 1
    matcher = InstanceMatcher()
    matcher.update(joined, truth)
    scores = matcher.scores()
    assert scores["ap_50"] == scores["ap_90"] == pytest.approx(1 / (1 + 1 + 2))
    assert (scores["objects"], scores["true_objects"]) == (2, 3)
    assert scores["count_error"] == pytest.approx(1 / 3)
    assert scores["foreground_iou"] == pytest.approx(8 / 9)


def test_unknown_sites_and_images_without_objects() -> None:
    nothing = InstanceMatcher()
    nothing.update(np.zeros((2, 3), int), np.zeros((2, 3), int))
    assert nothing.scores()["ap_50"] is None
    assert nothing.scores()["count_error"] is None
    invented = InstanceMatcher()
    invented.update(np.ones((2, 3), int), np.zeros((2, 3), int))
    assert invented.scores()["ap_mean"] == 0.0
    unknown = InstanceMatcher()
    unknown.update(np.array([1, 1, 2, 2]), np.array([5, 5, -1, -1]))
    assert (unknown.scores()["ap_90"], unknown.scores()["objects"]) == (1.0, 1)
    with pytest.raises(ValueError, match="differ in shape"):
        unknown.update(np.zeros(3, int), np.zeros(4, int))


def test_matchings_add_up() -> None:
    both, added = InstanceMatcher(), InstanceMatcher()
    for seed in range(3):
        one = InstanceMatcher()
        for matcher in (both, one):
            matcher.update(discs(seed, wobble=1.5), discs(seed))
        before = one.scores()
        added.add(one)
        assert one.scores() == before
    assert added.scores() == both.scores()
    assert added.scores()["objects"] > one.scores()["objects"]


def test_average_precision_by_hand() -> None:
    # recalls 1/4, 1/4, 1/2, 3/4 with precisions 1, 1/2, 2/3, 3/4: falling with recall they are 1, 3/4, 3/4, 3/4
    found = average_precision([0.9, 0.8, 0.7, 0.6], [True, False, True, True], positives=4)
    assert found == pytest.approx((26 * 1 + 50 * 0.75) / 101)
    assert average_precision([0.2, 0.3], [True, True], positives=2) == 1
    assert average_precision([], [], positives=2) == 0
    assert average_precision([0.5], [False], positives=0) is None


def test_surer_hits_rank_higher() -> None:
    truth = np.array([[1, 1, 0, 2, 2, 0, 0, 3, 3, -1]])
    predicted = np.array([[5, 5, 0, 6, 6, 0, 7, 0, 0, 8]])  # 5 and 6 are hits, 7 is none, 8 does not count
    good = np.array([[1.0, 1.0, 0, 0.9, 0.9, 0, 0.1, 0, 0, 1.0]])
    bad = np.where(predicted == 7, 1.0, good / 2)
    scores = []
    for confidence in (good, bad):
        matcher = InstanceMatcher()
        matcher.update(predicted, truth, confidence)
        scores.append(matcher.scores()["ranked_ap_50"])
    assert scores[0] == pytest.approx(67 / 101)  # precision 1 up to the recall 2 / 3
    assert scores[1] == pytest.approx(67 * (2 / 3) / 101)
    without = InstanceMatcher()
    without.update(predicted, truth)
    assert without.scores()["ranked_ap_50"] is None
    together = InstanceMatcher()
    together.add(matcher)
    assert together.scores()["ranked_ap_50"] == scores[1]
    together.add(without)
    assert together.scores()["ranked_ap_50"] is None


@pytest.mark.parametrize("kind", [np.uint8, np.int64])
def test_overlaps_are_those_of_the_sets_of_sites(kind: type) -> None:
    predicted, truth = (discs(seed, 1.0).astype(kind) for seed in (0, 1))
    pairs = overlaps(predicted, truth)
    found = {(int(i), int(j)): iou for i, j, iou in zip(pairs.predicted, pairs.true, pairs.iou)}
    for i in np.unique(predicted[predicted > 0]):
        for j in np.unique(truth[truth > 0]):
            a, b = predicted == i, truth == j
            assert found.get((int(i), int(j)), 0.0) == pytest.approx((a & b).sum() / (a | b).sum())
    assert len(overlaps(predicted[:0], truth[:0]).iou) == 0
