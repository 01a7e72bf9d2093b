from __future__ import annotations

import pytest
import torch
from monai.losses import DiceLoss, TverskyLoss
from torch import Tensor, nn
from torch.nn import functional

from multiunet.losses import Dice, SoftJaccard, Tversky


@pytest.fixture
def multiclass() -> tuple[Tensor, Tensor]:
    """Logits (3, 4, 6, 5) and targets in which every sample has every class."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(3, 4, 6, 5, generator=generator), torch.randint(4, (3, 6, 5), generator=generator)


def logits_of(p: list[float]) -> Tensor:
    """Binary logits (nodes, 1) of these probabilities."""
    return torch.tensor(p, dtype=torch.float64).logit().unsqueeze(1)


@pytest.mark.parametrize(
    ("loss", "overlap"),
    [
        # p = .8 .6 .1, g = 1 0 1: TP = .9, FP = .6, FN = 1.1; squared sums: 1.01 and 2
        (Dice(kind="binary", smooth=1e-12), 1.8 / (1.8 + 0.6 + 1.1)),
        (Dice(kind="binary", smooth=1e-12, squared=True), 1.8 / (1.01 + 2)),
        (Dice(kind="binary", smooth=0.5), 2.8 / (1.8 + 0.6 + 1.1 + 1)),
        (SoftJaccard(kind="binary", smooth=1e-12), 0.9 / (0.9 + 0.6 + 1.1)),
        (Tversky(0.2, 0.7, kind="binary", smooth=1e-12), 0.9 / (0.9 + 0.2 * 0.6 + 0.7 * 1.1)),
    ],
)
def test_by_hand(loss: nn.Module, overlap: float) -> None:
    value = loss(logits_of([0.8, 0.6, 0.1]), torch.tensor([1, 0, 1]))
    assert value.item() == pytest.approx(1 - overlap, abs=1e-9)


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize(
    ("ours", "peer"),
    [
        (lambda each: Dice(smooth=0.05, per_sample=each), lambda **kw: DiceLoss(smooth_nr=0.1, smooth_dr=0.1, **kw)),
        (
            lambda each: Dice(smooth=0.05, per_sample=each, squared=True),
            lambda **kw: DiceLoss(smooth_nr=0.1, smooth_dr=0.1, squared_pred=True, **kw),
        ),
        (
            lambda each: SoftJaccard(smooth=0.05, per_sample=each),
            lambda **kw: DiceLoss(jaccard=True, smooth_nr=0.1, smooth_dr=0.1, **kw),
        ),
        (
            lambda each: Tversky(0.3, 0.7, smooth=0.1, per_sample=each),
            lambda **kw: TverskyLoss(alpha=0.3, beta=0.7, smooth_nr=0.1, smooth_dr=0.1, **kw),
        ),
    ],
    ids=["dice", "dice-squared", "jaccard", "tversky"],
)
def test_equals_monai(ours, peer, per_sample: bool, multiclass: tuple[Tensor, Tensor]) -> None:
    output, target = multiclass
    expected = peer(to_onehot_y=True, softmax=True, batch=not per_sample)(output, target.unsqueeze(1))
    torch.testing.assert_close(ours(per_sample)(output, target), expected)


def test_multilabel_equals_monai() -> None:
    generator = torch.Generator().manual_seed(2)
    output = torch.randn(2, 3, 8, generator=generator)
    target = torch.randint(2, (2, 3, 8), generator=generator).float()
    expected = DiceLoss(sigmoid=True, batch=True, smooth_nr=0.1, smooth_dr=0.1)(output, target)
    torch.testing.assert_close(Dice(kind="multilabel", smooth=0.05)(output, target), expected)


def test_tversky_contains_dice_and_jaccard(multiclass: tuple[Tensor, Tensor]) -> None:
    torch.testing.assert_close(Tversky(0.5, 0.5)(*multiclass), Dice()(*multiclass))
    torch.testing.assert_close(Tversky(1, 1)(*multiclass), SoftJaccard()(*multiclass))


def test_a_perfect_prediction_costs_nothing_and_a_swapped_one_everything() -> None:
    target = torch.tensor([[0, 1, 1, 0]])
    output = functional.one_hot(target, 2).movedim(-1, 1) * 200.0
    assert Dice()(output, target).item() == pytest.approx(0, abs=1e-6)
    assert Dice()(output.flip(1), target).item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("loss", [Dice, SoftJaccard, Tversky])
def test_absent_classes_leave_the_mean_alone(loss: type[nn.Module]) -> None:
    generator = torch.Generator().manual_seed(3)
    output, target = torch.randn(1, 2, 9, generator=generator), torch.randint(2, (1, 9), generator=generator)
    with_absent = torch.cat([output, torch.full((1, 5, 9), -200.0)], dim=1)
    torch.testing.assert_close(loss()(with_absent, target), loss()(output, target))


def test_a_class_predicted_in_vain_costs_those_it_displaces() -> None:
    target = torch.tensor([[0, 0, 1, 1]])
    right = functional.one_hot(target, 3).movedim(-1, 1) * 200.0
    vain = right.clone()
    vain[:, :, 3] = torch.tensor([0.0, 0.0, 200.0])  # class 2, which is nowhere true, takes a site of class 1
    # class 0 is right; class 1 has TP = 1, FP = 0, FN = 1
    assert Dice()(vain, target).item() == pytest.approx((0 + (1 - 2 / 3)) / 2, abs=1e-4)


def test_an_empty_binary_target_gives_zero() -> None:
    output = torch.randn(2, 1, 4, requires_grad=True)
    loss = Dice(kind="binary")(output, torch.zeros(2, 4, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0
    assert output.grad is not None
    assert (output.grad == 0).all()


def test_per_sample_averages_over_the_classes_that_are_there(multiclass: tuple[Tensor, Tensor]) -> None:
    output, target = multiclass
    target = target.clone()
    target[0] = target[0].clamp_max(1)  # two classes in the first sample, four in each of the others
    one_by_one = [Dice()(output[i : i + 1], target[i : i + 1]) for i in range(3)]
    expected = (2 * one_by_one[0] + 4 * one_by_one[1] + 4 * one_by_one[2]) / 10
    torch.testing.assert_close(Dice(per_sample=True)(output, target), expected)


def test_class_weight_zero_leaves_the_background_out(multiclass: tuple[Tensor, Tensor]) -> None:
    output, target = multiclass
    expected = DiceLoss(to_onehot_y=True, softmax=True, batch=True, include_background=False)(
        output, target.unsqueeze(1)
    )
    torch.testing.assert_close(Dice(class_weights=[0, 1, 1, 1])(output, target), expected)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="per_sample needs a grid"):
        Dice(per_sample=True)(torch.randn(5, 2), torch.zeros(5, dtype=torch.long))
    with pytest.raises(ValueError, match="smooth 0 must be positive"):
        Dice(smooth=0)
    with pytest.raises(ValueError, match=r"beta -0\.1"):
        Tversky(0.5, -0.1)


def test_soft_targets_that_are_met_cost_nothing_squared() -> None:
    p = torch.tensor([[0.3], [0.7], [0.5]], dtype=torch.float64)
    assert Dice(kind="multilabel", squared=True)(p.logit(), p).item() == pytest.approx(0, abs=1e-9)
