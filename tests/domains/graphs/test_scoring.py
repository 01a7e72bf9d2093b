from __future__ import annotations

import numpy as np
import pytest
import torch

from multiunet.domains.graph.scoring import Predicted
from multiunet.domains.graphs.scoring import pooled
from multiunet.tasks import Segmentation

P = torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3], [0.5, 0.5]])


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
