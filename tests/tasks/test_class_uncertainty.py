from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from torch import Tensor
from torchmetrics.functional.classification import binary_auroc

from multiunet.tasks import ClassificationScore, SegmentationScore
from multiunet.uncertainty import ClassCalibration, Moments

SITES = 400


def predicted(seed: int = 0) -> tuple[Moments[Tensor], Tensor]:
    """Probabilities of three classes that come true, ``(SITES, 3)``; variances that vary; some sites not known."""
    g = torch.Generator().manual_seed(seed)
    p = torch.randn(SITES, 3, generator=g).mul(2).softmax(dim=1)
    share = torch.rand(SITES, 1, generator=g)
    total = p * (1 - p)
    target = torch.multinomial(p, 1, generator=g)[:, 0]
    target[::10] = -1
    return Moments(p, total * share, total - total * share), target


def scores_of(moments: Moments[Tensor], target: Tensor, calibration: ClassCalibration | None = None) -> dict:
    score = ClassificationScore(["a", "b", "c"], -1, calibration)
    for rows in torch.arange(SITES).split(90):
        item = ClassificationScore(["a", "b", "c"], -1, calibration)
        item.add(moments.mean[rows], target[rows], moments.map(lambda part: part[rows]))  # noqa: B023  called at once
        score.merge(item)
    return score.result()


def test_wrong_sites_are_told_by_each_uncertainty() -> None:
    moments, target = predicted()
    found, known = scores_of(moments, target), target >= 0
    p = moments.mean[known]
    wrong = (p.argmax(dim=1) != target[known]).long()
    by = {
        "epistemic": moments.epistemic[known].sum(dim=1),
        "aleatoric": moments.aleatoric[known].sum(dim=1),
        "max_probability": 1 - p.max(dim=1).values,
        "entropy": torch.tensor(entropy(p.numpy(), axis=1)),
    }
    expected = {name: pytest.approx(binary_auroc(values, wrong).item(), abs=1e-3) for name, values in by.items()}
    assert found["error_auroc_by"] == expected
    assert found["error_auroc"] == pytest.approx(binary_auroc(moments.total[known].sum(dim=1), wrong).item(), abs=1e-3)
    assert found["mean_total"] == pytest.approx(moments.total[known].sum(dim=1).mean().item(), rel=1e-5)
    assert found["mean_error"] == pytest.approx(wrong.float().mean().item())
    assert found["error_auroc"] > 0.6


def test_areas_equal_the_definitions() -> None:
    moments, target = predicted()
    found, known = scores_of(moments, target), (target >= 0).numpy()
    p, truth = moments.mean.numpy()[known], target.numpy()[known]
    order = np.argsort(moments.total.sum(dim=1).numpy()[known])
    wrong, count = p.argmax(axis=1) != truth, np.arange(1, known.sum() + 1)
    assert found["aurc"] == pytest.approx(np.mean(np.cumsum(wrong[order]) / count))
    assert found["excess_aurc"] == pytest.approx(found["aurc"] - np.mean(np.cumsum(np.sort(wrong)) / count))
    brier = ((p - np.eye(3)[truth]) ** 2).sum(axis=1)
    assert found["brier"] == pytest.approx(brier.mean(), rel=1e-5)
    kept = [round(len(truth) * (100 - k) / 100) for k in range(100)]  # a share of 360 sites is not always a whole one
    by_hand = np.mean([brier[order][:n].mean() - np.sort(brier)[:n].mean() for n in kept]) / brier.mean()
    assert found["ause"] == pytest.approx(by_hand, abs=2e-3)


def test_sets_of_the_calibration_are_counted() -> None:
    moments, target = predicted()
    assert "coverage_90" not in scores_of(moments, target)
    calibration = ClassCalibration(1.0, limits={"lac": [[0.4], [0.7], [0.8], [0.95]]})
    found, known = scores_of(moments, target, calibration), target >= 0
    p = moments.mean[known]
    for level, limit in ((50, 0.4), (80, 0.7), (90, 0.8), (95, 0.95)):
        members = (1 - p <= limit) | (p == p.max(dim=1, keepdim=True).values)
        held = members[torch.arange(len(p)), target[known]]
        assert found[f"coverage_{level}"] == pytest.approx(held.float().mean().item())
        assert found[f"set_size_{level}"] == pytest.approx(members.sum(dim=1).float().mean().item())


def test_maps_are_judged_as_rows() -> None:
    moments, target = predicted()
    rows, maps = scores_of(moments, target), SegmentationScore(["a", "b", "c"], -1)
    image = moments.map(lambda part: part.T.reshape(1, 3, 20, 20))
    maps.add(image.mean, target.reshape(1, 20, 20), image)
    found = maps.result()
    for name in ("calibration_error", "error_auroc", "aurc", "ause", "mean_total"):
        assert found[name] == pytest.approx(rows[name])
    [curves] = maps.curves()
    assert sum(curves.reliability["sites"]) == (target >= 0).sum()
    assert curves.risk_coverage["total"][-1] == curves.risk_coverage["best"][-1] == pytest.approx(found["mean_error"])
    assert curves.sparsification["total"][0] == 1
    assert set(curves.risk_coverage) == {"coverage", "best", "total", *found["error_auroc_by"]}


def test_nothing_is_judged_where_nothing_is_stated_and_all_is_undefined_without_a_known_site() -> None:
    moments, target = predicted()
    silent = SegmentationScore(["a", "b", "c"], -1)
    silent.add(moments.mean, target)
    assert not {"nll", "aurc", "error_auroc"} & set(silent.result())
    assert not silent.curves()
    unknown = SegmentationScore(["a", "b", "c"], -1)
    unknown.add(moments.mean, torch.full_like(target, -1), moments)
    assert {unknown.result()[name] for name in ("nll", "aurc", "error_auroc", "ause", "mean_total")} == {None}
    assert len(unknown.curves()) == 1


def test_certain_sites_keep_their_order() -> None:
    p = torch.tensor([[1.0, 1e-9], [1.0, 1e-12], [1.0, 1e-20], [1e-9, 1.0]])
    score = ClassificationScore(["a", "b"], -1)
    score.add(p, torch.tensor([1, 0, 0, 0]), Moments(p, 0 * p, p * (1 - p)))
    assert score.result()["error_auroc_by"]["max_probability"] == 1  # 1 - max p is 0 at all of them
