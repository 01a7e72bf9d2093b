from __future__ import annotations

import numpy as np
import pytest
import torch

from multiunet.domains.graph.scoring import Predicted, pooled, scores
from multiunet.tasks import Regression, Segmentation

P = torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3], [0.5, 0.5]])


def test_classes_by_hand() -> None:
    found = scores(Segmentation(["a", "b"]), Predicted(P, torch.tensor([0, 0, 1, 1, -1])))
    assert found["accuracy"] == 0.5
    assert found["macro_f1"] == pytest.approx((0.5 + 0.5) / 2)
    assert found["roc_auc"] == 0.75
    three = torch.cat([P, torch.zeros(5, 1)], dim=1)
    assert "roc_auc" not in scores(Segmentation(["a", "b", "c"]), Predicted(three, torch.tensor([0, 0, 1, 2, -1])))


def test_quantities_by_hand() -> None:
    truth = torch.tensor([[1.0], [2.0], [4.0], [float("nan")]])
    found = scores(Regression(["y"]), Predicted(torch.tensor([[1.0], [4.0], [3.0], [9.0]]), truth))
    assert found["rmse"] == pytest.approx((5 / 3) ** 0.5)
    assert found["mae"] == pytest.approx(1)
    two = Predicted(torch.rand(5, 2), torch.rand(5, 2))
    found = scores(Regression(["y", "z"]), two)
    error = (two.mean - two.truth).square().mean(dim=0).sqrt().tolist()
    assert [track["rmse"] for track in found["per_track"]] == pytest.approx(error)


def test_where_variances_are_stated_it_is_asked_whether_they_come_true() -> None:
    truth = torch.tensor([0, 0, 1, 1, -1])
    found = scores(Segmentation(["a", "b"]), Predicted(P, truth, P * (1 - P)))
    right = torch.tensor([0.9, 0.4, 0.8, 0.3])
    assert found["nll"] == pytest.approx(float(-right.log().mean()))
    assert found["brier"] == pytest.approx(float((2 * (1 - right) ** 2).mean()))
    assert "nll" not in scores(Segmentation(["a", "b"]), Predicted(P, truth))
    mean, target = torch.tensor([[0.0], [0.0], [0.0]]), torch.tensor([[1.9], [-2.1], [float("nan")]])
    assert scores(Regression(["y"]), Predicted(mean, target, torch.ones(3, 1)))["coverage_95"] == 0.5


def test_rows_of_parts_come_together() -> None:
    parts = [Predicted(P[:2], torch.tensor([0, 0]), P[:2]), Predicted(P[2:], torch.tensor([1, 1, 0]))]
    assert Predicted.together(parts).total is None
    both = Predicted.together([parts[0], parts[0]])
    assert both.total is not None
    assert both.mean.shape == both.total.shape == (4, 2)


def test_folds_are_pooled_and_averaged() -> None:
    folds = [Predicted(P[:2], torch.tensor([0, 0])), Predicted(P[2:], torch.tensor([1, 1, 0]))]
    found, each = pooled(Segmentation(["a", "b"]), folds)
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert [each[name]["accuracy"] for name in each] == pytest.approx([1 / 2, 2 / 3])
    assert found["mean_of_folds"]["accuracy"] == pytest.approx(7 / 12)
    assert found["sd_of_folds"]["accuracy"] == pytest.approx(np.std([1 / 2, 2 / 3]))
    assert "roc_auc" not in found["mean_of_folds"]  # the first fold has one class
    alone, nothing = pooled(Segmentation(["a", "b"]), folds[:1])
    assert "mean_of_folds" not in alone
    assert nothing == {}
