"""The moving average of a network's weights."""

from __future__ import annotations

import copy

import torch
from torch import nn


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
