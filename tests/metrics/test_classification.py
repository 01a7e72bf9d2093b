from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import binary_auroc, multiclass_accuracy, multiclass_f1_score

from multiunet.metrics import classification_scores, roc_auc


def test_equals_torchmetrics() -> None:
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(-1, 5, (300,), generator=generator)
    predicted = torch.where(torch.rand(300, generator=generator) < 0.5, target.clamp_min(0), 2)
    scores = classification_scores(predicted, target, classes=5)
    options = {"num_classes": 5, "ignore_index": -1}
    assert scores["accuracy"] == pytest.approx(
        multiclass_accuracy(predicted, target, average="micro", **options).item()
    )
    assert scores["macro_f1"] == pytest.approx(
        multiclass_f1_score(predicted, target, average="macro", **options).item()
    )


def test_by_hand() -> None:
    scores = classification_scores(torch.tensor([0, 0, 1, 1, 2]), torch.tensor([0, 1, 1, -1, 0]), classes=4)
    # class 0: TP 1, FP 1, FN 1; class 1: TP 1, FN 1; class 2: FP 1; class 3 is on neither side
    assert scores == {"accuracy": 2 / 4, "macro_f1": pytest.approx((1 / 2 + 2 / 3 + 0) / 3)}


def test_no_labels_give_none() -> None:
    nothing = torch.tensor([-1, -1])
    assert classification_scores(torch.tensor([0, 1]), nothing, 2) == {"accuracy": None, "macro_f1": None}


@pytest.mark.parametrize("digits", [8, 1, 0])  # with ever more ties
def test_area_under_the_roc_curve_is_the_share_of_pairs_in_order(digits: int) -> None:
    rng = np.random.default_rng(digits)
    positive = rng.random(200) < 0.3
    score = np.round(rng.normal(positive, 1), digits)
    pairs = score[positive][:, None] - score[~positive][None]
    expected = ((pairs > 0) + 0.5 * (pairs == 0)).mean()
    assert roc_auc(score, positive) == pytest.approx(expected)
    assert roc_auc(-score, positive) == pytest.approx(1 - expected)
    one = binary_auroc(torch.from_numpy(1 / (1 + np.exp(-score))), torch.from_numpy(positive).long())
    assert roc_auc(torch.from_numpy(score), torch.from_numpy(positive)) == pytest.approx(one.item())


def test_area_under_the_roc_curve_is_not_always_defined() -> None:
    assert roc_auc(np.ones(3), np.ones(3, bool)) is None
    assert roc_auc(np.ones(3), np.zeros(3, bool)) is None
    assert roc_auc(np.array([1.0, -np.inf]), np.array([True, False])) == 1
    with pytest.raises(ValueError, match="must be numbers"):
        roc_auc(np.array([np.nan, 1]), np.array([True, False]))
    with pytest.raises(ValueError, match="must be numbers"):
        roc_auc(np.ones(2), np.ones(3, bool))
