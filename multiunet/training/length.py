"""Length of a training, and the learning rate that follows from it."""

from __future__ import annotations

from abc import ABC, abstractmethod

from multiunet.training.state import Rank, State
from multiunet.wording import figure

GAIN = 0.005
"""Least gain of the score in the last quarter of a training that makes it worth going on; of a loss, its share."""


class Length(ABC):
    """Rule for how long a training is: by epochs or by the clock."""

    @abstractmethod
    def factor(self, state: State, step: int) -> float:
        """Return the factor of the peak learning rate at this step of the epoch under way."""

    @abstractmethod
    def is_over(self, state: State, epochs: int) -> bool:
        """Return whether the training ends with so many complete epochs, or, by the clock, within the next."""

    @abstractmethod
    def look_at(self, state: State) -> str | None:
        """Note what is to be remembered after a complete epoch, whose state may change.

        Returns:
            What there is to say; None: nothing.
        """

    @abstractmethod
    def is_improving(self, state: State) -> bool:
        """Return whether the last quarter of what has just ended made the network clearly better."""

    @abstractmethod
    def warn(self, state: State, monitor: str) -> str:
        """Return words on a training that ended while it still improved."""


def gains(state: State, by_loss: bool) -> bool:
    """Return whether the best is better than the best before the last quarter by ``GAIN``.

    Args:
        by_loss: whether the loss chooses the best.
    """
    if state.best is None or state.before is None:
        return False
    best, before = _value(state.best, by_loss), _value(state.before, by_loss)
    return best - before >= GAIN * (abs(before) if by_loss else 1)


def describe_gain(state: State, by_loss: bool, quarter: str) -> str:
    """Return both values in words, behind a blank; nothing where one is unknown.

    Args:
        quarter: of what: "its epochs".
    """
    if state.best is None or state.before is None:
        return ""
    best, before = (
        abs(_value(rank, by_loss)) if by_loss else _value(rank, by_loss) for rank in (state.best, state.before)
    )
    return f" ({figure(before)}, then {figure(best)} in the last quarter of {quarter})"


def _value(rank: Rank, by_loss: bool) -> float:
    return rank[1] if by_loss else rank[0]
