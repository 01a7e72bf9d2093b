"""Statements of a prediction beside its moments: intervals of quantities, sets of classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from multiunet.uncertainty.conformal import (
    SetMethod,
    make_interval,
    make_label_sets,
    make_sets,
    score_classes,
)
from multiunet.uncertainty.moments import Moments

SLAB = 1 << 22
"""Probabilities that are sorted at once, which takes five times their memory."""


class Statement(ABC):
    """Statement on each site, made of its moments alone, so that tiles agree with the whole.

    Attributes:
        variables: arrays that it adds to a stored prediction.
        dtype: their type.
    """

    variables: ClassVar[tuple[str, ...]]
    dtype: ClassVar[str]

    @abstractmethod
    def compute(self, moments: Moments[Tensor], edge_index: Tensor | None = None) -> dict[str, Tensor]:
        """Return its variables, each as the moments are: ``(N, names, *space)`` or ``(rows, names)``.

        Args:
            edge_index: of a graph the edges between its rows, ``(2, edges)``.
        """

    @abstractmethod
    def attributes(self) -> dict[str, Any]:
        """Return what a stored prediction says of it, plain JSON."""


def state(
    statements: Sequence[Statement], moments: Moments[Tensor], edge_index: Tensor | None = None
) -> dict[str, Tensor]:
    """Return the variables of all statements by name, each of the shape of the moments.

    Args:
        moments: ``(N, names, *space)`` or ``(rows, names)``.
        edge_index: see ``Statement.compute``.
    """
    found = (statement.compute(moments, edge_index) for statement in statements)
    return {name: value for variables in found for name, value in variables.items()}


def describe(statements: Sequence[Statement]) -> dict[str, Any]:
    """Return what a stored prediction says of all statements, plain JSON."""
    return {key: value for statement in statements for key, value in statement.attributes().items()}


@dataclass(frozen=True)
class Interval(Statement):
    """Interval of each quantity: ``lower`` and ``upper``.

    Args:
        level: probability that it holds the truth.
        multipliers: half width of each quantity's interval in standard deviations.
        lowest, highest: smallest and largest value that there can be (0 for counts), at which intervals end; None: any.
    """

    variables = "lower", "upper"
    dtype = "float32"

    level: float
    multipliers: Sequence[float]
    lowest: float | None = None
    highest: float | None = None

    def compute(self, moments: Moments[Tensor], edge_index: Tensor | None = None) -> dict[str, Tensor]:
        lower, upper = make_interval(moments.mean, moments.total, self.multipliers)
        if self.lowest is not None:
            lower = lower.clamp(min=self.lowest)
        return {"lower": lower, "upper": upper if self.highest is None else upper.clamp(max=self.highest)}

    def attributes(self) -> dict[str, Any]:
        return {"interval": self.level, "interval_multipliers": list(self.multipliers)}


@dataclass(frozen=True)
class ClassSet(Statement):
    """Set of the classes that each site may have: ``set``, yes or no for each class.

    Args:
        level: probability that it holds the true class.
        method: score that it is made of; ``daps`` needs the edges of a graph.
        limit: largest score of a class in the set.
    """

    variables = ("set",)
    dtype = "bool"

    level: float
    method: SetMethod
    limit: float

    def compute(self, moments: Moments[Tensor], edge_index: Tensor | None = None) -> dict[str, Tensor]:
        if self.method == "daps":
            return {"set": self._make(moments.mean, edge_index)}
        row = max(1, moments.mean.numel() // max(1, moments.mean.shape[-1]))
        slabs = moments.mean.split(max(1, SLAB // row), dim=-1) if moments.mean.ndim > 2 else [moments.mean]
        return {"set": torch.cat([self._make(slab) for slab in slabs], dim=-1)}

    def _make(self, probabilities: Tensor, edge_index: Tensor | None = None) -> Tensor:
        return make_sets(score_classes(self.method, probabilities, edge_index), self.limit, probabilities)

    def attributes(self) -> dict[str, Any]:
        return {"sets": self.level, "set_method": self.method, "set_limit": self.limit}


@dataclass(frozen=True)
class LabelSet(Statement):
    """Set of the labels that each site may have, of labels that do not exclude each other: ``set``.

    Args:
        level: probability that a label which a site has is in its set, label by label.
        limits: of each label the largest ``1 - p`` in the set.
    """

    variables = ("set",)
    dtype = "bool"

    level: float
    limits: Sequence[float]

    def compute(self, moments: Moments[Tensor], edge_index: Tensor | None = None) -> dict[str, Tensor]:
        return {"set": make_label_sets(moments.mean, self.limits)}

    def attributes(self) -> dict[str, Any]:
        return {"sets": self.level, "set_method": "lac", "set_limit": list(self.limits)}
