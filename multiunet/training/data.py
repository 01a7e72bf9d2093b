"""What the training loop draws from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from torch import Tensor

S = TypeVar("S")


@dataclass(frozen=True)
class Sample(Generic[S]):
    """A field and what the network should make of it; also a batch of such.

    Attributes:
        field: the input, a batch of one or more.
        target: what the task compares the output with; samples of a batch are concatenated on axis 0.
        weight: per-site weights ``(N, *space)`` or ``(nodes,)``; None: all sites count alike.
    """

    field: S
    target: Tensor
    weight: Tensor | None = None


class TrainingData(ABC, Generic[S]):
    """Items that samples are drawn from, each draw with its own generator.

    A draw must depend on nothing but the item and the generator: that makes a resumed run equal to an uninterrupted one
    with any number of workers. Instances are sent to worker processes and so must be picklable.
    """

    @abstractmethod
    def __len__(self) -> int:
        """How many items there are; a pass without ``steps_per_epoch`` draws each once."""

    @abstractmethod
    def draw(self, item: int, rng: np.random.Generator) -> Sample[S]:
        """A sample of this item: its crop, its augmentation."""
