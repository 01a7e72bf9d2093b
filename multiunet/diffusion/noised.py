"""Training data of generators: clean samples, with noise added as they are drawn."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from multiunet.core import Condition, Geometry
from multiunet.diffusion.guidance import can_be_left_out, leave_out_at_random
from multiunet.diffusion.parameterization import Parameterization
from multiunet.diffusion.process import Process
from multiunet.training.data import Sample, TrainingData

S = TypeVar("S")


class NoisedData(TrainingData[S], Generic[S]):
    """Training data that a process has spoilt, each draw to another degree.

    A clean sample says in ``target`` what is to be generated, and in the channels of ``field`` what the network is
    given beside it, as in regression: the field of a sample to which nothing is given has no channels,
    ``Sample(x[:, :0], target=x)``. Its condition (label, words, tokens, embedding) goes with it.

    Args:
        clean: the samples.
        geometry: of their fields.
        drop: share of the draws of whose label and caption nothing is said, for guidance; 0.1 is usual. Of draws that
            have both, as many again lack one of them.

    Raises:
        ValueError: when the share is not in [0, 1).
    """

    def __init__(self, clean: TrainingData[S], geometry: Geometry[S], drop: float = 0.0) -> None:
        if not 0 <= drop < 1:
            raise ValueError(f"drop {drop} must be in [0, 1): the share of samples without label and caption")
        self.clean, self.geometry, self.drop = clean, geometry, drop

    def __len__(self) -> int:
        return len(self.clean)

    def draw(self, item: int, rng: np.random.Generator) -> Sample[S]:
        sample = self.clean.draw(item, rng)
        if self.drop and sample.condition is not None and can_be_left_out(sample.condition):
            sample = replace(sample, condition=leave_out_at_random(sample.condition, self.drop, rng.random()))
        return self.spoil(sample, rng.random(), rng)

    @abstractmethod
    def spoil(self, sample: Sample[S], u: float, rng: np.random.Generator) -> Sample[S]:
        """Return what the network is trained on, of a clean sample.

        Args:
            u: in (0, 1), how much is spoilt: the quantile of the distribution of levels.
            rng: of the noise.
        """


class DiffusionData(NoisedData[S]):
    """Clean samples with Gaussian noise, for a network that becomes a ``Denoiser``.

    The loss is ``Denoising``; ``check_generator`` says whether a network can learn from it. A draw is
    ``x = data + sigma * noise``. The network is given ``into * x`` and, behind it, the given channels; its target is
    ``(data - skip * x) / out``, whose squared error has the weight that the process gives to that of ``D``. The level
    is part of the condition, ``Condition.noise``.

    Args:
        clean, geometry, drop: see ``NoisedData``; targets are ``(N, C, *space)`` or ``(nodes, C)``, of a deviation of
            about 1 (or of the ``sigma_data`` that parameterisation and process are given).
        parameterization: what the network predicts.
        process: which levels it learns.

    Raises:
        ValueError: when the share is not in [0, 1).
    """

    def __init__(
        self,
        clean: TrainingData[S],
        geometry: Geometry[S],
        parameterization: Parameterization,
        process: Process,
        drop: float = 0.0,
    ) -> None:
        super().__init__(clean, geometry, drop)
        self.parameterization, self.process = parameterization, process

    def spoil(self, sample: Sample[S], u: float, rng: np.random.Generator) -> Sample[S]:
        geometry, data = self.geometry, sample.target
        # one level for the whole draw; (0, 1) without its ends, where quantiles are infinite
        share = torch.tensor([min(max(u, 1e-7), 1 - 1e-7)], dtype=torch.float64)
        sigma = self.process.draw(share)
        scalings = self.parameterization.scalings(sigma)
        skip, out, into, told = (float(part) for part in scalings)
        noise = torch.from_numpy(rng.standard_normal(tuple(data.shape), dtype=np.float32)).to(data)
        x = data + float(sigma) * noise
        features = torch.cat([into * x, geometry.features(sample.field).to(x)], dim=1)
        weight = float(self.process.weight(sigma)) * out**2 * _site_weight(sample)
        return Sample(
            geometry.with_features(sample.field, features),
            (data - skip * x) / out,
            weight,
            _with_noise(sample.condition, told, geometry.batch_size(sample.field)),
        )


def _site_weight(sample: Sample[S]) -> Tensor:
    """Return the weights of a clean sample's sites, ``(N, *space)`` or ``(nodes,)``; ones where it has none."""
    return torch.ones_like(sample.target[:, 0]) if sample.weight is None else sample.weight


def _with_noise(condition: Condition | None, told: float, samples: int) -> Condition:
    return replace(condition or Condition(), noise=torch.full((samples,), told))
