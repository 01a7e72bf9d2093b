from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from multiunet import Condition, Grid, Recipe, Sample, TrainingData, fit
from multiunet.core import Autoencoder
from multiunet.diffusion import EDM, AutoencoderData, Denoising, DiffusionData, LatentData, Preconditioned, learn_scale
from multiunet.models import autoencoder


class Slopes(TrainingData[Tensor]):
    """Planes of any height and slope: two numbers say all."""

    def __len__(self) -> int:
        return 8

    def draw(self, item: int, rng: np.random.Generator) -> Sample[Tensor]:
        height, slope = rng.normal(size=2)
        data = 0.5 * torch.tensor(height + slope * np.linspace(-1, 1, 8), dtype=torch.float32)
        return Sample(torch.ones(1, 2, 8), data[None, None], condition=Condition(labels=torch.tensor([item])))


def make_coder(seed: int = 0) -> Autoencoder[Tensor]:
    torch.manual_seed(seed)
    return autoencoder(1, 1, latent_channels=2, widths=[8, 8]).eval()


def test_learnt_scales_make_latents_of_mean_0_and_deviation_1() -> None:
    coder, data = make_coder(), AutoencoderData(Slopes(), Grid(1), 2.0)
    learn_scale(coder, data, draws=400)
    drawn = LatentData(Slopes(), coder, 2.0, deviation=0.5)
    rng = np.random.default_rng(7)
    latents = torch.cat([drawn.draw(item % 8, rng).target for item in range(400)])
    assert latents.shape == (400, 2, 4)
    torch.testing.assert_close(latents.mean((0, 2)), torch.zeros(2), rtol=0, atol=0.12)
    torch.testing.assert_close(latents.std((0, 2)), torch.full((2,), 0.5), rtol=0, atol=0.12)


def test_latents_keep_their_condition_and_what_is_given_coarsened() -> None:
    drawn = LatentData(Slopes(), make_coder(), coarsen=lambda given: given[..., ::2])
    sample = DiffusionData(drawn, Grid(1), Preconditioned(), EDM()).draw(3, np.random.default_rng(0))
    assert sample.field.shape == (1, 2 + 2, 4)
    assert sample.target.shape == (1, 2, 4)
    assert sample.condition is not None
    assert sample.condition.labels == torch.tensor([3])


def test_training_brings_back_more_than_the_mean_of_each_field() -> None:
    coder, data = make_coder(), AutoencoderData(Slopes(), Grid(1), 2.0)
    fit(coder, Denoising(), Grid(1), data, recipe=Recipe(epochs=2, steps_per_epoch=40, batch_size=8, lr=1e-2))
    rng = np.random.default_rng(5)
    held_out = torch.cat([data.draw(0, rng).target for _ in range(50)])
    with torch.no_grad():
        found = coder.eval()(held_out)
    means = held_out.mean(-1, keepdim=True)
    assert (found - held_out).square().mean() < 0.8 * (means - held_out).square().mean()


def test_a_latent_that_is_the_same_everywhere_has_no_scale() -> None:
    coder = make_coder()
    torch.nn.init.zeros_(next(coder.into.parameters()))
    with pytest.raises(ValueError, match="train it longer"):
        learn_scale(coder, AutoencoderData(Slopes(), Grid(1)), draws=8)
