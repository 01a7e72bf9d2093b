"""Meaning of a network's output."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

from multiunet.tasks.score import Score
from multiunet.uncertainty import Calibration, Moments
from multiunet.uncertainty.held_out import HeldOut


class Objective(Protocol):
    """Loss that ``fit`` makes smaller: all that training needs of a task."""

    def loss(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the training loss, a scalar, of outputs ``(N, channels, *space)`` or ``(nodes, channels)``."""


class Task(ABC):
    """One kind of output: its channels, its loss and its predictive distribution.

    Attributes:
        channels: how many channels the network must give.
        names: what the channels of a prediction are called (classes, tracks); their number may be smaller than
            ``channels`` (a mean and a variance are two channels of the network and one of the prediction).
        kind: ``"segmentation"`` or ``"regression"``; ``"generation"`` where nothing is predicted.
        monitor: the score that chooses the best epoch; higher is better, ties go to the lower loss; None: the loss.
        lowest, highest: least and greatest value that a quantity can have, 0 of counts; None: any.
    """

    channels: int
    names: tuple[str, ...]
    kind: str
    monitor: str | None
    lowest: float | None = None
    highest: float | None = None

    @abstractmethod
    def loss(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """The training loss, a scalar. ``output``: ``(N, channels, *space)`` or ``(nodes, channels)``."""

    @abstractmethod
    def distribution(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and (aleatoric) variance of each site and name, in the target's units.

        Both ``(N, len(names), *space)`` or ``(nodes, len(names))``.
        """

    def learn_from_scores(self, scores: Mapping[str, Any]) -> None:  # noqa: B027  most tasks have nothing to learn
        """Learn from a trained network's validation scores what its loss did not teach it."""

    @abstractmethod
    def score(self, calibration: Calibration | None = None) -> Score:
        """Return an empty score, to which an item's predictions are added.

        Args:
            calibration: of the predictions, whose intervals or sets are scored; None: they have none.
        """

    @abstractmethod
    def known_sites(self, moments: Moments[Tensor], target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean, total variance and target of the sites whose target is known, for ``fit_calibration``.

        Mean and variance are ``(sites, names)``, the target is ``(sites,)`` or ``(sites, names)``.

        Args:
            moments, target: see ``Score.add``.
        """

    @abstractmethod
    def fit_calibration(self, held_out: HeldOut) -> Calibration:
        """Fit a calibration of this task's predictions to held-out sites.

        Raises:
            ValueError: without sites.
        """

    @abstractmethod
    def decide(self, mean: Tensor, calibration: Calibration | None = None) -> Tensor | None:
        """Return the class of each site, ``(N, *space)`` or ``(nodes,)``; None for regression.

        Args:
            mean: predictive mean, ``(N, names, *space)`` or ``(nodes, names)``.
            calibration: of the prediction, which may hold thresholds of rare classes.
        """


def rows_of(values: Tensor) -> Tensor:
    """Return ``(N, names, *space)`` or ``(rows, names)`` as ``(sites, names)``."""
    return values.movedim(1, -1).reshape(-1, values.shape[1])
