from __future__ import annotations

import math

import pytest
import torch
from monai.losses import FocalLoss
from torch import Tensor
from torch.nn import functional

from multiunet.losses import CrossEntropy, Dice, DiceCE, Focal

WEIGHTS = [0.2, 1.0, 3.0]


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(4)


@pytest.fixture
def multiclass() -> tuple[Tensor, Tensor]:
    return torch.randn(2, 3, 5, 4, generator=seeded()), torch.randint(-1, 3, (2, 5, 4), generator=seeded())


@pytest.fixture
def multilabel() -> tuple[Tensor, Tensor]:
    return torch.randn(2, 3, 9, generator=seeded()), torch.randint(2, (2, 3, 9), generator=seeded()).float()


@pytest.mark.parametrize("class_weights", [None, WEIGHTS])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_cross_entropy_equals_torch(
    multiclass: tuple[Tensor, Tensor], class_weights: list[float] | None, label_smoothing: float
) -> None:
    expected = functional.cross_entropy(
        *multiclass,
        weight=None if class_weights is None else torch.tensor(class_weights),
        ignore_index=-1,
        label_smoothing=label_smoothing,
    )
    torch.testing.assert_close(CrossEntropy(label_smoothing, class_weights=class_weights)(*multiclass), expected)


def test_binary_is_multiclass_with_a_zero_logit() -> None:
    logit, target = torch.randn(8, 1, generator=seeded()), torch.randint(-1, 2, (8,), generator=seeded())
    pair = torch.cat([torch.zeros_like(logit), logit], dim=1)
    for weights in (None, [0.3, 2.0]):
        torch.testing.assert_close(
            CrossEntropy(kind="binary", class_weights=weights)(logit, target),
            CrossEntropy(class_weights=weights)(pair, target),
        )
        torch.testing.assert_close(
            Focal(kind="binary", class_weights=weights)(logit, target), Focal(class_weights=weights)(pair, target)
        )
    torch.testing.assert_close(CrossEntropy(0.1, kind="binary")(logit, target), CrossEntropy(0.1)(pair, target))


def test_multilabel_equals_torch_and_unknown_labels_drop_out(multilabel: tuple[Tensor, Tensor]) -> None:
    output, target = multilabel
    unknown = torch.rand(target.shape, generator=seeded()) < 0.3
    expected = functional.binary_cross_entropy_with_logits(output[~unknown], target[~unknown])
    for mark in (math.nan, -1.0):
        torch.testing.assert_close(CrossEntropy(kind="multilabel")(output, target.masked_fill(unknown, mark)), expected)


def test_multilabel_class_weights_by_hand() -> None:
    output = torch.tensor([[0.0, math.log(3)]])  # probabilities 1/2 and 3/4
    loss = CrossEntropy(kind="multilabel", class_weights=[1.0, 3.0])(output, torch.tensor([[1.0, 0.0]]))
    assert loss.item() == pytest.approx((1 * math.log(2) + 3 * math.log(4)) / 4)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_equals_monai(multiclass: tuple[Tensor, Tensor], multilabel: tuple[Tensor, Tensor], gamma: float) -> None:
    output, target = multiclass[0], multiclass[1].clamp_min(0)
    per_class = FocalLoss(to_onehot_y=True, use_softmax=True, gamma=gamma)(output, target.unsqueeze(1))
    torch.testing.assert_close(Focal(gamma)(output, target), 3 * per_class)  # MONAI's mean counts the K - 1 zeros too
    for alpha in (None, 0.3):
        expected = FocalLoss(gamma=gamma, alpha=alpha)(*multilabel)
        torch.testing.assert_close(Focal(gamma, alpha, kind="multilabel")(*multilabel), expected)


def test_focal_by_hand() -> None:
    # p_t = 3/4 and 1/4, gamma 2, alpha 0.25
    output, target = torch.tensor([[math.log(3)], [math.log(3)]]), torch.tensor([1, 0])
    expected = (0.25 * (1 / 4) ** 2 * math.log(4 / 3) + 0.75 * (3 / 4) ** 2 * math.log(4)) / 2
    assert Focal(2.0, 0.25, kind="binary")(output, target).item() == pytest.approx(expected)


def test_focal_of_a_certain_site_has_a_finite_gradient() -> None:
    # the power 0.5 of 1 - p = 0 has no derivative
    multiclass = torch.tensor([[200.0, 0.0], [0.0, 200.0]], requires_grad=True)
    binary = torch.tensor([[-200.0], [200.0]], requires_grad=True)
    target = torch.tensor([0, 0])  # the first site is certainly right, the second certainly wrong
    (Focal(0.5)(multiclass, target) + Focal(0.5, kind="binary")(binary, target)).backward()
    assert multiclass.grad is not None
    assert binary.grad is not None
    assert multiclass.grad.tolist() == [[0, 0], [-0.5, 0.5]]
    assert binary.grad.tolist() == [[0], [0.5]]


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_dice_ce_is_the_weighted_sum(
    kind: str, multiclass: tuple[Tensor, Tensor], multilabel: tuple[Tensor, Tensor]
) -> None:
    data = multiclass if kind == "multiclass" else multilabel
    options = {"kind": kind, "class_weights": WEIGHTS}
    both = DiceCE(0.5, 2.0, **options, label_smoothing=0.1, smooth=0.3)(*data)
    torch.testing.assert_close(
        both, 0.5 * Dice(**options, smooth=0.3)(*data) + 2.0 * CrossEntropy(0.1, **options)(*data)
    )


def test_multiclass_by_hand() -> None:
    # p = (1/4, 1/4, 1/2) at every site; the third site is removed
    output = torch.tensor([1.0, 1.0, 2.0]).log().expand(3, 3)
    loss = CrossEntropy(class_weights=[1.0, 1.0, 5.0])(output, torch.tensor([0, 2, 1]), torch.tensor([2.0, 1.0, 0.0]))
    assert loss.item() == pytest.approx((2 * math.log(4) + 5 * math.log(2)) / (2 + 5))


def test_class_weights_survive_only_where_the_class_is_true() -> None:
    output, target = torch.randn(6, 3, generator=seeded()), torch.tensor([0, 0, 1, 1, 2, 2])
    loss = CrossEntropy(class_weights=[1, 0, 0])(output, target)
    torch.testing.assert_close(loss, functional.cross_entropy(output[:2], target[:2]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CrossEntropy(label_smoothing=1.0), "label_smoothing 1.0"),
        (lambda: Focal(gamma=-1), "gamma -1"),
        (lambda: Focal(alpha=0.3), "use class_weights"),
        (lambda: Focal(alpha=1.3, kind="binary"), "alpha 1.3"),
        (lambda: DiceCE(ce_weight=-1), "ce_weight -1"),
    ],
)
def test_refusals(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
