"""Group of processes that takes the steps of one training together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from multiunet.training.checkpoint import Checkpoint


@dataclass(frozen=True)
class Order:
    """Step that the first process has all others take.

    Attributes:
        rate: share of the peak learning rate.
        kind: ``end`` says that the training is over.
    """

    epoch: int
    step: int
    rate: float
    kind: Literal["step", "end"] = "step"


@dataclass(frozen=True)
class Totals:
    """Results of a step that the processes add up; each fills in its own part of the zeros.

    Attributes:
        losses: of each part, divided by their number, ``(parts,)``.
        opponent_losses: likewise.
        changes: what each part changes in the statistics of norms, ``(parts, size)``.
        gradients: processes that have a gradient for each parameter, ``(parameters,)``.
        signals: number of the signal that asked each process to stop, ``(processes,)``; 0: none.
    """

    losses: Tensor
    opponent_losses: Tensor
    changes: Tensor
    gradients: Tensor
    signals: Tensor

    @classmethod
    def empty(cls, parts: int, size: int, parameters: int, processes: int) -> Totals:
        """Return zeros."""
        shapes = ((parts,), (parts,), (parts, size), (parameters,), (processes,))
        return cls(*(torch.zeros(shape, dtype=torch.float64) for shape in shapes))

    def note(self, rank: int, signum: int | None, given: Sequence[bool]) -> None:
        """Fill in the signal that this process got, and which parameters have a gradient here."""
        self.signals[rank] = signum or 0
        self.gradients.copy_(torch.tensor(given, dtype=torch.float64))

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Return all of it."""
        return self.losses, self.opponent_losses, self.changes, self.gradients, self.signals

    @property
    def loss(self) -> float:
        """Return the mean loss of the parts, added up in their order."""
        return float(sum(self.losses.tolist()))

    @property
    def given(self) -> list[bool]:
        """Return for each parameter whether any process has a gradient."""
        return [count > 0 for count in self.gradients.tolist()]

    @property
    def signum(self) -> int | None:
        """Return the signal that asked a process to stop; None: none did."""
        return int(self.signals.max()) or None


class Group(ABC):
    """Processes that train one network; the first of them, number 0, leads.

    Attributes:
        rank: number of this process, from 0.
        size: number of processes.
        device: of this process, by its name; None: as the recipe says.
    """

    rank: int
    size: int
    device: str | None

    @property
    def leads(self) -> bool:
        """Return whether this process validates, saves and decides."""
        return self.rank == 0

    @abstractmethod
    def send_job(self, job: Mapping[str, Any]) -> None:
        """Tell all others what is trained next, plain JSON."""

    @abstractmethod
    def start(self, checkpoint: Checkpoint) -> None:
        """Give all others the state that the training begins with."""

    @abstractmethod
    def order(self, order: Order) -> None:
        """Tell all others to take a step, or to end the training."""

    @abstractmethod
    def add_up(self, totals: Totals) -> None:
        """Add what all processes tell of a step, in place."""

    @abstractmethod
    def add_gradients(self, weights: Sequence[Tensor]) -> None:
        """Add the gradients of these parameters over all processes, in place; a missing one is zero."""


class Alone(Group):
    """One process that takes all steps by itself."""

    rank, size, device = 0, 1, None

    def send_job(self, job: Mapping[str, Any]) -> None:
        """Tell nothing: nobody else is there."""

    def start(self, checkpoint: Checkpoint) -> None:
        """Give nothing."""

    def order(self, order: Order) -> None:
        """Order nothing."""

    def add_up(self, totals: Totals) -> None:
        """Leave the totals as they are."""

    def add_gradients(self, weights: Sequence[Tensor]) -> None:
        """Leave the gradients as they are."""
