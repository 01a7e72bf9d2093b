from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from multiunet.metrics import Reliability


def expected_calibration_error(p: Any, target: Any, bins: int = 15) -> float | None:
    reliability = Reliability(bins)
    reliability.update(p, target)
    return reliability.scores()["calibration_error"]


def two_classes(p_first: list[float]) -> np.ndarray:
    p = np.array(p_first)
    return np.stack([p, 1 - p], axis=-1)


def by_definition(p: np.ndarray, target: np.ndarray, bins: int) -> float:
    """Guo et al. 2017, eq. 2 and 3, bin by bin."""
    confidence, right = p.max(1), p.argmax(1) == target
    total = 0.0
    for m in range(1, bins + 1):
        members = ((m - 1) / bins < confidence) & (confidence <= m / bins)
        if members.any():
            total += members.mean() * abs(right[members].mean() - confidence[members].mean())
    return total


@pytest.mark.parametrize("bins", [1, 7, 10, 15])
def test_equals_the_definition_and_torchmetrics(bins: int) -> None:
    generator = torch.Generator().manual_seed(0)
    p = torch.randn(500, 4, generator=generator, dtype=torch.float64).mul(2).softmax(-1)
    target = torch.randint(4, (500,), generator=generator)
    ours = expected_calibration_error(p, target, bins)
    assert ours == pytest.approx(by_definition(p.numpy(), target.numpy(), bins))
    assert ours == pytest.approx(multiclass_calibration_error(p, target, 4, n_bins=bins).item(), abs=1e-6)


def test_certainty_belongs_to_the_last_bin() -> None:
    p, target = two_classes([1.0, 0.95]), np.array([1, 0])
    # one bin: accuracy 1/2, confidence 0.975; torchmetrics has two and gives (1 + 0.05) / 2
    assert expected_calibration_error(p, target, bins=10) == pytest.approx(0.475)
    peer = multiclass_calibration_error(torch.tensor(p), torch.tensor(target), 2, n_bins=10).item()
    assert peer == pytest.approx(0.525)


def test_an_edge_belongs_to_the_bin_below() -> None:
    # 0.75 is the upper edge of (0.5, 0.75]: it shares the bin of 0.6, not that of 0.9
    p, target = two_classes([0.75, 0.6, 0.9]), np.array([1, 0, 0])
    assert expected_calibration_error(p, target, bins=4) == pytest.approx((abs(1 - 1.35) + abs(1 - 0.9)) / 3)


def test_calibrated_is_zero() -> None:
    p, target = two_classes([0.75] * 4), np.array([0, 0, 0, 1])
    assert expected_calibration_error(p, target) == pytest.approx(0, abs=1e-12)


def test_maps_and_unknown_sites() -> None:
    rng = np.random.default_rng(1)
    p = rng.dirichlet([1, 1, 1], size=(4, 5))
    target = rng.integers(-1, 3, (4, 5))
    known = target >= 0
    assert expected_calibration_error(p, target) == pytest.approx(by_definition(p[known], target[known], 15))
    assert expected_calibration_error(p, np.full((4, 5), -1)) is None


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"apply softmax first"):
        expected_calibration_error(np.array([[-1.0, 2.0]]), np.array([0]))
    with pytest.raises(ValueError, match=r"probabilities \(2, 3\) and target \(3,\) do not fit"):
        expected_calibration_error(np.ones((2, 3)) / 3, np.zeros(3, dtype=int))
    with pytest.raises(ValueError, match=r"target class 3 is outside the 3 classes 0\.\.2"):
        expected_calibration_error(np.ones((1, 3)) / 3, np.array([3]))
    with pytest.raises(ValueError, match="bins 0"):
        expected_calibration_error(np.ones((1, 3)) / 3, np.array([0]), bins=0)


def test_pieces_add_up_to_the_whole_and_to_the_definitions() -> None:
    rng = np.random.default_rng(2)
    p, target = rng.dirichlet([0.5, 1, 1], size=300), rng.integers(0, 3, 300)
    whole, pieces = Reliability(), Reliability()
    whole.update(p, target)
    for part in np.array_split(np.arange(300), 7):
        piece = Reliability()
        piece.update(p[part], target[part])
        pieces.add(piece)
    scores = whole.scores()
    assert flat(pieces.scores()) == pytest.approx(flat(scores))
    one_hot = np.eye(3)[target]
    assert scores["brier"] == pytest.approx(((p - one_hot) ** 2).sum(axis=1).mean())
    peer = torch.nn.functional.nll_loss(torch.tensor(p).log(), torch.tensor(target)).item()
    assert scores["nll"] == pytest.approx(peer)
    nothing = Reliability().scores()
    assert nothing.pop("calibration_error_per_class") == []
    assert set(nothing.values()) == {None}


def flat(scores: Any) -> dict[str, float]:
    by_class = enumerate(scores["calibration_error_per_class"])
    single = {name: score for name, score in scores.items() if not isinstance(score, list)}
    return single | {f"class {k}": error for k, error in by_class}


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_errors_by_class_are_those_of_one_class_against_the_others(bins: int) -> None:
    rng = np.random.default_rng(4)
    p, target = rng.dirichlet([0.5, 1, 1], size=300), rng.integers(0, 3, 300)
    reliability = Reliability(bins)
    reliability.update(p, target)
    scores, expected = reliability.scores(), []
    for k in range(3):
        total = 0.0
        for m in range(bins):
            inside = (m / bins < p[:, k]) & (p[:, k] <= (m + 1) / bins)
            if inside.any():
                total += inside.mean() * abs((target == k)[inside].mean() - p[inside, k].mean())
        expected.append(total)
    assert scores["calibration_error_per_class"] == pytest.approx(expected)
    assert scores["classwise_calibration_error"] == pytest.approx(np.mean(expected))
    assert scores["worst_calibration_error"] == pytest.approx(max(expected))


def test_the_diagram_holds_every_site_once() -> None:
    reliability = Reliability(bins=4)
    reliability.update(two_classes([0.75, 0.6, 0.9]), np.array([1, 0, 0]))
    diagram = reliability.diagram()
    assert diagram.sites.tolist() == [0, 0, 2, 1]
    assert diagram.stated.tolist() == pytest.approx([0, 0, 1.35, 0.9])
    assert diagram.true.tolist() == [0, 0, 1, 1]


def test_rounding_is_forgiven() -> None:
    reliability = Reliability()
    reliability.update(np.array([[1 + 1e-6, -1e-6]]), np.array([0]))
    scores = reliability.scores()
    assert (scores["calibration_error"], scores["nll"], scores["brier"]) == (0, 0, 0)


def test_what_was_ruled_out_costs_much_but_not_everything() -> None:
    reliability = Reliability()
    reliability.update(two_classes([1.0]), np.array([1]))
    assert reliability.scores()["nll"] == pytest.approx(12 * np.log(10))
    assert reliability.scores()["brier"] == pytest.approx(2)


def test_only_equal_bins_are_added() -> None:
    with pytest.raises(ValueError, match="counts in 10 bins cannot be added to those in 15"):
        Reliability().add(Reliability(bins=10))
