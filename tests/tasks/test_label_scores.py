"""Scores of independent labels, held against scikit-learn."""

import math

import numpy as np
import pytest
import torch

from multiunet.metrics import Ranking
from multiunet.tasks import LabelScore, Segmentation
from multiunet.uncertainty import Moments

metrics = pytest.importorskip("sklearn.metrics")


def some(seed=0, sites=400):
    rng = np.random.default_rng(seed)
    truth = (rng.random((2, 3, sites)) < 0.3).astype(np.float32)
    p = np.clip(0.5 * truth + 0.6 * rng.random((2, 3, sites)), 0, 1).round(2).astype(np.float32)  # with ties
    truth[0, 1, :50] = np.nan
    truth[1, 2, 7] = -1
    return torch.from_numpy(p), torch.from_numpy(truth)


def test_scores_are_those_of_scikit_learn():
    p, truth = some()
    score = LabelScore(["a", "b", "c"], -1)
    score.add(p, truth)
    found = score.result()
    for place in range(3):
        own, true = p[:, place].flatten().numpy(), truth[:, place].flatten().numpy()
        known = ~np.isnan(true) & (true >= 0)
        own, true = own[known], true[known]
        expected = {
            "mcc": metrics.matthews_corrcoef(true, own > 0.5),
            "f1": metrics.f1_score(true, own > 0.5),
            "precision": metrics.precision_score(true, own > 0.5),
            "recall": metrics.recall_score(true, own > 0.5),
            "auprc": metrics.average_precision_score(true, own),
            "auroc": metrics.roc_auc_score(true, own),
            "share": true.mean(),
        }
        for name, value in expected.items():
            assert found[f"{name}_per_class"][place] == pytest.approx(value, abs=1e-6), name
    assert found["mcc"] == pytest.approx(np.mean(found["mcc_per_class"]))
    assert found["classes"] == ["a", "b", "c"]


def test_pieces_and_items_add_up_and_uncertainty_is_judged():
    p, truth = some()
    spread = Moments(p, 0.2 * p * (1 - p), 0.8 * p * (1 - p))
    whole, parts = (LabelScore(["a", "b", "c"], -1) for _ in range(2))
    whole.add(p, truth, spread)
    for place in range(2):
        part = LabelScore(["a", "b", "c"], -1)
        for cut in (slice(0, 100), slice(100, None)):
            where = (slice(place, place + 1), slice(None), cut)
            stated = Moments(spread.mean[where], spread.epistemic[where], spread.aleatoric[where])
            part.add(p[where], truth[where], stated)
        parts.merge(part)
    one, other = whole.result(), parts.result()
    for name, value in one.items():
        if isinstance(value, float):
            assert other[name] == pytest.approx(value), name
    assert len(one["calibration_error_per_class"]) == 3
    assert 0 <= one["calibration_error"] <= one["worst_calibration_error"] <= 1
    assert [curve.name for curve in whole.curves()] == ["a", "b", "c"]


def test_what_is_nowhere_has_no_score():
    score = LabelScore(["a"], -1)
    score.add(torch.full((1, 1, 4), 0.2), torch.zeros(1, 1, 4))
    found = score.result()
    assert found["mcc"] is found["auprc"] is found["auroc"] is found["f1"] is None
    assert found["nll"] == pytest.approx(-math.log(0.8))
    assert Ranking().sorted().average_precision() is None


def test_moments_of_independent_labels_sum_to_those_of_a_coin():
    task = Segmentation(["a", "b"], "multilabel")
    mean, variance = task.distribution(torch.tensor([[[0.0, 2.0], [-1.0, 5.0]]]))
    assert torch.allclose(variance, mean * (1 - mean))
    assert task.monitor == "auprc"
    _, _, known = task.known_sites(
        Moments(mean, torch.zeros_like(mean), variance), torch.tensor([[[1.0, 0.0], [math.nan, 1.0]]])
    )
    assert known.tolist() == [[0.0, 1.0]]
