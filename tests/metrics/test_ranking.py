from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import binary_auroc

from multiunet.metrics import roc_auc


def test_area_agrees_with_torchmetrics_also_with_ties() -> None:
    rng = np.random.default_rng(0)
    for digits in (1, 6):
        score = np.round(rng.random(200), digits)
        positive = rng.random(200) < 0.3 + 0.4 * score
        peer = binary_auroc(torch.from_numpy(score), torch.from_numpy(positive.astype(np.int64)))
        assert roc_auc(score, positive) == pytest.approx(float(peer), abs=1e-6)


@pytest.mark.parametrize("digits", [8, 1, 0])  # with ever more ties
def test_it_is_the_share_of_pairs_in_order(digits: int) -> None:
    rng = np.random.default_rng(digits)
    positive = rng.random(200) < 0.3
    score = np.round(rng.normal(positive, 1), digits)
    pairs = score[positive][:, None] - score[~positive][None]
    expected = ((pairs > 0) + 0.5 * (pairs == 0)).mean()
    assert roc_auc(score, positive) == pytest.approx(expected)
    assert roc_auc(-score, positive) == pytest.approx(1 - expected)


def test_a_perfect_and_a_reversed_order() -> None:
    assert roc_auc(torch.tensor([0.1, 0.2, 0.9]), torch.tensor([False, False, True])) == 1.0
    assert roc_auc(torch.tensor([0.9, 0.8, 0.1]), torch.tensor([False, False, True])) == 0.0


@pytest.mark.parametrize("positive", [[True, True], [False, False]])
def test_one_kind_alone_has_no_area(positive: list[bool]) -> None:
    assert roc_auc(np.array([0.1, 0.9]), np.array(positive)) is None


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="1 of 2 scores are not finite"):
        roc_auc(np.array([0.1, np.nan]), np.array([True, False]))
    with pytest.raises(ValueError, match="differ in shape"):
        roc_auc(np.array([0.1]), np.array([True, False]))
