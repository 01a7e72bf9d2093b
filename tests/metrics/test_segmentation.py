from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import (
    multiclass_confusion_matrix,
    multiclass_f1_score,
    multiclass_jaccard_index,
)

from multiunet import metrics
from multiunet.metrics import Confusion


@pytest.fixture
def maps() -> tuple[torch.Tensor, torch.Tensor]:
    """Predictions and targets (5, 9, 7) of 4 classes; -1 is unknown."""
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(-1, 4, (5, 9, 7), generator=generator)
    noise = torch.randint(4, (5, 9, 7), generator=generator)
    return torch.where(torch.rand(5, 9, 7, generator=generator) < 0.6, target.clamp_min(0), noise), target


def confusion_of(predicted: torch.Tensor, target: torch.Tensor, classes: int = 4) -> Confusion:
    confusion = Confusion(classes)
    for pair in zip(predicted, target):
        confusion.update(*pair)
    return confusion


def test_public_names() -> None:
    assert metrics.__all__ == [
        "ClassificationScores",
        "Confusion",
        "InstanceMatcher",
        "InstanceScores",
        "IntervalCounts",
        "PanopticMatcher",
        "PanopticScores",
        "Ranked",
        "Ranking",
        "RegressionScores",
        "Reliability",
        "ReliabilityScores",
        "SegmentationScores",
        "SetCounts",
        "Sparsification",
        "TrackScores",
        "aurc",
        "autocorrelation",
        "calibration_curve",
        "classification_scores",
        "compare_sharpness",
        "compare_texture",
        "compute_psnr",
        "compute_ssim",
        "ence",
        "excess_aurc",
        "gaussian_nll",
        "mean_of_defined",
        "miscalibration_area",
        "normal_half_width",
        "part_right_from_wrong",
        "pearson",
        "regression_scores",
        "risk_coverage_curve",
        "roc_auc",
        "sparsify",
        "spearman",
    ]


def test_equals_torchmetrics(maps: tuple[torch.Tensor, torch.Tensor]) -> None:
    confusion = confusion_of(*maps)
    scores = confusion.scores()
    options = {"num_classes": 4, "ignore_index": -1}
    assert confusion.matrix.tolist() == multiclass_confusion_matrix(*maps, **options).tolist()
    assert scores["iou"] == pytest.approx(multiclass_jaccard_index(*maps, average="none", **options).tolist())
    assert scores["mean_iou"] == pytest.approx(multiclass_jaccard_index(*maps, **options).item())
    assert scores["dice_per_class"] == pytest.approx(multiclass_f1_score(*maps, average="none", **options).tolist())
    assert scores["dice"] == pytest.approx(multiclass_f1_score(*maps, average="macro", **options).item())
    by_item = [multiclass_jaccard_index(p, t, average="micro", **options).item() for p, t in zip(*maps)]
    assert scores["micro_iou"] == pytest.approx(np.mean(by_item))


def test_by_hand() -> None:
    confusion = Confusion(3)
    confusion.update(np.array([0, 0, 1, 1]), np.array([0, 1, 1, -1]))
    confusion.update(torch.tensor([[0], [1]]), torch.tensor([[0], [0]]))
    assert [m.tolist() for m in confusion.items] == [
        [[1, 0, 0], [1, 1, 0], [0, 0, 0]],
        [[1, 1, 0], [0, 0, 0], [0, 0, 0]],
    ]
    assert confusion.matrix.dtype == np.int64
    scores = confusion.scores()
    assert scores["iou"] == [2 / 4, 1 / 3, None]
    assert scores["mean_iou"] == pytest.approx((2 / 4 + 1 / 3) / 2)
    assert scores["dice_per_class"] == [4 / 6, 2 / 4, None]
    assert scores["precision"] == scores["recall"] == [2 / 3, 1 / 2, None]
    assert scores["dice"] == pytest.approx((4 / 6 + 2 / 4) / 2)
    assert scores["micro_iou"] == pytest.approx((2 / 4 + 1 / 3) / 2)
    assert scores["pixel_accuracy"] == 3 / 5


def test_a_class_predicted_but_never_true_counts_as_zero() -> None:
    confusion = Confusion(3)
    confusion.update(np.array([0, 2]), np.array([0, 0]))
    assert confusion.scores()["iou"] == [0.5, None, 0.0]
    assert confusion.scores()["mean_iou"] == 0.25


def test_an_item_without_known_sites_does_not_count(maps: tuple[torch.Tensor, torch.Tensor]) -> None:
    confusion, expected = confusion_of(*maps), confusion_of(*maps).scores()
    confusion.update(np.array([3, 1]), np.array([-1, -1]))
    assert confusion.scores() == expected
    assert len(confusion.items) == 6


def test_nothing_seen_is_none_not_nan() -> None:
    scores = Confusion(2).scores()
    assert scores["iou"] == [None, None]
    assert {scores[name] for name in ("mean_iou", "micro_iou", "dice", "pixel_accuracy")} == {None}
    json.dumps(scores, allow_nan=False)


def test_scores_are_plain_json(maps: tuple[torch.Tensor, torch.Tensor]) -> None:
    scores = confusion_of(*maps).scores()
    assert json.loads(json.dumps(scores)) == scores


def test_unsigned_labels_with_their_own_ignore_value() -> None:
    confusion = Confusion(2, ignore_index=255)
    confusion.update(np.array([0, 1, 1], dtype=np.uint8), np.array([0, 255, 1], dtype=np.uint8))
    assert confusion.matrix.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("predicted", "target", "message"),
    [
        ([0, 1], [0, 2], r"target class 2 is outside the 2 classes 0\.\.1 \(1 such sites\)"),
        ([0, 3], [0, 1], r"predicted class 3 is outside"),
        ([0, -1], [0, 1], r"predicted class -1 is outside"),
        ([0, 1], [0, 1, 1], r"predicted \(2,\) and target \(3,\) differ in shape"),
        ([0.2, 0.9], [0, 1], "predicted classes are class indices: expected integers, got float64"),
    ],
)
def test_refusals(predicted: list[float], target: list[int], message: str) -> None:
    confusion = Confusion(2)
    with pytest.raises(ValueError, match=message):
        confusion.update(np.array(predicted), np.array(target))
    assert confusion.items == []


def test_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match="classes 1: at least 2"):
        Confusion(1)


def test_pieces_added_are_one_item() -> None:
    rng = np.random.default_rng(0)
    predicted, target = rng.integers(0, 3, (2, 2, 30))
    whole, added, pieces = Confusion(3), Confusion(3), [Confusion(3), Confusion(3)]
    for image in range(2):
        whole.update(predicted[image], target[image])
        for part in (slice(0, 11), slice(11, 30)):
            pieces[image].update(predicted[image, part], target[image, part])
        added.add(pieces[image])
    assert [item.tolist() for item in added.items] == [item.tolist() for item in whole.items]
    assert added.scores() == whole.scores()
    with pytest.raises(ValueError, match="counts of 2 classes cannot be added to those of 3"):
        added.add(Confusion(2))


def test_nobody_is_told_to_leave_sites_out_where_none_can_be() -> None:
    with pytest.raises(ValueError, match=r"0\.\.1 \(1 such sites\)$"):
        Confusion(2, ignore_index=None).update(np.array([0]), np.array([2]))
