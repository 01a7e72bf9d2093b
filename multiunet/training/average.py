"""Averages of a network's weights that training keeps."""

from __future__ import annotations

import copy

import torch
from torch import nn

from multiunet.training.power_average import PowerAverage
from multiunet.training.recipe import Recipe


class MovingAverage:
    """Exponential moving average of weights and statistics.

    Polyak & Juditsky 1992, "Acceleration of stochastic approximation by averaging"; decay ramp of TensorFlow.

    After ``t`` updates the decay is ``min(decay, (1 + t) / (10 + t))``, so that the first weights are soon forgotten.

    Attributes:
        net: the averaged network, in evaluation mode.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.net = copy.deepcopy(net).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, net: nn.Module, updates: int) -> None:
        """Move the average towards ``net``; ``updates`` is how many there were before."""
        keep = min(self.decay, (1 + updates) / (10 + updates))
        for mine, theirs in zip(self.net.state_dict().values(), net.state_dict().values()):
            if mine.is_floating_point():
                mine.lerp_(theirs.to(mine), 1 - keep)
            else:
                mine.copy_(theirs)


def make_averages(net: nn.Module, recipe: Recipe) -> dict[str, MovingAverage | PowerAverage]:
    """Make the averages that a recipe asks for, under the names that a checkpoint has for them.

    The first, ``average``, is validated and kept.
    """
    if recipe.ema:
        return {"average": MovingAverage(net, recipe.ema)}
    made = [PowerAverage(net, length) for length in recipe.power_averages]
    return {f"average-{place}" if place else "average": one for place, one in enumerate(made)}
