"""One denoiser for all parameterisations and geometries; guidance, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from multiunet import Condition, Geometry, Graph, Grid, UNet
from multiunet.core import ConditionEmbedding, Fourier
from multiunet.diffusion import (
    DDPM,
    EDM,
    PARAMETERIZATIONS,
    Denoiser,
    FlowMatching,
    Parameterization,
    Preconditioned,
    PredictData,
    PredictFlow,
    PredictNoise,
    PredictV,
)
from multiunet.diffusion.guidance import Guidance, leave_out
from multiunet.geometries import Conv

from .conftest import Formula, make_field

VARIANCE = 0.6


def exact(x: Tensor, sigma: Tensor) -> Tensor:
    """Expected data of a Gaussian."""
    return x * VARIANCE / (VARIANCE + sigma**2)


def of_chain(y: Tensor, told: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Data, noise, alpha and s of a chain's field ``y = alpha data + s noise`` at the level ``exp(4 told)``."""
    sigma = (4 * told).exp()
    alpha = 1 / (1 + sigma**2).sqrt()
    data = exact(y / alpha, sigma)
    return data, (y - alpha * data) / (alpha * sigma), alpha, alpha * sigma


def predict_v(y: Tensor, told: Tensor) -> Tensor:
    data, noise, alpha, s = of_chain(y, told)
    return alpha * noise - s * data


def predict_flow(y: Tensor, told: Tensor) -> Tensor:
    t = 1 / (1 + (-4 * told).exp())
    data = exact(y / (1 - t), t / (1 - t))
    return (y - (1 - t) * data) / t - data


def predict_edm(y: Tensor, told: Tensor) -> Tensor:
    sigma, total = (4 * told).exp(), (0.25 + (8 * told).exp()).sqrt()
    x = y * total
    return (exact(x, sigma) - 0.25 / total**2 * x) * total / (0.5 * sigma)


NETWORKS: dict[str, tuple[Parameterization, Callable[[Tensor, Tensor], Tensor]]] = {
    "eps": (PredictNoise(), lambda y, told: of_chain(y, told)[1]),
    "v": (PredictV(), predict_v),
    "x0": (PredictData(), lambda y, told: of_chain(y, told)[0]),
    "edm": (Preconditioned(), predict_edm),
    "flow": (PredictFlow(), predict_flow),
}
"""Networks that predict, each in its own way, the same data: from the definitions of what they predict."""


@pytest.mark.parametrize("name", PARAMETERIZATIONS)
def test_all_parameterizations_are_one_denoiser(name: str, geometry: Geometry) -> None:
    parameterization, formula = NETWORKS[name]
    field = make_field(geometry, 2)
    sigma = torch.tensor([0.03, 7.0])
    found = Denoiser(Formula(formula), parameterization, geometry)(field, sigma)
    at_sites = geometry.at_sites(field, sigma[:, None].double())
    torch.testing.assert_close(found, exact(geometry.features(field), at_sites), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", PARAMETERIZATIONS)
def test_rounding_to_32_bits_costs_accuracy_where_the_noise_is_predicted_alone(name: str) -> None:
    parameterization, formula = NETWORKS[name]
    for sigma, noise_alone in ((0.03, 1e-6), (1.0, 2e-6), (80.0, 1e-4)):
        x = sigma * torch.randn(2, 1, 64)
        found = Denoiser(Formula(formula), parameterization, Grid(1))(x, sigma)
        bound = noise_alone if name == "eps" else 1e-6  # x - sigma noise: a difference of numbers as large as sigma
        torch.testing.assert_close(found, exact(x, torch.tensor(sigma)), rtol=1e-6, atol=bound)


@pytest.mark.parametrize("sigma", [0.002, 1.0, 80.0])
def test_input_and_target_of_edm_have_variance_1(sigma: float) -> None:
    skip, out, into, told = (float(part) for part in Preconditioned(sigma_data=0.7).scalings(torch.tensor([sigma])))
    assert into**2 * (0.7**2 + sigma**2) == pytest.approx(1)
    target = ((1 - skip) ** 2 * 0.7**2 + skip**2 * sigma**2) / out**2  # (data - skip (data + sigma noise)) / out
    assert target == pytest.approx(1)
    assert told == pytest.approx(torch.tensor(sigma).log().item() / 4)


def test_a_network_is_given_the_time_of_its_process() -> None:
    levels = DDPM().levels()
    told = PredictNoise(DDPM()).scalings(levels[[0, 500, 999]]).noise
    torch.testing.assert_close(told, torch.tensor([0.0, 500.0, 999.0]).double())
    assert float(PredictFlow(FlowMatching()).scalings(torch.tensor([3.0])).noise) == pytest.approx(0.75)


@pytest.mark.parametrize("process", [EDM(), DDPM(), DDPM("cosine"), FlowMatching(), FlowMatching(deviation=1.0)])
def test_levels_are_drawn_in_order_and_fall_to_zero(process) -> None:
    drawn = process.draw(torch.linspace(0.01, 0.99, 50, dtype=torch.float64))
    assert bool((drawn[1:] >= drawn[:-1]).all())
    assert bool((drawn > 0).all())
    assert bool((process.weight(drawn) > 0).all())
    levels = process.sigmas(7)
    assert len(levels) == 8
    assert levels[-1] == 0
    assert sorted(levels, reverse=True) == list(levels)


def test_processes_keep_what_they_say_of_their_field() -> None:
    sigma = torch.tensor([0.1, 1.0, 10.0])
    torch.testing.assert_close(DDPM().alpha(sigma) ** 2 * (1 + sigma**2), torch.ones(3))  # of constant variance
    t = FlowMatching().time(sigma)
    torch.testing.assert_close(FlowMatching().alpha(sigma) * sigma, t)
    torch.testing.assert_close(FlowMatching().alpha(sigma), 1 - t)
    assert float(EDM().weight(torch.tensor(0.5))) == pytest.approx(8)


def guided_network(geometry: Geometry) -> UNet:
    embed = ConditionEmbedding(8, noise=Fourier(8), labels=3)
    return UNet(geometry, 2, 1, [4, 8], embed=embed)


@pytest.mark.parametrize(
    "geometry",
    [*(Grid(n, block=Conv(condition_channels=8), normalization="layer") for n in (1, 2)), Graph(condition_channels=8)],
    ids=["1-D", "2-D", "graph"],
)
def test_guidance_goes_from_the_null_class_through_the_label(geometry: Geometry) -> None:
    field = make_field(geometry, 1)
    x = geometry.features(field).float()
    field, given = geometry.with_features(field, x), torch.randn_like(x)
    net = guided_network(geometry)
    for parameter in net.parameters():  # modulations begin at zero
        torch.nn.init.normal_(parameter, std=0.2)
    denoiser = Denoiser(net, Preconditioned(), geometry, null_class=True)
    label = Condition(labels=torch.tensor([2, 0]))
    alone, null = (denoiser(field, 1.5, one, given=given) for one in (label, leave_out(label)))
    assert not torch.allclose(alone, null)
    guided = denoiser(field, 1.5, label, guidance=3.0, given=given)
    torch.testing.assert_close(guided, null + 3 * (alone - null))
    torch.testing.assert_close(denoiser.on(field, label, 3.0, given)(x, 1.5), guided)
    torch.testing.assert_close(denoiser(field, 1.5, None, given=given), null)


def test_guidance_counts_between_its_levels_alone() -> None:
    grid = Grid(1, block=Conv(condition_channels=8), normalization="layer")
    net = guided_network(grid)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    denoiser = Denoiser(net, Preconditioned(), grid, null_class=True)
    field, given, label = torch.randn(3, 1, 8), torch.randn(3, 1, 8), Condition(labels=torch.tensor([2, 0, 1]))
    levels = torch.tensor([0.25, 1.5, 2.5])
    alone, everywhere = (denoiser(field, levels, label, strength, given) for strength in (1.0, 3.0))
    between = denoiser(field, levels, label, Guidance(3.0, low=0.25, high=2.0), given)
    torch.testing.assert_close(between, torch.stack([alone[0], everywhere[1], alone[2]]))
    assert not torch.allclose(alone[1], everywhere[1])


@pytest.mark.parametrize(("low", "high"), [(2.0, 2.0), (-1.0, 2.0)])
def test_guidance_at_no_level_is_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="no level of noise is above"):
        Guidance(2.0, low, high)


def test_guidance_needs_a_label_and_a_null_class() -> None:
    grid = Grid(1, block=Conv(condition_channels=8), normalization="layer")
    net, field = guided_network(grid), torch.randn(1, 2, 8)
    with pytest.raises(ValueError, match=r"has neither.*leave `guidance` at 1"):
        Denoiser(net, Preconditioned(), grid, null_class=True).on(field, guidance=2.0)
    with pytest.raises(ValueError, match="`condition_drop=0"):
        Denoiser(net, Preconditioned(), grid).on(field, Condition(labels=torch.tensor([1])), guidance=2.0)


def test_what_is_left_out_is_what_training_leaves_out() -> None:
    full = Condition(
        embedding=torch.ones(1, 2), tokens=torch.ones(1, 3, 2), noise=torch.ones(1), labels=torch.tensor([3])
    )
    blank = leave_out(full)
    assert blank.embedding.tolist() == [[0, 0]]
    assert blank.labels.tolist() == [-1]
    assert not blank.token_mask.any()
    assert blank.noise.tolist() == [1]
    assert leave_out(Condition(words=torch.tensor([[2, 5]]))).words.tolist() == [[0, 0]]


def test_batch_normalisation_is_refused() -> None:
    with pytest.raises(ValueError, match=r"batch normalisation \(.*\).*normalization='layer'"):
        Denoiser(UNet(Grid(2), 1, 1, [4, 8]), Preconditioned(), Grid(2))


def test_deep_supervision_is_refused() -> None:
    net = UNet(Grid(2, normalization="layer"), 1, 1, [4, 8, 8], deep_supervision=1)
    with pytest.raises(ValueError, match="deep_supervision=0"):
        Denoiser(net, Preconditioned(), Grid(2))


def test_a_level_without_noise_is_refused() -> None:
    with pytest.raises(ValueError, match="sigma 0 must be positive"):
        Denoiser(Formula(lambda x, noise: x), PredictNoise(), Grid(1))(torch.zeros(1, 1, 4), 0.0)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="schedule 'sigmoid' is none of linear, cosine"):
        DDPM("sigmoid")
    with pytest.raises(ValueError, match="steps 0 must be at least 1"):
        EDM().sigmas(0)
    with pytest.raises(ValueError, match="at most 1000"):
        DDPM().sigmas(1001)
    with pytest.raises(ValueError, match="sigma_data 0"):
        Preconditioned(sigma_data=0)
    with pytest.raises(ValueError, match="least below most"):
        EDM(most=0.001)
    with pytest.raises(ValueError, match="must be in"):
        FlowMatching(latest=1.0)
