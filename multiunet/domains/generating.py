"""Meaning of a generator's output: what makes new samples, and predicts nothing."""

from __future__ import annotations

from typing import NoReturn

import torch
from torch import Tensor

from multiunet.diffusion.objective import Denoising, Unmasking
from multiunet.tasks import Task


class Generating(Task):
    """Training of a generator, by which new samples are made.

    It has a loss and nothing else of a task: such a network predicts nothing that could be scored or calibrated.

    Args:
        names: of the channels, or of the classes of each site.
        objective: the loss.
    """

    kind = "generation"
    monitor = None

    def __init__(self, names: tuple[str, ...], objective: Denoising | Unmasking) -> None:
        self.names, self.channels = names, len(names)
        self.objective = objective

    def loss(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        return self.objective.loss(output, target, weight)

    def distribution(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output, and no variance."""
        return output, torch.zeros_like(output)

    def score(self, calibration: object = None) -> NoReturn:
        raise TypeError(NOTHING)

    def known_sites(self, moments: object, target: object) -> NoReturn:
        raise TypeError(NOTHING)

    def fit_calibration(self, held_out: object) -> NoReturn:
        raise TypeError(NOTHING)

    def decide(self, mean: Tensor, calibration: object = None) -> None:
        return None


NOTHING = "a generator predicts nothing that could be scored or calibrated"
