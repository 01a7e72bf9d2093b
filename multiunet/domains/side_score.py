"""Interface of scores that a domain adds to those of its task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

from multiunet.domains.labelled import Piece


class SideScore(ABC):
    """Score that a domain adds to the task's score of all sites, such as that of chosen places."""

    @abstractmethod
    def add(self, piece: Piece) -> None:
        """Add a piece of an item; pieces follow each other as they are predicted."""

    @abstractmethod
    def merge(self, other: Self) -> None:
        """Add what another score of the same kind has: that of another fold."""

    @abstractmethod
    def result(self) -> Mapping[str, Any]:
        """Return scores by name, as a task's score does."""
