"""Pictures of single items of an evaluation: what a reader looks at to see where a network errs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from multiunet.domains.report.charts import Chart

if TYPE_CHECKING:
    from multiunet.domains.labelled import Piece

BEST, WORST = 2, 4
"""Items that are shown, of the highest and of the lowest scores."""


@dataclass(frozen=True)
class Scale:
    """Colour scale of a picture.

    Attributes:
        colours: name of the colour map: ``uncertainty`` runs from nothing to much, ``difference`` has 0 in its middle.
        low, high: what its ends mean, in words.
    """

    colours: Literal["uncertainty", "difference", "grey"]
    low: str
    high: str


@dataclass(frozen=True)
class Panel:
    """One picture of an item.

    Attributes:
        title: of what it is: ``truth``, say.
        content: bytes of a PNG or JPEG file, or a chart.
        words: what more is to be said of it.
        wide: takes the width of the page, as a chromosome does.
    """

    title: str
    content: bytes | Chart
    words: str = ""
    scale: Scale | None = None
    wide: bool = False


@dataclass(frozen=True)
class Case:
    """Item with its pictures.

    Attributes:
        name: of the item.
        words: what the pictures show of it: a section, every second pixel.
        legend: colours, CSS, of the classes in its pictures, by name.
        rank: ``best`` or ``worst``.
        score: that it was chosen by, in words.
    """

    name: str
    panels: Sequence[Panel]
    words: str = ""
    legend: Mapping[str, str] = field(default_factory=dict)
    rank: str = ""
    score: str = ""


class Album(ABC):
    """Collector of what is shown of items, while they are scored: of the best and the worst items alone."""

    def __init__(self) -> None:
        self._kept: dict[str, float] = {}

    @abstractmethod
    def add(self, piece: Piece) -> None:
        """Take what is shown of a piece."""

    @abstractmethod
    def drop(self, name: str) -> None:
        """Forget an item."""

    @abstractmethod
    def draw(self, names: Sequence[str]) -> list[Case]:
        """Draw items by their names; without names those that the album itself chooses, if any."""

    def close(self, name: str, score: float | None) -> None:
        """End an item, and forget what will not be shown.

        Args:
            score: that orders items, more of which is better; None: not defined.
        """
        if score is None:
            self.drop(name)
            return
        self._kept[name] = score
        ordered = sorted(self._kept, key=lambda one: self._kept[one])
        for other in ordered[WORST : max(WORST, len(ordered) - BEST)]:
            self.drop(other)
            del self._kept[other]


def choose_items(scores: Mapping[str, float]) -> dict[str, str]:
    """Return the items to show, each with ``worst`` or ``best``: the worst first, then the best.

    Args:
        scores: of each item, more of which is better.

    >>> choose_items({"a": 0.5, "b": 0.1})
    {'b': 'worst', 'a': 'best'}
    """
    ordered = sorted(scores, key=lambda name: scores[name])
    best = ordered[max(len(ordered) - BEST, (len(ordered) + 1) // 2) :][::-1]
    return dict.fromkeys(ordered[: min(WORST, len(ordered) - len(best))], "worst") | dict.fromkeys(best, "best")
