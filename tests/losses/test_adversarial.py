from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from multiunet.losses.adversarial import ADVERSARIAL, AdversarialLoss, LeastSquares, NonSaturating

TRUE, DRAWN = torch.tensor([2.0, -1.0]), torch.tensor([0.5])


def test_cross_entropy_is_that_of_the_two_answers() -> None:
    bce = functional.binary_cross_entropy_with_logits
    loss = NonSaturating()
    judged = (bce(TRUE, torch.ones(2)) + bce(DRAWN, torch.zeros(1))) / 2
    torch.testing.assert_close(loss.judge(TRUE, DRAWN), judged)
    torch.testing.assert_close(loss.fool(DRAWN), bce(DRAWN, torch.ones(1)))
    assert float(loss.judge(torch.zeros(3), torch.zeros(3))) == pytest.approx(math.log(2))  # who cannot tell


def test_least_squares_by_hand() -> None:
    loss = LeastSquares()
    assert float(loss.judge(TRUE, DRAWN)) == pytest.approx(((1 + 4) / 2 + 0.25) / 2)
    assert float(loss.fool(DRAWN)) == pytest.approx(0.25)


@pytest.mark.parametrize("loss", [make() for make in ADVERSARIAL.values()], ids=list(ADVERSARIAL))
def test_both_pull_scores_of_what_is_drawn_apart(loss: AdversarialLoss) -> None:
    drawn = DRAWN.clone().requires_grad_()
    (up,) = torch.autograd.grad(loss.fool(drawn), drawn)
    (down,) = torch.autograd.grad(loss.judge(TRUE, drawn), drawn)
    assert up < 0 < down  # descent raises the score for one, lowers it for the other
