from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from multiunet.losses import MAE, MSE, GaussianNLL, Huber, Poisson


@pytest.fixture
def data() -> tuple[Tensor, Tensor, Tensor]:
    """Output (2, 3, 50), non-negative target with NaN, and where it is known."""
    generator = torch.Generator().manual_seed(5)
    target = torch.rand(2, 3, 50, generator=generator) * 5
    known = torch.rand(2, 3, 50, generator=generator) > 0.3
    return torch.randn(2, 3, 50, generator=generator), target.masked_fill(~known, math.nan), known


@pytest.mark.parametrize(
    ("loss", "peer"),
    [
        (MSE(), functional.mse_loss),
        (MAE(), functional.l1_loss),
        (Huber(0.5), lambda p, t: functional.huber_loss(p, t, delta=0.5)),
        (Poisson(), lambda p, t: (p.exp() - t * p).mean()),
    ],
    ids=["mse", "mae", "huber", "poisson"],
)
def test_equals_torch_over_the_known_values(loss: nn.Module, peer, data: tuple[Tensor, Tensor, Tensor]) -> None:
    output, target, known = data
    torch.testing.assert_close(loss(output, target), peer(output[known], target[known]))


@pytest.mark.parametrize("loss", [MSE(), MAE(), Huber(), Poisson(), GaussianNLL(), GaussianNLL(0.5)])
def test_nan_targets_have_zero_gradient(loss: nn.Module, data: tuple[Tensor, Tensor, Tensor]) -> None:
    output, target, known = data
    if isinstance(loss, GaussianNLL):
        output, known = torch.cat([output, output / 2], dim=1), torch.cat([known, known], dim=1)
    output = output.requires_grad_()
    loss(output, target).backward()
    assert output.grad is not None
    assert (output.grad[~known] == 0).all()
    assert (output.grad[known] != 0).all()


def test_gaussian_nll_equals_torch(data: tuple[Tensor, Tensor, Tensor]) -> None:
    mean, target, known = data
    log_variance = mean.flip(-1)
    expected = functional.gaussian_nll_loss(mean[known], target[known], log_variance.exp()[known], eps=1e-12)
    torch.testing.assert_close(GaussianNLL()(torch.cat([mean, log_variance], dim=1), target), expected)


def test_gaussian_nll_is_a_likelihood() -> None:
    normal = torch.distributions.Normal(1.5, math.exp(0.4))
    y = torch.linspace(-3, 5, 9).reshape(9, 1)
    output = torch.tensor([[1.5, 0.8]]).expand(9, 2)
    expected = -normal.log_prob(y).mean() - math.log(2 * math.pi) / 2
    torch.testing.assert_close(GaussianNLL()(output, y), expected)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_beta_nll_gradients(beta: float) -> None:
    # the gradients of the likelihood times variance^beta: (m - y) / v and (1 - (y - m)^2 / v) / 2
    m, log_v, y = torch.tensor([0.3, -1.0, 2.0]), torch.tensor([-0.5, 0.0, 1.2]), torch.tensor([1.0, 0.5, -2.0])
    output = torch.stack([m, log_v], dim=1).requires_grad_()
    GaussianNLL(beta)(output, y.unsqueeze(1)).backward()
    v = log_v.exp()
    expected = torch.stack([(m - y) / v, (1 - (y - m) ** 2 / v) / 2], dim=1) * (v**beta).unsqueeze(1) / 3
    torch.testing.assert_close(output.grad, expected)


def test_log_variance_is_clamped_and_stays_finite() -> None:
    output = torch.tensor([[0.0, -1e4], [0.0, 1e4], [0.0, 3.0]], dtype=torch.bfloat16, requires_grad=True)
    log_variance = GaussianNLL.log_variance(output)
    assert log_variance.tolist() == [[-20.0], [20.0], [3.0]]
    assert log_variance.dtype == torch.float32
    loss = GaussianNLL(beta=1.0)(output, torch.ones(3, 1))
    loss.backward()
    assert loss.isfinite()
    assert output.grad is not None
    assert output.grad.isfinite().all()


def test_poisson_is_least_at_the_mean_count() -> None:
    counts = torch.tensor([[0.0], [3.0], [7.0], [2.0]])
    log_rates = torch.linspace(-1, 3, 401)
    losses = torch.stack([Poisson()(r.expand(4, 1), counts) for r in log_rates])
    assert log_rates[losses.argmin()].item() == pytest.approx(math.log(3), abs=0.01)


def test_refusals() -> None:
    with pytest.raises(
        ValueError, match=r"output \(2, 3, 4\) does not fit the target \(2, 3, 4\): expected \(2, 6, 4\)"
    ):
        GaussianNLL()(torch.zeros(2, 3, 4), torch.zeros(2, 3, 4))
    with pytest.raises(ValueError, match=r"target \(4,\) has no channel axis"):
        MSE()(torch.zeros(4), torch.zeros(4))
    with pytest.raises(ValueError, match="found -2, expected 0 or more"):
        Poisson()(torch.zeros(2, 1), torch.tensor([[1.0], [-2.0]]))
    with pytest.raises(ValueError, match="delta 0"):
        Huber(0)
    with pytest.raises(ValueError, match=r"beta 1\.5"):
        GaussianNLL(1.5)
