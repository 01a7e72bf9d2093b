"""Length of a training that ends by the clock."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from multiunet.training.length import Length, describe_gain, gains
from multiunet.training.recipe import Recipe
from multiunet.training.schedule import Schedule, schedule
from multiunet.training.state import State

PARTS = 10_000
"""Parts of the time by which the learning rate changes."""

MOST_KEPT_BACK = 0.5
"""Most of the time that is kept back for the last validation, as a share of the whole."""


@dataclass(frozen=True)
class Clock(Length):
    """Time that steps and validations of a training may take.

    Attributes:
        recipe: its ``minutes`` count, and its epochs do not.
        by_loss: whether the loss chooses the best epoch.

    The learning rate follows the share of the time that is over. As much time as the last validation took is kept back
    for the one at the end. Time before a process was stopped counts as far as its state was saved.
    """

    recipe: Recipe
    by_loss: bool = False

    @property
    def seconds(self) -> float:
        """Return the time that there is."""
        return 60 * (self.recipe.minutes or 0.0)

    def factor(self, state: State, step: int) -> float:
        return self._rate(min(PARTS, int(PARTS * state.clock / self._last_step(state))))

    def is_over(self, state: State, epochs: int) -> bool:
        return state.clock >= self._last_step(state)

    def look_at(self, state: State) -> str | None:
        if state.before is None and state.clock >= 0.75 * self._last_step(state):
            state.before = state.best
        return None

    def is_improving(self, state: State) -> bool:
        return gains(state, self.by_loss)

    def warn(self, state: State, monitor: str) -> str:
        gain = describe_gain(state, self.by_loss, "the time")
        longer = f"{2 * (self.recipe.minutes or 0.0):g} minutes"
        return f"validation {monitor} was still improving when the time was over{gain}; train longer, {longer}, say"

    @cached_property
    def _rate(self) -> Schedule:
        return schedule(self.recipe.schedule, PARTS, self.recipe.warmup)

    def _last_step(self, state: State) -> float:
        """Return after how many seconds no further step begins."""
        return self.seconds - min(state.scoring, MOST_KEPT_BACK * self.seconds)
