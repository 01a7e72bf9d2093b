"""Length of a training in epochs, which goes on while validation still improves."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from multiunet.training.length import Length, describe_gain, gains
from multiunet.training.recipe import Recipe
from multiunet.training.schedule import Schedule, schedule
from multiunet.training.state import State


@dataclass(frozen=True)
class Cycles(Length):
    """Cycles of a training, each as long as all before it together.

    In each, the learning rate rises and falls as in a training of that length (warm restarts: Loshchilov & Hutter 2017,
    "SGDR", with ``T_mult`` = 2 from the second on). At the end of a cycle, the training goes on if the best score was
    found in the cycle's last quarter, and is better than the best before by ``GAIN``. So its length follows from scores
    that its state keeps, and it can be resumed exactly.

    Attributes:
        ends: epochs complete at the end of each cycle, such as (30, 60, 120, 240).
        by_loss: whether the loss chooses the best epoch.
        steps: of an epoch.
    """

    ends: tuple[int, ...]
    by_loss: bool = False
    recipe: Recipe = field(default_factory=Recipe)
    steps: int = 1

    @classmethod
    def of(cls, recipe: Recipe, monitor: str | None, steps: int) -> Cycles:
        """Return the cycles of a recipe: one of its ``epochs``, and others up to ``most_epochs``."""
        ends, most = [recipe.epochs], recipe.most_epochs or recipe.epochs
        while ends[-1] < most:
            ends.append(min(2 * ends[-1], most))
        return cls(tuple(ends), monitor is None, recipe, steps)

    @cached_property
    def rate(self) -> Schedule:
        """Return the factor of the learning rate by step of the whole training."""
        starts = (0, *self.ends)
        parts = [
            (self.steps * start, schedule(self.recipe.schedule, self.steps * (end - start), self.recipe.warmup))
            for start, end in zip(starts, self.ends)
        ]

        def factor(step: int) -> float:
            first, rate = next(part for part in reversed(parts) if step >= part[0])
            return rate(step - first)

        return factor

    def factor(self, state: State, step: int) -> float:
        return self.rate(state.epoch * self.steps + step)

    def is_over(self, state: State, epochs: int) -> bool:
        return epochs >= state.goal

    def look_at(self, state: State) -> str | None:
        start, end = self._cycle_of(state.epoch - 1)
        if state.epoch == end - max(1, (end - start) // 4):
            state.before = state.best
        if state.epoch != end or end == self.ends[-1] or not self.is_improving(state):
            return None
        state.goal = self.ends[self.ends.index(end) + 1]
        return f"validation still improves{self._gain(state)}; going on to epoch {state.goal}, at most {self.ends[-1]}"

    def is_improving(self, state: State) -> bool:
        """Return whether the last quarter of the cycle that has just ended made the network clearly better."""
        start, end = self._cycle_of(state.epoch - 1)
        return state.best_epoch >= end - max(1, (end - start) // 4) and gains(state, self.by_loss)

    def warn(self, state: State, monitor: str) -> str:
        return (
            f"validation {monitor} was still improving at the last epoch{self._gain(state)}; train longer, "
            f"{2 * state.epoch} epochs, say"
        )

    def _gain(self, state: State) -> str:
        return describe_gain(state, self.by_loss, "its epochs")

    def _cycle_of(self, epoch: int) -> tuple[int, int]:
        """Return begin and end of the cycle that an epoch, from 0, is in."""
        starts = (0, *self.ends)
        return next((start, end) for start, end in zip(starts, self.ends) if epoch < end)
