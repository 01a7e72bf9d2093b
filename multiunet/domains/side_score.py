"""Interface of scores that a domain adds to those of its task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

from multiunet.domains.domain import Piece


class SideScore(ABC):
    """Score of a domain's own, of places that its predictions lie at, beside the task's score of all sites."""

    @abstractmethod
    def add(self, piece: Piece) -> None:
        """Add a piece of an item; pieces follow each other as they are predicted."""

    @abstractmethod
    def merge(self, other: Self) -> None:
        """Add what another score of the same kind has: that of another fold."""

    @abstractmethod
    def result(self) -> Mapping[str, Any]:
        """Return scores by name, as a task's score does."""
