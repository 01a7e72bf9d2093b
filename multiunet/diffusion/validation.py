"""Validation of generators: the loss on other samples, with noise that is always the same."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from multiunet.diffusion.denoiser import check_generator
from multiunet.diffusion.noised import NoisedData
from multiunet.diffusion.objective import Denoising, Unmasking
from multiunet.seeds import generator, permutation
from multiunet.training.data import Sample
from multiunet.training.loader import Collate
from multiunet.training.supervision import supervised_outputs


class NoisedValidator:
    """Validator for ``fit``: the loss of a network on samples that are spoilt alike in every epoch.

    The levels are spread evenly over their distribution, and shared out among the samples at random; so a few draws of
    each tell networks apart that differ little.

    Args:
        data: samples of the validation split; nothing of their conditions is left out.
        objective: the loss.
        turns: draws of each sample.
        batch_size: draws a forward.
        seed: of crops, levels and noise.
    """

    def __init__(
        self,
        data: NoisedData[Any],
        objective: Denoising | Unmasking,
        turns: int = 4,
        batch_size: int = 16,
        seed: int = 0,
    ) -> None:
        self.data, self.objective = data, objective
        self.turns, self.batch_size, self.seed = turns, batch_size, seed

    def __call__(self, net: nn.Module) -> dict[str, float]:
        """Return the ``loss``, and of masked data the bound on the ``perplexity``.

        Raises:
            ValueError: when there are no samples, or the network has batch normalisation.
        """
        check_generator(net)
        device = next((parameter.device for parameter in net.parameters()), torch.device("cpu"))
        total, values = 0.0, 0
        for batch in self._batches():
            moved = batch.to(device)
            output = self.data.geometry.features(supervised_outputs(net, moved)[0])
            count = moved.target.numel()
            total += float(self.objective.loss(output, moved.target, moved.weight)) * count
            values += count
        if not values:
            raise ValueError("there is nothing to validate on: the data have no items")
        loss = total / values
        return {"loss": loss, "perplexity": math.exp(loss)} if isinstance(self.objective, Unmasking) else {"loss": loss}

    def _batches(self) -> Iterator[Sample[Any]]:
        count, collate = len(self.data) * self.turns, Collate(self.data.geometry)
        ranks = permutation(count, "validation levels", self.seed)
        for first in range(0, count, self.batch_size):
            draws = range(first, min(first + self.batch_size, count))
            batch = collate([self._draw(draw, (int(ranks[draw]) + 0.5) / count) for draw in draws])
            assert isinstance(batch, Sample)
            yield batch

    def _draw(self, draw: int, u: float) -> Sample[Any]:
        rng = generator("validation draw", self.seed, draw)
        return self.data.spoil(self.data.clean.draw(draw % len(self.data), rng), u, rng)
