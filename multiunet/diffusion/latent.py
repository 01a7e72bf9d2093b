"""Training data of generators that work in the latents of an autoencoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from multiunet.core import Autoencoder
from multiunet.seeds import generator
from multiunet.training.data import Sample, TrainingData

S = TypeVar("S")

DRAWS = 256
"""Draws of which the scale of latents is learnt, at least about."""


class AutoencoderData(TrainingData[S], Generic[S]):
    """Clean samples as input and target of an autoencoder, for ``fit`` with the loss ``Denoising``.

    Args:
        clean: the samples, as ``DiffusionData`` takes them: what is to be generated is their target.
        geometry: of their fields.
        scale: number that they are multiplied by, so that their deviation is about 1.
    """

    def __init__(self, clean: TrainingData[S], geometry: Any, scale: float = 1.0) -> None:
        self.clean, self.geometry, self.scale = clean, geometry, scale

    def __len__(self) -> int:
        return len(self.clean)

    def draw(self, item: int, rng: np.random.Generator) -> Sample[S]:
        sample = self.clean.draw(item, rng)
        target = self.scale * sample.target
        return Sample(self.geometry.with_features(sample.field, target), target, sample.weight)


class LatentData(TrainingData[S], Generic[S]):
    """Latents of clean samples, for ``DiffusionData`` to spoil.

    Args:
        clean: the samples; see ``AutoencoderData``, whose ``scale`` is that of the autoencoder's training.
        coder: a trained autoencoder, in evaluation mode.
        deviation: of the latents that are diffused; theirs is 1.
        coarsen: brings the channels that are given beside, ``(N, C, *space)``, to the latent's sites; None: nothing is
            given.
    """

    def __init__(
        self,
        clean: TrainingData[S],
        coder: Autoencoder[S],
        scale: float = 1.0,
        deviation: float = 1.0,
        coarsen: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.images = AutoencoderData(clean, coder.geometry, scale)
        self.coder, self.deviation, self.coarsen = coder, deviation, coarsen

    def __len__(self) -> int:
        return len(self.images)

    @torch.no_grad()
    def draw(self, item: int, rng: np.random.Generator) -> Sample[S]:
        geometry, clean = self.coder.geometry, self.images.clean.draw(item, rng)
        field = geometry.with_features(clean.field, self.images.scale * clean.target)
        latent = encode(self.coder, field)
        target = self.deviation * geometry.features(latent)
        given = geometry.features(clean.field)
        beside = target[:, :0] if self.coarsen is None else self.coarsen(given)
        return Sample(geometry.with_features(latent, beside), target, condition=clean.condition)


@torch.no_grad()
def encode(coder: Autoencoder[S], field: S) -> S:
    """Return the latent of a field in 32-bit numbers, on the device of the field."""
    home, device = coder.geometry.features(field).device, coder.centre.device
    moved: Any = field
    with torch.autocast(device.type, enabled=False):
        latent: Any = coder.encode(moved.to(device))
    return latent.to(home)  # type: ignore[no-any-return]


def learn_scale(coder: Autoencoder[S], data: AutoencoderData[S], draws: int = DRAWS, seed: int = 0) -> None:
    """Standardise an autoencoder's latents: mean 0 and deviation 1 in each channel over draws of the data.

    Raises:
        ValueError: when a channel of the latent is the same everywhere.
    """
    geometry, turns = coder.geometry, -(-draws // len(data))
    count = 0
    total, squares = (torch.zeros_like(coder.centre, dtype=torch.float64, device="cpu") for _ in range(2))
    coder.standardise(torch.zeros_like(coder.centre), torch.ones_like(coder.scale))
    for turn in range(turns):
        for item in range(min(len(data), draws)):
            drawn = data.draw(item, generator("latent scale", seed, turn, item))
            latent = geometry.features(encode(coder, drawn.field)).double().movedim(1, -1).flatten(0, -2)
            count += len(latent)
            total, squares = total + latent.sum(0), squares + latent.square().sum(0)
    centre = total / count
    coder.standardise(centre, (squares / count - centre.square()).clamp(min=0).sqrt())
