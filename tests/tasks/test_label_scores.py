"""Scores of independent labels, held against scikit-learn."""

import math

import numpy as np
import pytest
import torch

from multiunet.metrics import Ranking
from multiunet.tasks import LabelScore, Segmentation
from multiunet.uncertainty import ClassCalibration, Moments
from multiunet.uncertainty.fitting import fit_temperature
from multiunet.uncertainty.held_out import HeldOut
from multiunet.uncertainty.thresholds import fit_label_thresholds

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
    assert known[1].tolist() == [0.0, 1.0]
    assert known[0, 0] == 1  # the other label of this site is not known
    assert math.isnan(known[0, 1])


def test_pooled_scores_are_those_of_scikit_learn_and_thresholds_decide():
    p, truth = some()
    calibration = ClassCalibration(1.0, "multilabel", thresholds={"b": 0.25})  # from a probability of 1/5 on
    score = LabelScore(["a", "b", "c"], -1, calibration)
    score.add(p, truth)
    found, known = score.result(), ~truth.isnan() & (truth >= 0)
    cuts = torch.tensor([0.5, 0.2, 0.5])[:, None]
    own, true = p[known].numpy(), truth[known].numpy()
    assert found["micro_f1"] == pytest.approx(metrics.f1_score(true, (p > cuts)[known].numpy()))
    assert found["micro_auprc"] == pytest.approx(metrics.average_precision_score(true, own))
    assert found["micro_auroc"] == pytest.approx(metrics.roc_auc_score(true, own))
    row = known[:, 1]
    assert found["iou_per_class"][1] == pytest.approx(metrics.jaccard_score(truth[:, 1][row], p[:, 1][row] > 0.2))


def test_calibration_chooses_the_thresholds_of_labels_and_leaves_out_what_is_unknown():
    p, truth = some(sites=2000)
    truth = truth.masked_fill(truth < 0, math.nan)
    p = 0.4 * p  # nothing would be said to be there
    rows, target = p.movedim(1, -1).reshape(-1, 3), truth.movedim(1, -1).reshape(-1, 3)
    found = fit_label_thresholds(rows, target)
    for place in range(3):
        known = ~target[:, place].isnan()
        own, true = rows[known, place].numpy(), target[known, place].numpy()
        best = max(metrics.f1_score(true, own > cut) for cut in np.unique(own)[:-1])
        cut = found[place] / (1 + found[place])
        assert metrics.f1_score(true, own > cut) == pytest.approx(best)
    task = Segmentation(["a", "b", "c"], "multilabel", rare=["a", "c"])
    group = torch.arange(len(rows)) % 5
    fitted = task.fit_calibration(HeldOut(rows, rows * (1 - rows), target, group, tuple("vwxyz")))
    assert set(fitted.thresholds) == {"a", "c"}
    whole = fit_temperature(rows, target, "multilabel")
    assert whole == pytest.approx(fit_temperature(rows[:, :1], target[:, :1], "multilabel"), rel=0.5)
    assert task.decide(
        torch.tensor([[0.2, 0.2, 0.2]]), ClassCalibration(1, "multilabel", thresholds={"a": 0.1})
    ).tolist() == [[1, 0, 0]]
