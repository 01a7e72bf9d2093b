"""Training data of denoisers: what the network learns is the denoiser, with the process's weights."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from multiunet import Condition, Geometry, Graph, Grid, Recipe, Sample, TrainingData, UNet, fit
from multiunet.core import ConditionEmbedding, Fourier
from multiunet.diffusion import (
    DDPM,
    EDM,
    PARAMETERIZATIONS,
    Denoiser,
    Denoising,
    DiffusionData,
    NoisedValidator,
    Preconditioned,
    PredictFlow,
    PredictNoise,
    Sampler,
    SiteNoise,
)
from multiunet.diffusion.guidance import leave_out_at_random
from multiunet.geometries import Conv

from .conftest import make_field

GRIDS = [Grid(n, block=Conv(condition_channels=8), normalization="layer") for n in (1, 2, 3)]


class Clean(TrainingData):
    """Random features with one given channel, and a label."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        self.field = make_field(geometry, 3)

    def __len__(self) -> int:
        return 3

    def draw(self, item: int, rng: np.random.Generator) -> Sample:
        x = self.geometry.features(self.field).float()
        field = self.geometry.with_features(self.field, x[:, 2:])
        return Sample(field, x[:, :2], condition=Condition(labels=torch.tensor([item, item])))


class Answer(nn.Module):
    """Network that answers with what it is to learn."""

    def __init__(self, geometry: Geometry, target: Tensor) -> None:
        super().__init__()
        self.geometry, self.target = geometry, target

    def forward(self, field, condition):
        return self.geometry.with_features(field, self.target)


@pytest.mark.parametrize("name", PARAMETERIZATIONS)
def test_who_answers_with_the_target_gives_the_data(name: str, geometry: Geometry) -> None:
    clean, parameterization = Clean(geometry), PARAMETERIZATIONS[name]()
    data = DiffusionData(clean, geometry, parameterization, EDM())
    given = clean.draw(1, np.random.default_rng(0))
    sample = data.spoil(given, 0.7, np.random.default_rng(5))
    sigma = EDM().draw(torch.tensor([0.7], dtype=torch.float64))
    scalings = parameterization.scalings(sigma)
    features = geometry.features(sample.field)
    assert torch.equal(features[:, 2:], geometry.features(given.field))
    noisy = geometry.with_features(sample.field, features[:, :2] / float(scalings.into))
    denoiser = Denoiser(Answer(geometry, sample.target), parameterization, geometry)
    data_again = denoiser(noisy, float(sigma), given.condition, given=features[:, 2:])
    torch.testing.assert_close(data_again, given.target, rtol=1e-5, atol=1e-5)
    noise = (geometry.features(noisy) - given.target) / float(sigma)
    assert 0.7 < float(noise.std()) < 1.3
    torch.testing.assert_close(sample.condition.noise, scalings.noise.float().expand(2))
    # the loss of an answer that is wrong by 0.1 is the weighted error of D
    error = (0.1 * scalings.out) ** 2 * EDM().weight(sigma)
    assert float(Denoising().loss(sample.target + 0.1, sample.target, sample.weight)) == pytest.approx(float(error))


@pytest.mark.parametrize(
    ("parameterization", "process"),
    [(Preconditioned(), EDM()), (PredictNoise(), DDPM())],
    ids=["EDM", "DDPM"],
)
def test_papers_weigh_all_levels_of_their_target_alike(parameterization, process) -> None:
    data = DiffusionData(Clean(Grid(1)), Grid(1), parameterization, process)
    weights = [float(data.draw(0, np.random.default_rng(seed)).weight.mean()) for seed in range(5)]
    assert weights == pytest.approx([1.0] * 5)


def test_of_several_parts_all_or_one_are_left_out() -> None:
    condition = Condition(labels=torch.tensor([3]), words=torch.tensor([[5, 6]]))
    said = [leave_out_at_random(condition, 0.1, u) for u in (np.arange(1000) + 0.5) / 1000]
    found = Counter((int(one.labels) >= 0, bool(one.words.any())) for one in said)
    assert found == {(False, False): 100, (False, True): 50, (True, False): 50, (True, True): 800}
    alone = [leave_out_at_random(Condition(labels=torch.tensor([3])), 0.1, u) for u in (0.05, 0.15)]
    assert [int(one.labels) for one in alone] == [-1, 3]


def test_labels_are_left_out_as_often_as_asked() -> None:
    data = DiffusionData(Clean(Grid(1)), Grid(1), PredictFlow(), EDM(), drop=0.25)
    drawn = [int(data.draw(2, np.random.default_rng(seed)).condition.labels[0]) for seed in range(400)]
    assert set(drawn) == {-1, 2}
    assert abs(drawn.count(-1) / 400 - 0.25) < 0.07
    with pytest.raises(ValueError, match="drop 1"):
        DiffusionData(Clean(Grid(1)), Grid(1), PredictFlow(), EDM(), drop=1.0)


def test_unknown_sites_do_not_count() -> None:
    output, target = torch.zeros(1, 1, 4), torch.tensor([[[1.0, 2.0, 50.0, float("nan")]]])
    weight = torch.tensor([[1.0, 0.5, 0.0, 1.0]])
    assert float(Denoising().loss(output, target, weight)) == pytest.approx((1 + 0.5 * 4) / 2)


class Waves(TrainingData):
    """Sine waves of random phase, of deviation 0.5."""

    def __len__(self) -> int:
        return 64

    def draw(self, item: int, rng: np.random.Generator) -> Sample:
        x = 0.7 * torch.sin(torch.linspace(0, 4 * torch.pi, 33)[:-1] + rng.uniform(0, 6.3))[None, None].float()
        return Sample(x[:, :0], target=x)


def test_validation_is_the_same_each_time_and_ranks_networks() -> None:
    line = GRIDS[0]
    net = UNet(line, 1, 1, [4, 8], embed=ConditionEmbedding(8, noise=Fourier(8)))
    data = DiffusionData(Waves(), line, Preconditioned(), EDM())
    validate = NoisedValidator(data, Denoising(), turns=1)
    with torch.no_grad():
        first, again = validate(net), validate(net)
        zero = validate(Zero(line))
    assert first == again
    # the target of EDM has variance 1, and zero is the best that knows nothing
    assert zero["loss"] == pytest.approx(1, abs=0.15)


class Zero(nn.Module):
    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        self.geometry = geometry

    def forward(self, field, condition=None):
        return self.geometry.with_features(field, torch.zeros_like(self.geometry.features(field)))


@pytest.mark.parametrize("geometry", [*GRIDS, Graph(condition_channels=8)], ids=["1-D", "2-D", "3-D", "graph"])
def test_the_same_lines_train_and_sample_on_every_geometry(geometry: Geometry) -> None:
    net = UNet(geometry, 3, 2, [4, 8], embed=ConditionEmbedding(8, noise=Fourier(8), labels=3))
    data = DiffusionData(Clean(geometry), geometry, Preconditioned(), EDM(), drop=0.1)
    validate = NoisedValidator(data, Denoising(), turns=1)
    recipe = Recipe(epochs=2, batch_size=2, precision="32", ema=0.9)
    state = fit(net, Denoising(), geometry, data, validate, recipe=recipe)
    assert state.epoch == 2
    clean = data.clean.draw(0, np.random.default_rng(0))
    denoiser = Denoiser(net.eval(), Preconditioned(), geometry, null_class=True)
    denoise = denoiser.on(clean.field, clean.condition, 2.0, geometry.features(clean.field))
    sample = Sampler(EDM().sigmas(3)).run(denoise, SiteNoise(geometry, 0).on(clean.field, [0, 1], 2))
    assert sample.shape == clean.target.shape
    assert bool(sample.isfinite().all())
