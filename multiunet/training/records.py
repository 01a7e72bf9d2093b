"""Storage for the log and the weights of a training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from multiunet.training.checkpoint import Checkpoint


class Records(ABC):
    """Storage that a training writes into: a run folder, or memory."""

    @abstractmethod
    def log(self, row: Mapping[str, Any]) -> None:
        """Add the results of an epoch."""

    @abstractmethod
    def save_last(self, checkpoint: Checkpoint) -> None:
        """Keep the state from which the training can be resumed."""

    @abstractmethod
    def save_best(self, checkpoint: Checkpoint) -> None:
        """Keep the weights that are the best so far."""

    @abstractmethod
    def save_average(self, checkpoint: Checkpoint) -> None:
        """Keep a snapshot of the power-function averages, after step ``checkpoint.state["step"]``."""

    @abstractmethod
    def save_kept(self, checkpoint: Checkpoint, most: int) -> None:
        """Keep the weights of an epoch, and of those before as many as make ``most`` in all."""


class MemoryRecords(Records):
    """Storage in memory, of weights alone.

    Attributes:
        best: the best weights by name; None before the first.
        kept: the weights of the last epochs, the oldest first, where the recipe keeps any.
    """

    def __init__(self) -> None:
        self.best: dict[str, Tensor] | None = None
        self.kept: list[dict[str, Tensor]] = []

    def log(self, row: Mapping[str, Any]) -> None:
        """Keep nothing: the caller's progress shows the row."""

    def save_last(self, checkpoint: Checkpoint) -> None:
        """Keep nothing: what is only in memory cannot be resumed."""

    def save_best(self, checkpoint: Checkpoint) -> None:
        self.best = _copied(checkpoint)

    def save_average(self, checkpoint: Checkpoint) -> None:
        """Keep nothing: lengths are chosen from the files of a run folder."""

    def save_kept(self, checkpoint: Checkpoint, most: int) -> None:
        self.kept = [*self.kept, _copied(checkpoint)][-most:]


def _copied(checkpoint: Checkpoint) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in checkpoint.part("model").items()}
