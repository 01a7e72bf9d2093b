"""Training of two networks against each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from multiunet.tasks import Opponent
from multiunet.training.data import Sample
from multiunet.training.player import Player


class Duel:
    """Training of an opponent beside a network, on the same batches.

    Attributes:
        player: the opponent, with Adam of the moments 0.5 and 0.999 (Isola et al. 2017, sec. 3.3).
        loss: sum of the opponent's losses in the steps of this epoch.
        judged: its loss of the last batch.
    """

    def __init__(self, opponent: Opponent, fabric: Fabric, device: torch.device) -> None:
        self.opponent, self._fabric = opponent, fabric
        net = opponent.net.to(device)
        optimizer = torch.optim.Adam(net.parameters(), opponent.lr, betas=(0.5, 0.999))
        self.player = Player("opponent", "opponent_optimizer", net, optimizer, fabric)
        self.loss = self.judged = 0.0

    def oppose(self, output: Any, batch: Sample[Any], share: float) -> Tensor:
        """Return the term that the network's loss gains, a scalar; the opponent learns from the batch.

        Args:
            share: of the batch in a step.
        """
        match = self.opponent.match(batch.field, output, batch.target, batch.weight)
        with _frozen(self.player.raw):
            term = self.opponent.fool(self.player.net, match)
        own = self.opponent.judge(self.player.net, match) * share
        self._fabric.backward(own)
        self.judged = float(own.detach())
        return term


@contextmanager
def _frozen(net: nn.Module) -> Iterator[None]:
    """Let gradients pass through a network without leaving any in it."""
    net.requires_grad_(False)
    try:
        yield
    finally:
        net.requires_grad_(True)
