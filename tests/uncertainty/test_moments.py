from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from multiunet import Grid, Regression, Segmentation, UNet
from multiunet.core import Dropout
from multiunet.geometries import Conv
from multiunet.uncertainty import Moments, Welford, dropouts, mc_dropout_sample


def test_welford_equals_numpy_where_the_textbook_formula_fails() -> None:
    values = torch.from_numpy(np.random.default_rng(0).normal(100, 1e-3, (50, 7))).float()
    variances = torch.rand(50, 7)
    stream = Welford()
    for value, variance in zip(values, variances):
        stream.add(value, variance)
    found = stream.moments()
    np.testing.assert_allclose(found.mean, values.double().mean(0), rtol=1e-6)
    np.testing.assert_allclose(found.epistemic, values.double().var(0, correction=0), rtol=0.05)
    np.testing.assert_allclose(found.aleatoric, variances.mean(0), rtol=1e-5)
    assert (found.epistemic >= 0).all()


def test_total_is_the_sum() -> None:
    assert Moments(1.0, 2.0, 3.0).total == 5.0


def test_nothing_added_is_an_error() -> None:
    with pytest.raises(ValueError, match="no sample"):
        Welford().moments()


def test_segmentation_variances_add_up_to_that_of_the_mean() -> None:
    """p (1 - p) of the mean = mean p_t (1 - p_t) + Var p_t (Kwon et al. 2020)."""
    task, stream = Segmentation(["a", "b", "c"]), Welford()
    for _ in range(9):
        stream.add(*task.distribution(3 * torch.randn(2, 3, 5)))
    moments = stream.moments()
    torch.testing.assert_close(moments.total, moments.mean * (1 - moments.mean))


def test_regression_moments_are_in_the_targets_units() -> None:
    """The network speaks of (t - centre) / scale; the moments of t."""
    task = Regression(["t", "u"], centre=[10.0, 0.0], scale=[3.0, 1.0])
    output = torch.tensor([[[1.0], [2.0], [np.log(0.25)], [0.0]]])
    mean, variance = task.distribution(output)
    np.testing.assert_allclose(mean[0, :, 0], [13.0, 2.0], rtol=1e-6)
    np.testing.assert_allclose(variance[0, :, 0], [0.25 * 9, 1.0], rtol=1e-6)


def test_thinned_network_is_a_function_of_its_key() -> None:
    net = UNet(Grid(2, block=Conv(dropout=0.5)), 1, 1, [8, 8, 8]).eval()
    x = torch.randn(1, 1, 9, 9)

    def sample(seed: int, t: int) -> torch.Tensor:
        with mc_dropout_sample(net, seed, t):
            return net(x).detach()

    torch.testing.assert_close(sample(0, 1), sample(0, 1), rtol=0, atol=0)
    assert not torch.equal(sample(0, 1), sample(0, 2))
    assert not torch.equal(sample(0, 1), sample(1, 1))
    assert len({layer.key for layer in dropouts(net)}) == 1


@pytest.mark.parametrize("whole_channels", [True, False])
def test_keyed_dropout_keeps_the_expectation(whole_channels: bool) -> None:
    layer = Dropout(0.3, whole_channels).eval()
    x = torch.ones(2, 400, 5)
    torch.testing.assert_close(layer(x), x)
    layer.key = 11
    y = layer(x)
    assert sorted(y.unique().tolist()) == pytest.approx([0.0, 1 / 0.7])
    assert float((y == 0).float().mean()) == pytest.approx(0.3, abs=0.07)
    assert bool((y == y[:, :, :1]).all()) == whole_channels


def test_training_dropout_differs_by_sample_and_call() -> None:
    layer = Dropout(0.5, whole_channels=True).train()
    x = torch.ones(2, 64, 3)
    y = layer(x)
    assert not torch.equal(y[0], y[1])
    assert not torch.equal(y, layer(x))
    assert bool((y == y[:, :, :1]).all())


def test_dropout_probability_is_checked() -> None:
    with pytest.raises(ValueError, match="outside"):
        Dropout(1.0, True)


def test_a_mask_follows_neither_the_default_device_nor_the_default_type() -> None:
    layer = Dropout(0.5, whole_channels=True).eval()
    layer.key = 3
    expected = layer(torch.ones(1, 8, 3))
    x = torch.ones(1, 8, 3)
    with torch.device("meta"):
        assert torch.equal(layer(x), expected)
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(layer(x), expected)
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_network_in_training_mode_is_not_sampled() -> None:
    with (
        pytest.raises(ValueError, match=r"call net.eval\(\)"),
        mc_dropout_sample(UNet(Grid(1, block=Conv(dropout=0.5)), 1, 1, [4, 4]), 0, 0),
    ):
        pass


def test_dropout_of_torch_is_not_sampled_and_a_warning_says_so() -> None:
    with pytest.warns(UserWarning, match="1 Dropout2d layers of torch are never sampled"):
        assert dropouts(nn.Sequential(nn.Dropout2d(0.5), nn.Dropout(0.0))) == []


def test_moments_keep_no_graph() -> None:
    stream = Welford()
    for _ in range(2):
        stream.add(torch.ones(3, requires_grad=True) * 2, torch.ones(3, requires_grad=True))
    assert not stream.moments().total.requires_grad
