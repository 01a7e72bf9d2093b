"""Verdicts of evaluations."""

from __future__ import annotations

import pytest

from multiunet.domains.result import Report
from multiunet.domains.score_words import name_score
from multiunet.domains.verdict import judge


def test_every_baseline_that_is_better_is_named_with_both_scores() -> None:
    metrics = {"mean_iou": 0.5, "dice": 0.7, "iou": [0.4, 0.6], "pixel_accuracy": None}
    others = {
        "otsu": {"mean_iou": 0.6, "dice": 0.7, "pixel_accuracy": 0.9},
        "majority": {"mean_iou": 0.1, "dice": 0.2, "pixel_accuracy": 0.9},
    }
    assert judge(metrics, others) == ["The network is worse than the baseline otsu in mean_iou (0.5000, otsu 0.6000)."]
    assert Report("image", "test split", metrics, others).as_dict()["verdict"] == judge(metrics, others)


@pytest.mark.parametrize("name", ["rmse", "mae", "count_error", "perplexity", "bits_per_base"])
def test_of_errors_less_is_better(name: str) -> None:
    [said] = judge({name: 2.0}, {"mean": {name: 1.0}})
    assert f"worse than the baseline mean in {name}" in said
    [said] = judge({name: 1.0}, {"mean": {name: 2.0}})
    assert "at least as good as every baseline" in said


def test_each_of_several_quantities_is_judged() -> None:
    metrics = {"r2": 0.5, "per_track": [{"track": "a", "r2": 0.9}, {"track": "b", "r2": 0.1}]}
    other = {"r2": 0.4, "per_track": [{"track": "a", "r2": 0.2}, {"track": "b", "r2": 0.6}]}
    assert judge(metrics, {"gc": other}) == [
        "The network is worse than the baseline gc in r2 of b (0.1000, gc 0.6000)."
    ]


def test_what_rounding_tells_apart_and_what_nothing_scores_is_not_judged() -> None:
    assert judge({"r2": 0.5}, {"mean": {"r2": 0.5 + 1e-9}}) == [
        "The network is at least as good as every baseline, in all scores that both have."
    ]
    assert judge({"r2": float("nan")}, {"mean": {"r2": 0.5}}) == [
        "The network is worse than the baseline mean in r2 (nan, mean 0.5000)."
    ]
    assert judge({"r2": 0.5}, {}) == []
    assert judge({"kmers": 0.5}, {"held-out": {"kmers": 0.1}}) == []


def test_a_page_calls_scores_as_its_tables_do() -> None:
    metrics = {"mean_iou": 0.5, "r2": 0.5, "per_track": [{"track": "a_b", "r2": 0.1}]}
    other = {"mean_iou": 0.6, "r2": 0.4, "per_track": [{"track": "a_b", "r2": 0.2}]}
    [said] = judge(metrics, {"multi_otsu": other}, name_score, lambda name: name.replace("_", " "))
    assert said == (
        "The network is worse than the baseline multi otsu in mean IoU (0.5000, multi otsu 0.6000), "
        "R² of a_b (0.1000, multi otsu 0.2000)."
    )
