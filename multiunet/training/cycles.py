"""Length of a training that goes on while validation still improves."""

from __future__ import annotations

from dataclasses import dataclass

from multiunet.training.recipe import Recipe
from multiunet.training.schedule import Schedule, schedule
from multiunet.training.state import Rank, State
from multiunet.wording import figure

GAIN = 0.005
"""Least gain of the score in the last quarter of a cycle that makes it worth another one; of a loss, its share."""


@dataclass(frozen=True)
class Cycles:
    """Cycles of a training, each as long as all before it together.

    In each, the learning rate rises and falls as in a training of that length (warm restarts: Loshchilov & Hutter 2017,
    "SGDR", with ``T_mult`` = 2 from the second on). At the end of a cycle, the training goes on if the best score was
    found in the cycle's last quarter, and is better than the best before by ``GAIN``. So its length follows from scores
    that its state keeps, and it can be resumed exactly.

    Attributes:
        ends: epochs complete at the end of each cycle, such as (30, 60, 120, 240).
        by_loss: whether the loss chooses the best epoch.
    """

    ends: tuple[int, ...]
    by_loss: bool = False

    @classmethod
    def of(cls, recipe: Recipe, monitor: str | None) -> Cycles:
        """Return the cycles of a recipe: one of its ``epochs``, and others up to ``most_epochs``."""
        ends, most = [recipe.epochs], recipe.most_epochs or recipe.epochs
        while ends[-1] < most:
            ends.append(min(2 * ends[-1], most))
        return cls(tuple(ends), monitor is None)

    def rate(self, recipe: Recipe, steps: int) -> Schedule:
        """Return the factor of the learning rate by step, for so many steps an epoch."""
        starts = (0, *self.ends)
        parts = [
            (steps * start, schedule(recipe.schedule, steps * (end - start), recipe.warmup))
            for start, end in zip(starts, self.ends)
        ]

        def factor(step: int) -> float:
            first, rate = next(part for part in reversed(parts) if step >= part[0])
            return rate(step - first)

        return factor

    def look_at(self, state: State) -> str | None:
        """Note how good a state is when its cycle's last quarter begins, and at the end whether it goes on.

        Args:
            state: after a complete epoch; its goal and what it remembers may change.

        Returns:
            What there is to say; None: nothing.
        """
        start, end = self._cycle_of(state.epoch - 1)
        if state.epoch == end - max(1, (end - start) // 4):
            state.before = state.best
        if state.epoch != end or end == self.ends[-1] or not self.is_improving(state):
            return None
        state.goal = self.ends[self.ends.index(end) + 1]
        return f"validation {self._gain(state)}; going on to epoch {state.goal}, at most {self.ends[-1]}"

    def is_improving(self, state: State) -> bool:
        """Return whether the last quarter of the cycle that has just ended made the network clearly better."""
        start, end = self._cycle_of(state.epoch - 1)
        if state.best is None or state.before is None or state.best_epoch < end - max(1, (end - start) // 4):
            return False
        best, before = self._value(state.best), self._value(state.before)
        return best - before >= GAIN * (abs(before) if self.by_loss else 1)

    def warn(self, state: State, monitor: str) -> str:
        """Return words on a training that ended while it still improved."""
        return (
            f"validation {monitor} was still improving at the last epoch{self._since(state)}; train longer, "
            f"{2 * state.epoch} epochs, say"
        )

    def _gain(self, state: State) -> str:
        return f"still improves{self._since(state)}"

    def _since(self, state: State) -> str:
        if state.best is None or state.before is None:
            return ""
        best, before = (
            abs(self._value(rank)) if self.by_loss else self._value(rank) for rank in (state.best, state.before)
        )
        return f" ({figure(before)}, then {figure(best)} in the last quarter of its epochs)"

    def _value(self, rank: Rank) -> float:
        return rank[1] if self.by_loss else rank[0]

    def _cycle_of(self, epoch: int) -> tuple[int, int]:
        """Return begin and end of the cycle that an epoch, from 0, is in."""
        starts = (0, *self.ends)
        return next((start, end) for start, end in zip(starts, self.ends) if epoch < end)
