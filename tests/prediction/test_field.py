"""Moments of a field: what is not finite is refused before a probability hides it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from multiunet import Grid, Regression, Segmentation
from multiunet.errors import Diverged
from multiunet.prediction import Ensemble, predict_field
from multiunet.prediction.field import evaluating
from multiunet.tasks import Task


class Constant(nn.Module):
    """Gives one number at every site."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        return torch.full_like(x, self.value)


@pytest.mark.parametrize(
    ("task", "value"),
    [
        (Segmentation(["out", "in"], "binary"), math.inf),  # sigmoid(inf) is 1
        (Segmentation(["out", "in"], "binary"), -math.inf),
        (Segmentation(["a"], "multilabel"), math.inf),
        (Segmentation(["a"], "multilabel"), math.nan),
        (Regression(["y"], "mse"), math.inf),
        (Regression(["y"], "poisson"), 100.0),  # exp(100) is infinite
        (Regression(["y"], "poisson"), -math.inf),  # exp(-inf) is 0
    ],
)
def test_outputs_that_are_not_finite_are_refused(task: Task, value: float) -> None:
    x = torch.zeros(1, 1, 4)
    finite = predict_field(Constant(0.5), task, Grid(1), x)
    assert torch.isfinite(finite.mean).all()
    for net in (Constant(value), Ensemble([Constant(0.5), Constant(value)], [task, task])):
        with pytest.raises(Diverged, match="output is not finite"):
            predict_field(net, task, Grid(1), x)


def test_an_input_that_is_not_finite_may_give_such_outputs() -> None:
    x = torch.tensor([[[0.0, math.nan]]])
    assert math.isnan(predict_field(nn.Identity(), Regression(["y"], "mse"), Grid(1), x).mean[0, 0, 1])


def test_modules_that_were_in_evaluation_mode_stay_so() -> None:
    net = nn.Sequential(nn.BatchNorm1d(2), nn.BatchNorm1d(2))
    net[1].eval()  # frozen statistics
    with evaluating(net):
        assert not any(module.training for module in net.modules())
    assert [module.training for module in net.modules()] == [True, True, False]
