"""Candidates compared on what they validated on: one of them, or an ensemble, is chosen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import t as student

from multiunet.domains.labelled import Piece

CONFIDENCE = 0.95
"""Of the intervals of differences."""


@dataclass(frozen=True)
class Difference:
    """Paired difference of two candidates, the chosen one minus another, over items that both score.

    Attributes:
        to: the other candidate.
        mean: over items, in units of the score.
        interval: Student's interval of the mean at ``CONFIDENCE``; None for fewer than two items.
        better: number of items in which the chosen one is better.
        items: number of all.
    """

    to: str
    mean: float
    interval: tuple[float, float] | None
    better: int
    items: int

    @property
    def is_clear(self) -> bool:
        """Return whether the interval does not hold zero."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


@dataclass(frozen=True)
class Candidate:
    """Run, folds or ensemble, with its scores on validation.

    Attributes:
        runs: folders as they were named; of several an ensemble.
        score: over all items; None where it is undefined.
        items: score of each item by name.
        members: number of candidates that it is made of.
    """

    runs: tuple[str, ...]
    score: float | None
    items: Mapping[str, float | None]
    members: int

    @property
    def name(self) -> str:
        """Return the folders, joined."""
        return " + ".join(self.runs)

    @property
    def mean(self) -> float | None:
        """Return the mean over the items that have a score; None without any."""
        known = [value for value in self.items.values() if value is not None]
        return math.fsum(known) / len(known) if known else None


@dataclass(frozen=True)
class Comparison:
    """Candidates, the best first, and how much better the first is than each other.

    Attributes:
        monitor: the score over all items, which chooses; higher is better.
        measure: what an item's score is.
        folds: runs of each candidate that were scored on splits of their own.
        left_out: ensembles that cannot be, and why.
    """

    domain: str
    scored: str
    prediction: str
    monitor: str
    measure: str
    candidates: tuple[Candidate, ...]
    differences: tuple[Difference, ...]
    folds: int = 1
    left_out: tuple[str, ...] = ()

    @property
    def chosen(self) -> Candidate:
        """Return the candidate of the best score."""
        return self.candidates[0]

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as plain JSON."""
        rows = [{"name": one.name, "mean": one.mean, **asdict(one)} for one in self.candidates]
        own = {name: value for name, value in vars(self).items() if name not in ("candidates", "differences")}
        return {
            **own,
            "left_out": list(self.left_out),
            "candidates": rows,
            "differences": [asdict(one) | {"is_clear": one.is_clear} for one in self.differences],
            "chosen": list(self.chosen.runs),
        }


def rank(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return candidates, the best score first, of equal ones that of fewer networks; undefined ones last."""
    return sorted(candidates, key=lambda one: (-math.inf if one.score is None else one.score, -one.members))[::-1]


def pair(first: Candidate, other: Candidate) -> Difference:
    """Return the paired difference of two candidates' items.

    The interval is ``mean +- t sd / sqrt(n)``, of Student's t with n - 1 degrees of freedom: it takes items for
    independent, which those of one specimen are not.
    """
    values = [
        value - there
        for name, value in first.items.items()
        if value is not None and (there := other.items.get(name)) is not None
    ]
    found = np.array(values)
    if not len(found):
        return Difference(other.name, math.nan, None, 0, 0)
    mean, better, interval = float(found.mean()), int((found > 0).sum()), None
    if len(found) > 1:
        half = float(student.ppf((1 + CONFIDENCE) / 2, len(found) - 1) * found.std(ddof=1) / math.sqrt(len(found)))
        interval = (mean - half, mean + half)
    return Difference(other.name, mean, interval, better, len(found))


class RowScores:
    """Scores of rows without an item, such as nodes: 1 or 0 of a class, minus the error of quantities."""

    def __init__(self, ignore_index: int) -> None:
        self.ignore_index = ignore_index
        self.values: list[float | None] = []
        self.measure = "accuracy"

    def watch(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        """Pass pieces on, and score the rows of those without an item."""
        for piece in pieces:
            if piece.item is None:
                self._add(piece)
            yield piece

    def _add(self, piece: Piece) -> None:
        target, predicted = piece.target.cpu(), piece.predicted.detach().cpu()
        if target.is_floating_point():
            self.measure = "minus the mean absolute error"
            errors = (predicted - target.reshape(predicted.shape)).abs().flatten(1)
            self.values += [None if math.isnan(value) else -value for value in torch.nanmean(errors, 1).tolist()]
        else:
            right = (predicted.argmax(1) == target).flatten().tolist()
            known = (target != self.ignore_index).flatten().tolist()
            self.values += [float(value) if counts else None for value, counts in zip(right, known)]
