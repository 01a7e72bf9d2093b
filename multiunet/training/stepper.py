"""Steps of a training, whose parts the processes of a group share out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from multiunet.core import Geometry
from multiunet.device import pick_device
from multiunet.seeds import derive
from multiunet.tasks import Objective, Opponent
from multiunet.training.checkpoint import Checkpoint
from multiunet.training.compute import Compute
from multiunet.training.data import Sample, TrainingData
from multiunet.training.duel import Duel
from multiunet.training.fabric import make_fabric
from multiunet.training.loader import EpochSampler, make_loader, stop_workers
from multiunet.training.optimizer import make_optimizer
from multiunet.training.part_statistics import PartStatistics
from multiunet.training.player import Player
from multiunet.training.processes.group import Group, Order, Totals
from multiunet.training.recipe import Recipe
from multiunet.training.signals import hold_stop_signals
from multiunet.training.supervision import supervised_loss, supervised_outputs


class Stepper:
    """Network with its optimiser, batches and any opponent, as one process of a group steps them.

    A step has ``accumulate`` parts, a batch each. Of ``n`` processes, number ``r`` computes ``r, r + n, ...`` of them;
    gradients are added over all, and each process takes the same step. What a part is does not depend on who computes
    it: samples and dropout are seeded by its place, and norms find the statistics from before the step. So the result
    is that of one process, except that sums of more than two parts may differ in their last digits.

    Attributes:
        raw: the network, on its device.
        steps: of an epoch.
    """

    def __init__(
        self,
        net: nn.Module,
        task: Objective,
        geometry: Geometry[Any],
        data: TrainingData[Any],
        recipe: Recipe,
        opponent: Opponent | None,
        group: Group,
        before: dict[str, Any] | None,
    ) -> None:
        """Put the networks on the recipe's device.

        Args:
            before: what the training computed with so far (see ``Compute``); None: it is new.

        Raises:
            ValueError: when there are no data.
        """
        if not len(data):
            raise ValueError("there is nothing to train on: the data have no items")
        self.task, self.geometry, self.recipe, self.group = task, geometry, recipe, group
        device = pick_device(recipe.device)
        self.compute = Compute.choose(recipe, device, before)
        self.fabric = make_fabric(device, self.compute)
        self.raw = net.to(device)
        self.player = Player("model", "optimizer", net, make_optimizer(net, recipe), self.fabric)
        if getattr(net, "deep_supervision", 0) > 0:
            self.player.net.mark_forward_method("outputs")
        self.duel = None if opponent is None else Duel(opponent, self.fabric, device)
        self.players = [self.player] if self.duel is None else [self.player, self.duel.player]
        self.weights = [p for player in self.players for p in player.raw.parameters()]
        # with one part a step, the norms' own updates are all there is
        self.statistics = PartStatistics([player.raw for player in self.players] if recipe.accumulate > 1 else [])
        self.steps = recipe.steps(len(data))
        batches = self.steps * recipe.accumulate
        self.sampler = EpochSampler(len(data), recipe.batch_size, batches, recipe.seed, self.is_own)
        self.loader = make_loader(data, geometry, self.sampler, recipe.seed, recipe.workers)
        self._batches: Iterator[Sample[Any] | Exception] = iter(())

    def is_own(self, batch: int) -> bool:
        """Return whether this process computes a batch of an epoch."""
        return batch % self.recipe.accumulate % self.group.size == self.group.rank

    def stopping_workers(self) -> AbstractContextManager[None]:
        """Return the context at whose end the processes that load data end."""
        return stop_workers(self.loader)

    def begin(self, epoch: int, step: int) -> None:
        """Get ready for the steps of an epoch, from one of them on."""
        for player in self.players:
            player.raw.train()
        self.sampler.epoch, self.sampler.first = epoch, step * self.recipe.accumulate
        with hold_stop_signals():  # workers that are being started would die of them
            self._batches = iter(self.loader)

    def take(self, order: Order, signum: int | None) -> Totals:
        """Take an optimiser step together with the other processes.

        Args:
            signum: signal that has asked this process to stop; the others learn of it.
        """
        self.statistics.begin()
        totals = Totals.empty(self.recipe.accumulate, self.statistics.size, len(self.weights), self.group.size)
        for part in range(self.group.rank, self.recipe.accumulate, self.group.size):
            self._compute(order, part, totals)
        totals.note(self.group.rank, signum, [weight.grad is not None for weight in self.weights])
        self.group.add_up(totals)
        if self.recipe.accumulate > 1:
            self.statistics.apply(totals.changes)
        self.group.add_gradients([weight for weight, given in zip(self.weights, totals.given) if given])
        if self.duel is not None:
            self.duel.loss += sum(totals.opponent_losses.tolist())
        for player in self.players:
            player.step(order.rate, self.recipe.clip)
        return totals

    def _compute(self, order: Order, part: int, totals: Totals) -> None:
        """Compute the gradients of a part, which add to those that are there."""
        batch = next(self._batches)
        if isinstance(batch, Exception):
            raise batch
        # dropout and anything else that draws from torch's own generator is a function of seed, epoch, step and part
        torch.manual_seed(derive("step", self.recipe.seed, order.epoch, order.step, *([part] if part else [])))
        loss = self.loss(batch.to(self.fabric.device)) / self.recipe.accumulate
        self.fabric.backward(loss)
        totals.losses[part] = float(loss.detach())
        if self.duel is not None:
            totals.opponent_losses[part] = self.duel.judged
        if self.recipe.accumulate > 1:
            totals.changes[part] = self.statistics.take()

    def loss(self, batch: Sample[Any]) -> Tensor:
        """Return the loss of one batch."""
        outputs = supervised_outputs(self.player.net, batch)
        loss = supervised_loss(self.raw, self.task, self.geometry, outputs, batch)
        return loss if self.duel is None else loss + self.duel.oppose(outputs[0], batch, 1 / self.recipe.accumulate)

    def named_weights(self) -> dict[str, Tensor]:
        """Return weights and statistics of all networks, as a checkpoint names them."""
        return {name: tensor for player in self.players for name, tensor in player.weights().items()}

    def checkpoint(self) -> Checkpoint:
        """Return weights, statistics and the optimisers' state."""
        tensors = self.named_weights()
        about: dict[str, Any] = {"compute": asdict(self.compute)}
        if self.duel is not None:
            about["opponent_loss"] = self.duel.loss
        for player in self.players:
            slots, about[player.slots] = player.moments()
            tensors |= slots
        return Checkpoint(tensors, about)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take everything from a checkpoint."""
        for player in self.players:
            player.restore(checkpoint)
        if self.duel is not None:
            self.duel.loss = checkpoint.state["opponent_loss"]
