"""Progress of a training, as a checkpoint keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

Rank = tuple[float, float]
"""The validation score and minus its loss, so that tuples compare as networks do."""


@dataclass
class State:
    """Progress of a training; all else that matters is a function of it and of the seed.

    Attributes:
        epoch, step: complete epochs, and complete steps of the one under way.
        loss: sum of the losses of those steps.
        seconds: time spent on the steps of the epoch under way.
        best: the best validation score and minus its loss; None before the first.
        best_epoch: the epoch of the best score, from 0; -1 before the first.
        goal: epochs after which it ends, unless it goes on in another cycle; 0: as many as the recipe has.
        before: the best before the last quarter of the cycle or the time under way; None: none yet.
        clock: seconds of steps and validations so far, of a training by the clock.
        scoring: seconds of its last validation.
    """

    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    seconds: float = 0.0
    best: Rank | None = None
    best_epoch: int = -1
    goal: int = 0
    before: Rank | None = None
    clock: float = 0.0
    scoring: float = 0.0

    @classmethod
    def read(cls, known: Mapping[str, Any]) -> Self:
        """Return the state that a checkpoint holds."""
        ranks = {name: None if known.get(name) is None else tuple(known[name]) for name in ("best", "before")}
        return cls(**{**known, **ranks})
