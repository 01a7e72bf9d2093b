from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from multiunet.tasks import RegressionScore
from multiunet.uncertainty import Moments, QuantityCalibration

SITES = 20_000


def predicted(quantities: int = 1) -> tuple[Moments[Tensor], Tensor]:
    """Means of variances that are right, ``(SITES, quantities)``; some targets are not known."""
    g = torch.Generator().manual_seed(0)
    mean = torch.randn(SITES, quantities, generator=g)
    variance = torch.rand(SITES, quantities, generator=g) + 0.05
    target = mean + variance.sqrt() * torch.randn(SITES, quantities, generator=g)
    target[::7] = torch.nan
    return Moments(mean, 0.25 * variance, 0.75 * variance), target


def scores_of(moments: Moments[Tensor], target: Tensor, calibration: QuantityCalibration | None = None) -> dict:
    score = RegressionScore([f"q{place}" for place in range(target.shape[1])], calibration)
    for rows in torch.arange(len(target)).split(7000):
        item = RegressionScore(score.names, calibration)
        item.add(moments.mean[rows], target[rows], moments.map(lambda part: part[rows]))  # noqa: B023  called at once
        score.merge(item)
    return score.result()


def test_right_variances_cover_and_rank() -> None:
    moments, target = predicted()
    found = scores_of(moments, target)
    for level in (50, 80, 90, 95):
        assert found[f"coverage_{level}"] == pytest.approx(level / 100, abs=0.01)
    known = ~target[:, 0].isnan()
    deviation = moments.total[known].sqrt().numpy()
    assert found["interval_width_90"] == pytest.approx(2 * 1.6449 * deviation.mean(), rel=1e-3)
    assert found["ence"] < 0.03
    assert found["miscalibration_area"] < 0.01
    error = (moments.mean - target).abs()[known].numpy()
    assert found["error_spearman"] == pytest.approx(spearmanr(deviation, error).statistic, abs=1e-4)
    order = np.argsort(deviation[:, 0], kind="stable")
    risks = np.cumsum(error[order, 0]) / np.arange(1, len(error) + 1)
    assert found["aurc"] == pytest.approx(risks.mean(), rel=1e-4)
    assert found["mae"] == pytest.approx(error.mean())
    assert 0 < found["excess_aurc"] < found["aurc"] < found["mae"]
    assert 0 < found["ause"] < 1


def test_intervals_are_those_of_the_calibration() -> None:
    moments, target = predicted(2)
    calibration = QuantityCalibration([1.0, 1.0], [[1, 1], [1, 2], [2, 3], [2, 4]])
    first, second = scores_of(moments, target, calibration)["per_track"]
    error = (moments.mean - target).abs() / moments.total.sqrt()
    for track, q in ((first, 0), (second, 1)):
        known = error[:, q][~error[:, q].isnan()]
        assert track["coverage_80"] == pytest.approx((known <= (1, 2)[q]).float().mean().item(), abs=1e-4)
        assert track["coverage_90"] == pytest.approx((known <= (2, 3)[q]).float().mean().item(), abs=1e-4)


def test_several_quantities_have_means_of_what_has_no_unit() -> None:
    moments, target = predicted(2)
    found = scores_of(moments, target)
    for name in ("coverage_90", "ence", "miscalibration_area", "error_spearman", "ause"):
        assert found[name] == pytest.approx(np.mean([track[name] for track in found["per_track"]]))
    assert not {"interval_width_90", "aurc", "nll", "mean_total"} & set(found)


def test_curves_have_a_table_each_quantity() -> None:
    moments, target = predicted(2)
    score = RegressionScore(["y", "z"])
    assert not score.curves()
    score.add(moments.mean, target, moments)
    curves = score.curves()
    assert [one.name for one in curves] == ["y", "z"]
    track = score.result()["per_track"][0]
    assert curves[0].risk_coverage["total"][-1] == pytest.approx(track["mae"])
    assert np.abs(np.subtract(curves[0].reliability["stated"], curves[0].reliability["observed"])).max() < 0.02
    assert np.mean(np.subtract(curves[0].sparsification["total"], curves[0].sparsification["best"])) == pytest.approx(
        track["ause"]
    )


def test_what_states_no_variance_is_not_judged_and_nothing_known_is_undefined() -> None:
    moments, target = predicted()
    silent, unknown = RegressionScore(["y"]), RegressionScore(["y"])
    silent.add(moments.mean, target)
    assert not {"coverage_90", "aurc", "ence", "nll"} & set(silent.result())
    unknown.add(moments.mean, torch.full_like(target, torch.nan), moments)
    found = unknown.result()
    names = ("coverage_90", "interval_width_90", "nll", "ence", "miscalibration_area", "error_spearman", "aurc", "ause")
    assert {found[name] for name in names} == {None}
    assert len(unknown.curves()) == 1
