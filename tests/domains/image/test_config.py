"""Settings that contradict each other are refused before any data are read."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from multiunet.domains.image.config import ImageTrain, QuantityLoss, SegmentationLoss
from multiunet.domains.image.task import CLASS_LOSSES
from multiunet.tasks.regression import RegressionLoss

NOWHERE: dict[str, Any] = {"images": "nowhere"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "mse"}, "`loss=mse` is not for `task=segmentation`; that takes dice-ce, dice, ce, focal"),
        ({"loss": "dice", "task": "regression"}, "`loss=dice` is not for `task=regression`; that takes beta-nll"),
        ({"class_weights": "1,2", "task": "regression"}, "`class_weights`: `task=regression` has no classes"),
    ],
)
def test_losses_are_of_the_task(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ImageTrain(**NOWHERE, **settings)


def test_every_loss_that_can_be_named_can_be_had() -> None:
    assert tuple(CLASS_LOSSES) == get_args(SegmentationLoss)
    assert set(get_args(QuantityLoss)) <= set(get_args(RegressionLoss))
    for loss in get_args(QuantityLoss):
        assert ImageTrain(**NOWHERE, task="regression", loss=loss).loss == loss


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"dots": 3}, "`dots` makes densities of `targets`, which are quantities; pass `task=regression`, too"),
        ({"dots": 3, "task": "regression", "ignore_value": 1}, "`ignore_value` is for masks and targets"),
        ({"dots": 0, "task": "regression"}, "greater than 0"),
        ({"dots": "nan", "task": "regression"}, "finite"),
        ({"dots": "wide", "task": "regression"}, "valid number"),
    ],
)
def test_dots_are_targets_of_regression(settings: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        ImageTrain(**NOWHERE, **settings)
