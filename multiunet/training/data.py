"""Samples, and the training data that they are drawn from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from multiunet.core import Condition

S = TypeVar("S")


@dataclass(frozen=True)
class Sample(Generic[S]):
    """Input, target and condition of a training step: one sample, or a batch of several.

    Attributes:
        field: the network's input, a batch of one or more.
        target: values that the task compares the output with; those of a batch are concatenated on axis 0.
        weight: weight of each site, ``(N, *space)`` or ``(nodes,)``; None: all sites count alike.
        condition: the network's conditioning inputs, one row a sample; None: the network is given none.

    Raises:
        TypeError: when the condition is something else, such as a tensor.
    """

    field: S
    target: Tensor
    weight: Tensor | None = None
    condition: Condition | None = None

    def __post_init__(self) -> None:
        if self.condition is not None and not isinstance(self.condition, Condition):
            kind = type(self.condition).__name__
            raise TypeError(f"condition is a {kind}; give a Condition, such as Condition(embedding=...)")

    def to(self, device: torch.device | str) -> Sample[S]:
        """Return the sample on a device, where its field can be moved there."""
        field: Any = self.field
        weight, condition = (None if part is None else part.to(device) for part in (self.weight, self.condition))
        return Sample(field.to(device), self.target.to(device), weight, condition)  # type: ignore[arg-type]


class TrainingData(ABC, Generic[S]):
    """Data set of items, from each of which samples are drawn with a random generator.

    A draw must depend on nothing but the item and the generator: that makes a resumed run equal to an uninterrupted one
    with any number of workers. Instances are sent to worker processes and so must be picklable.
    """

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of items; an epoch without ``steps_per_epoch`` draws each once."""

    @abstractmethod
    def draw(self, item: int, rng: np.random.Generator) -> Sample[S]:
        """Draw a sample of this item: choose its crop, its augmentation."""
