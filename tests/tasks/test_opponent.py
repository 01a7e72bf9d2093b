from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from multiunet import Grid
from multiunet.losses.adversarial import LeastSquares
from multiunet.tasks import Opponent, Regression


def opponent(loss: str = "mae", net: nn.Module | None = None, **settings) -> Opponent:
    task = Regression(["a"], loss, centre=[10.0], scale=[4.0])
    return Opponent(net or nn.Identity(), task, Grid(1), LeastSquares(), **settings)


X = torch.tensor([[[1.0, 2.0, 3.0]]])


def test_it_sees_the_input_beside_means_on_one_scale() -> None:
    output = torch.tensor([[[0.5, 0.0, -0.5], [7.0, 7.0, 7.0]]])  # behind the mean a log-variance
    match = opponent("beta-nll", spread=[0.5]).match(X, output, torch.tensor([[[12.0, 10.0, 8.0]]]))
    expected = torch.tensor([[[1.0, 2.0, 3.0], [1.0, 0.0, -1.0]]])
    torch.testing.assert_close(match.true, expected)
    torch.testing.assert_close(match.drawn, expected)


def test_what_is_not_known_is_the_same_in_both() -> None:
    weight = torch.tensor([[1.0, 0.0, 1.0]])
    match = opponent().match(X, torch.full((1, 1, 3), 5.0), torch.tensor([[[math.nan, 30.0, 10.0]]]), weight)
    assert match.drawn[0, 1].tolist() == [0, 0, 5]
    assert match.true[0, 1].tolist() == [0, 0, 0]


def test_each_network_learns_from_its_own_loss_alone() -> None:
    scores = nn.Conv1d(2, 1, 1)
    output = torch.randn(1, 1, 3, requires_grad=True)
    plays = opponent(net=scores, weight=0.5)
    match = plays.match(X, output, torch.full((1, 1, 3), 11.0))
    plays.judge(plays.net, match).backward()
    assert output.grad is None
    assert scores.weight.grad is not None
    plays.fool(plays.net, match).backward()
    assert output.grad.abs().sum() > 0


def test_the_weight_is_of_the_term() -> None:
    def judge(field: Tensor) -> Tensor:
        return field[:, 1:]

    plays = opponent(weight=0.25)
    match = plays.match(X, torch.zeros(1, 1, 3), torch.full((1, 1, 3), 14.0))
    assert float(plays.fool(judge, match)) == pytest.approx(0.25)  # (0 - 1)^2
    assert float(plays.judge(judge, match)) == pytest.approx(0)  # truth is 1, what is drawn 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"loss": "poisson"}, "not counts or probabilities"), ({"weight": 0.0}, "weight 0.0"), ({"lr": -1.0}, "lr -1.0")],
)
def test_what_cannot_be_is_refused(settings: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        opponent(**settings)
