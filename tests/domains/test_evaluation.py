from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from multiunet.domains.evaluation import Trained, check_unseen, evaluate, rank_items, score_folds, score_pieces
from multiunet.domains.labelled import Labelled, Piece
from multiunet.errors import InputError
from multiunet.tasks import ClassificationScore, Segmentation

TASK = Segmentation(["a", "b"], score=ClassificationScore)
RIGHT, WRONG = torch.tensor([[0.9, 0.1]]), torch.tensor([[0.2, 0.8]])
TRUE = torch.tensor([0])


class TwoFolds:
    """Domain of two items a fold; the first model is right once, the second always."""

    name = "two"

    def read(self, config: Any, info: Any, options: Any) -> Labelled:
        return Labelled("test split", {"x": TRUE, f"{config}": TRUE}, keys={"x": ["key-x"]})

    def predict_labelled(self, model: Any, config: Any, info: Any, data: Labelled, options: Any, progress: Any) -> Any:
        for name, target in data.items.items():
            yield Piece(RIGHT if name == "x" or config == "second" else WRONG, target, item=name)

    def side_score(self, config: Any, info: Any, data: Labelled) -> None:
        return None

    def album(self, model: Any, info: Any, data: Labelled) -> None:
        return None

    def fit_baselines(self, task: Any, config: Any, info: Any) -> Any:
        def wrong(data: Labelled) -> Any:
            return (Piece(WRONG, target, item=name) for name, target in data.items.items())

        return {"wrong": wrong} | ({"first alone": wrong} if config == "first" else {})


def trained(config: str) -> Trained:
    return Trained(f"fold-{config}", SimpleNamespace(task=TASK, calibration=None), config, None)


def test_one_model_has_scores_of_each_item() -> None:
    report = evaluate(TwoFolds(), [trained("first")], None, {}, "one pass without dropout")
    assert (report.domain, report.scored, report.prediction) == ("two", "test split", "one pass without dropout")
    assert report.metrics["accuracy"] == 0.5
    assert {name: item["accuracy"] for name, item in report.items.items()} == {"x": 1.0, "first": 0.0}
    assert set(report.baselines) == {"wrong", "first alone"}


def test_a_class_that_is_never_predicted_is_told(caplog: pytest.LogCaptureFixture) -> None:
    class Blind(TwoFolds):
        def predict_labelled(self, *args: Any) -> Any:
            yield Piece(torch.tensor([[[0.9, 0.8]] * 2]).reshape(1, 2, 2) * torch.tensor([1, 0.1]).reshape(1, 2, 1),
                        torch.tensor([[0, 1]]), item="x")  # fmt: skip

        def fit_baselines(self, task: Any, config: Any, info: Any) -> Any:
            return {}

    maps = Trained("run", SimpleNamespace(task=Segmentation(["matrix", "crack"]), calibration=None), "one", None)
    evaluate(Blind(), [maps], None, {}, "")
    [message] = caplog.messages
    assert message == "test split: nothing is predicted as crack, which the truth has: this run does not find it"


def test_folds_are_pooled_with_mean_and_deviation() -> None:
    report = evaluate(TwoFolds(), [trained("first"), trained("second")], None, {}, "")
    assert report.metrics["accuracy"] == 0.75
    assert report.metrics["each_fold"]["accuracy"] == [0.5, 1.0]
    assert report.metrics["mean_of_folds"]["accuracy"] == 0.75
    assert report.metrics["sd_of_folds"]["accuracy"] == pytest.approx(np.std([0.5, 1.0]))
    assert {name: item["fold"] for name, item in report.items.items()} == {
        "x": "fold-first",
        "first": "fold-first",
        "x, fold-second": "fold-second",
        "second": "fold-second",
    }
    assert set(report.baselines) == {"wrong"}  # the other is not fitted for all folds
    assert report.baselines["wrong"]["accuracy"] == 0


def test_pieces_of_an_item_are_one_item() -> None:
    found = score_pieces(TASK, [Piece(RIGHT, TRUE, item="x"), Piece(WRONG, TRUE, item="x"), Piece(RIGHT, TRUE)])
    assert {name: item["accuracy"] for name, item in found.items.items()} == {"x": 0.5}
    assert score_folds(TASK, [found.total])["accuracy"] == pytest.approx(2 / 3)


def test_what_any_run_has_seen_is_refused() -> None:
    data = Labelled("other.npz", {}, keys={"x": ["k1"], "y": ["k2", "k3"]}, remedy="leave it out")
    unseen, seen = (SimpleNamespace(seen=lambda found=found: found) for found in ({"k9": "z"}, {"k3": "scan 7"}))
    check_unseen(data, {"one": unseen})
    with pytest.raises(InputError, match=r"other.npz: 1 of 2 .* by two .*y is the same as scan 7.*leave"):
        check_unseen(data, {"one": unseen, "two": seen})


def test_stated_and_true_errors_of_items_are_ranked() -> None:
    def item(total: float, error: float | None) -> dict[str, Any]:
        return {"mean_total": total, "mean_error": error}

    items = [item(0.1, 0.0), item(0.2, 0.3), item(0.4, 0.2), item(0.5, None)]
    assert rank_items(items) == {"item_spearman": pytest.approx(0.5)}
    assert rank_items(items[:2]) == {"item_spearman": None}
    assert rank_items([{"accuracy": 1.0}]) == {}
    several = [{"per_track": [item(k, k), item(k, -k)]} for k in range(4)]
    assert rank_items(several) == {"item_spearman": pytest.approx(0)}
