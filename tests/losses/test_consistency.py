from __future__ import annotations

import math

import pytest
import torch

from multiunet.losses import Consistent, CrossEntropy


def test_by_hand() -> None:
    # two views of one unlabelled site: p = (0.9, 0.1) and (0.5, 0.5), mean (0.7, 0.3), sharpened to (0.49, 0.09) / 0.58
    output = torch.tensor([[0.9, 0.1], [0.5, 0.5]]).log().requires_grad_()
    sharp = 0.49 / 0.58
    expected = (2 * (0.9 - sharp) ** 2 + 2 * (0.5 - sharp) ** 2) / 2
    loss = Consistent(CrossEntropy(), weight=3.0)(output, torch.tensor([-1, -1]))
    assert loss.item() == pytest.approx(3 * expected, rel=1e-5)
    # with a label, the cross-entropy of both views is added
    labelled = Consistent(CrossEntropy(), weight=3.0)(output, torch.tensor([0, 0]))
    assert labelled.item() == pytest.approx(3 * expected - (math.log(0.9) + math.log(0.5)) / 2, rel=1e-5)


def test_what_is_aimed_at_has_no_gradient() -> None:
    logits = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    p = logits.softmax(dim=1).unflatten(0, (2, 2))
    sharp = p.mean(dim=0).square()
    aim = (sharp / sharp.sum(dim=1, keepdim=True)).detach()
    expected = torch.autograd.grad(((p - aim) ** 2).sum() / 4, logits, retain_graph=True)[0]
    found = torch.autograd.grad(Consistent(CrossEntropy())(logits, torch.full((4,), -1)), logits)[0]
    torch.testing.assert_close(found, expected)


def test_equal_and_certain_views_cost_nothing_and_grids_are_like_graphs() -> None:
    logits = torch.tensor([[50.0, 0.0], [0.0, 50.0]])
    assert Consistent(CrossEntropy())(torch.cat([logits, logits]), torch.full((4,), -1)).item() < 1e-6
    nodes = torch.randn(6, 3)
    image = nodes.unflatten(0, (2, 3)).transpose(1, 2)  # (2 views, 3 classes, 3 sites)
    target = torch.tensor([0, 1, -1] * 2)
    one, other = Consistent(CrossEntropy())(nodes, target), Consistent(CrossEntropy())(image, target.view(2, 3))
    torch.testing.assert_close(one, other)


def test_what_cannot_be_is_refused() -> None:
    for settings in ({"views": 1}, {"weight": -1.0}, {"temperature": 0.0}):
        with pytest.raises(ValueError, match="must be"):
            Consistent(CrossEntropy(), **settings)
    with pytest.raises(ValueError, match="not of 2 views"):
        Consistent(CrossEntropy())(torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64))


def test_one_channel_has_no_classes_to_agree_about() -> None:
    with pytest.raises(ValueError, match="one channel, whose softmax is 1"):
        Consistent(CrossEntropy(kind="binary"))(torch.randn(8, 1), torch.full((8,), -1))


def test_many_classes_are_sharpened_without_underflow() -> None:
    loss = Consistent(CrossEntropy(), temperature=0.01)
    assert loss(torch.zeros(4, 200), torch.full((4,), -1)).item() == pytest.approx(0, abs=1e-9)
