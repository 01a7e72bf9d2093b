from __future__ import annotations

import pytest
import torch

from multiunet.tasks import ClassificationScore, Regression, RegressionScore, Segmentation, SegmentationScore
from multiunet.uncertainty import Moments

P = torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3], [0.5, 0.5]])


def test_classes_by_hand() -> None:
    score = ClassificationScore(["a", "b"], ignore_index=-1)
    score.add(P, torch.tensor([0, 0, 1, 1, -1]))
    found = score.result()
    assert found["accuracy"] == 0.5
    assert found["macro_f1"] == pytest.approx((0.5 + 0.5) / 2)
    assert found["roc_auc"] == 0.75
    assert "nll" not in found
    three = ClassificationScore(["a", "b", "c"], ignore_index=-1)
    three.add(torch.cat([P, torch.zeros(5, 1)], dim=1), torch.tensor([0, 0, 1, 2, -1]))
    assert "roc_auc" not in three.result()


def test_probabilities_are_judged_where_variances_are_stated() -> None:
    score = ClassificationScore(["a", "b"], ignore_index=-1)
    score.add(P, torch.tensor([0, 0, 1, 1, -1]), Moments(P, 0 * P, P * (1 - P)))
    right = torch.tensor([0.9, 0.4, 0.8, 0.3])
    assert score.result()["nll"] == pytest.approx(float(-right.log().mean()))
    assert score.result()["brier"] == pytest.approx(float((2 * (1 - right) ** 2).mean()))


def test_quantities_by_hand() -> None:
    score = RegressionScore(["y"])
    score.add(torch.tensor([[1.0], [4.0], [3.0], [9.0]]), torch.tensor([[1.0], [2.0], [4.0], [float("nan")]]))
    found = score.result()
    assert found["rmse"] == pytest.approx((5 / 3) ** 0.5)
    assert found["mae"] == pytest.approx(1)
    assert score.relative_error([0.5]) == pytest.approx(5 / 3 / 0.25)
    stated = RegressionScore(["y"])
    mean, target = torch.zeros(3, 1), torch.tensor([[1.9], [-2.1], [float("nan")]])
    stated.add(mean, target, Moments(mean, torch.zeros(3, 1), torch.ones(3, 1)))
    assert stated.result()["coverage_95"] == 0.5


def test_errors_of_several_quantities_stand_one_by_one() -> None:
    score, mean, target = RegressionScore(["y", "z"]), torch.rand(5, 2), torch.rand(5, 2)
    score.add(mean, target)
    found = score.result()
    assert [track["track"] for track in found["per_track"]] == ["y", "z"]
    error = (mean - target).square().mean(dim=0).sqrt().tolist()
    assert [track["rmse"] for track in found["per_track"]] == pytest.approx(error)
    assert not {"mse", "rmse", "mae"} & found.keys()


@pytest.mark.parametrize("task", [Segmentation(["a", "b"]), Regression(["y", "z"])])
def test_pieces_and_merged_items_score_as_the_whole(task: Segmentation | Regression) -> None:
    g = torch.Generator().manual_seed(0)
    mean = torch.rand((1, 2, 6, 8), generator=g)
    target = (
        (mean[:, 0] > 0.6).long() if task.kind == "segmentation" else mean + 0.1 * torch.randn(mean.shape, generator=g)
    )
    if task.kind == "segmentation":
        mean = mean.softmax(dim=1)
    whole, parts = task.score(), task.score()
    moments = Moments(mean, 0.25 * mean, 0.75 * mean)
    whole.add(mean, target, moments)
    for piece in (slice(0, 2), slice(2, 6)):
        cut = moments.map(lambda part: part[..., piece, :])  # noqa: B023  called at once
        parts.add(cut.mean, target[..., piece, :], cut)
    assert flat(parts.result()) == pytest.approx(flat(whole.result()))
    both = task.score()
    both.merge(whole)
    both.merge(parts)
    # sites count double: so do those that areas are means over, and of equal ones other bins have some
    other = ("confusion", "aurc", "ause", "ence")
    kept = [name for name in flat(whole.result()) if not any(word in name for word in other)]
    once, twice = flat(whole.result()), flat(both.result())
    assert {name: twice[name] for name in kept} == pytest.approx({name: once[name] for name in kept})


def test_items_stay_apart_where_a_score_is_a_mean_over_items() -> None:
    total = SegmentationScore(["a", "b"], ignore_index=-1)
    for target in (torch.zeros(1, 4, dtype=torch.int64), torch.ones(1, 2, dtype=torch.int64)):
        item = SegmentationScore(["a", "b"], ignore_index=-1)
        item.add(torch.tensor([0.8, 0.2]).view(1, 2, 1).expand(1, 2, target.shape[1]), target)
        total.merge(item)
    assert total.result()["micro_iou"] == pytest.approx((1 + 0) / 2)
    assert total.result()["confusion"] == [[4, 0], [2, 0]]


def flat(scores: dict) -> dict:
    """Scores that are numbers, those of classes and tracks by their place."""
    found = {}
    for name, value in scores.items():
        entries = value if isinstance(value, list) else [value]
        for place, entry in enumerate(entries):
            if isinstance(entry, dict):
                found |= {f"{name} {place} {key}": number for key, number in flat(entry).items()}
            elif isinstance(entry, float):
                found[f"{name} {place}"] = entry
    return found
