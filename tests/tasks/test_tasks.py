from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from multiunet import Regression, Segmentation


def test_binary_states_both_classes() -> None:
    task = Segmentation(["outside", "inside"], labels="binary")
    assert task.channels == 1
    mean, variance = task.distribution(torch.tensor([[[0.0, math.log(3)]]]))
    torch.testing.assert_close(mean, torch.tensor([[[0.5, 0.25], [0.5, 0.75]]]))
    torch.testing.assert_close(variance, mean * (1 - mean))
    assert task.decide(mean).tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda: Segmentation(["a"]), "needs at least 2"),
        (lambda: Segmentation([], labels="multilabel"), "needs at least 1"),
        (lambda: Segmentation(["a", "b", "c"], labels="binary"), "has two, outside and inside"),
        (lambda: Regression(["t"], loss="l2"), "loss 'l2' is none of beta-nll"),
        (lambda: Regression(["t"], centre=[0.0, 1.0]), "centre has 2 entries for 1"),
        (lambda: Regression(["t", "u"], scale=[1.0, 0.0]), "positive numbers are needed"),
        (lambda: Regression(["t"], scale=[math.nan]), "positive numbers are needed"),
    ],
)
def test_wrong_settings_are_refused(build, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        build()


def test_multilabel_decides_each_label() -> None:
    task = Segmentation(["a", "b"], labels="multilabel")
    mean, _ = task.distribution(torch.tensor([[[5.0], [4.0]]]))
    assert task.decide(mean).tolist() == [[[1], [1]]]


@pytest.mark.parametrize(("labels", "channels"), [("multiclass", 2), ("binary", 1), ("multilabel", 2)])
def test_default_loss_falls_towards_the_truth(labels: str, channels: int) -> None:
    task = Segmentation(["a", "b"], labels=labels)
    target = torch.randint(0, 2, (2, channels, 6) if labels == "multilabel" else (2, 6))
    right = 4.0 * (2 * target.float() - 1)
    output = torch.stack([-right, right], 1) if labels == "multiclass" else right.reshape(2, channels, 6)
    target = target.float() if labels == "multilabel" else target
    assert float(task.loss(output, target)) < 0.1 < float(task.loss(-output, target))


def test_regression_loss_is_in_standard_units() -> None:
    """Shifting and scaling the target and saying so changes nothing."""
    output, target = torch.randn(2, 2, 9), torch.randn(2, 1, 9)
    plain = Regression(["t"]).loss(output, target)
    scaled = Regression(["t"], centre=[100.0], scale=[7.0]).loss(output, 7 * target + 100)
    torch.testing.assert_close(scaled, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.float16])
def test_targets_of_any_type_are_standardised_alike(dtype: torch.dtype) -> None:
    task = Regression(["t"], "mse", centre=[0.4], scale=[0.3])
    output, target = torch.zeros(1, 1, 3), torch.tensor([[[0.0, 1.0, 200.0]]])
    assert float(task.loss(output, target.to(dtype))) == float(task.loss(output, target))


def test_noise_is_learnt_from_validation_where_the_loss_learns_none() -> None:
    task = Regression(["t", "u"], loss="mse", scale=[2.0, 2.0])
    task.learn_from_scores({"per_track": [{"mse": 4.0}, {"mse": 9.0}]})
    _, variance = task.distribution(torch.zeros(1, 2, 3))
    assert variance[0, :, 0].tolist() == [4.0, 9.0]
    task.learn_from_scores({"per_track": [{"mse": None}, {"mse": 1.0}]})  # the first was not measured in validation
    task.learn_from_scores({})
    assert task.noise.tolist() == [4.0, 1.0]
    learner = Regression(["t"])
    learner.learn_from_scores({"mse": 4.0})
    assert learner.noise.tolist() == [0.0]


def test_poisson_variance_is_its_mean() -> None:
    mean, variance = Regression(["t"], loss="poisson").distribution(torch.tensor([[[0.0, math.log(5)]]]))
    assert mean.flatten().tolist() == pytest.approx([1.0, 5.0])
    assert torch.equal(mean, variance)


def test_the_first_of_the_most_probable_classes_is_chosen() -> None:
    mean = torch.randint(0, 4, (2, 5, 7, 9), generator=torch.Generator().manual_seed(0)).float()  # many are equal
    np.testing.assert_array_equal(Segmentation("abcde").decide(mean), mean.numpy().argmax(axis=1))
    nodes = torch.tensor([[0.2, 0.5, 0.3], [0.4, 0.2, 0.4]])
    assert Segmentation("abc").decide(nodes).tolist() == [1, 0]
