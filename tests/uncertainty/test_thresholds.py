from __future__ import annotations

import numpy as np
import pytest
import torch

from multiunet.tasks import Segmentation
from multiunet.uncertainty import ClassCalibration
from multiunet.uncertainty.held_out import HeldOut
from multiunet.uncertainty.thresholds import fit_thresholds


def rare_sites(seed: int, sites: int = 20_000) -> tuple[torch.Tensor, torch.Tensor]:
    """Honest probabilities of three classes, the last of which is rare and never the likeliest; and the truth."""
    rng = np.random.default_rng(seed)
    rare = np.where(rng.random(sites) < 0.02, rng.uniform(0.1, 0.45, sites), 0.001)
    first = (1 - rare) * rng.beta(0.3, 0.3, sites)
    p = np.stack([first, 1 - rare - first, rare], axis=1)
    p[:, :2] = np.where((rare > 0.01)[:, None], np.stack([0.9 * (1 - rare), 0.1 * (1 - rare)], axis=1), p[:, :2])
    truth = (rng.random(sites)[:, None] > p.cumsum(axis=1)).sum(axis=1)
    return torch.from_numpy(p).float(), torch.from_numpy(truth.clip(0, 2))


def iou(decided: torch.Tensor, truth: torch.Tensor) -> float:
    hit, either = (decided == 2) & (truth == 2), (decided == 2) | (truth == 2)
    return float(hit.sum() / either.sum().clamp_min(1))


@pytest.mark.parametrize("seed", range(3))
def test_no_other_threshold_of_a_grid_has_a_larger_iou(seed: int) -> None:
    p, truth = rare_sites(seed)
    [(own, threshold)] = fit_thresholds(p, truth, [2]).items()
    assert own == 2
    task = Segmentation(["a", "b", "rare"], rare=["rare"])

    def at(value: float) -> float:
        decided = task.decide(p, ClassCalibration(1.0, thresholds={"rare": value}))
        return iou(decided, truth)

    assert iou(task.decide(p), truth) == 0  # never the likeliest
    best = at(threshold)
    assert best > 0.1
    assert best >= max(at(value) for value in np.geomspace(0.01, 100, 200)) - 1e-9


def test_half_of_the_best_dice_is_the_least_probability() -> None:
    """Lipton et al. 2014, theorem 1, of two classes and honest probabilities."""
    p = torch.rand(200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64).square() * 0.4
    truth = (torch.rand(len(p), generator=torch.Generator().manual_seed(1), dtype=torch.float64) < p).long()
    threshold = fit_thresholds(torch.stack([1 - p, p], dim=1), truth, [1])[1]
    least = threshold / (1 + threshold)  # of p / (1 - p)
    decided = p >= least
    dice = 2 * float((decided & (truth == 1)).sum()) / float(decided.sum() + truth.sum())
    assert least == pytest.approx(dice / 2, abs=0.02)


def test_too_few_sites_and_no_gain_leave_the_likeliest_class() -> None:
    p, truth = rare_sites(0)
    assert fit_thresholds(p[:200], truth[:200], [2]) == {}
    sure = torch.nn.functional.one_hot(truth, 3).float() * 0.98 + 0.01
    assert fit_thresholds(sure, truth, [2]) == {}
    assert fit_thresholds(p, torch.zeros_like(truth), [2]) == {}


def test_a_task_with_rare_classes_fits_their_thresholds() -> None:
    p, truth = rare_sites(1)
    held_out = HeldOut(p, p * (1 - p), truth, torch.arange(len(p)) % 4, tuple("abcd"))
    plain = Segmentation(["a", "b", "rare"]).fit_calibration(held_out)
    fitted = Segmentation(["a", "b", "rare"], rare=["rare"]).fit_calibration(held_out)
    assert isinstance(plain, ClassCalibration)
    assert isinstance(fitted, ClassCalibration)
    assert not plain.thresholds
    assert list(fitted.thresholds) == ["rare"]
    assert 0.01 <= fitted.thresholds["rare"] < 1
    assert fitted.temperature == plain.temperature
