"""What a domain does, from files to a trained model and back to files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from torch import nn

from multiunet.core import Geometry
from multiunet.domains.config import EvaluateOptions, PredictOptions, TrainConfig
from multiunet.prediction import PredictionStore
from multiunet.progress import Progress
from multiunet.tasks import Task
from multiunet.training.data import TrainingData

C = TypeVar("C", bound=TrainConfig)
P = TypeVar("P", bound=PredictOptions)

Facts = dict[str, Any]
"""What inspection learnt from the data and later steps need (classes, channels, intensities, split). Plain JSON."""

Validator = Callable[[nn.Module], Mapping[str, Any]]
"""Scores a network on the validation split; called with the network in evaluation mode and gradients off. Scores are
numbers, None where undefined, or lists of such by class or by quantity."""


@dataclass(frozen=True)
class Model:
    """A network with the meaning of its input (geometry) and of its output (task)."""

    net: nn.Module
    task: Task
    geometry: Geometry[Any]


@dataclass(frozen=True)
class Report:
    """Scores of a model, beside those of trivial methods on the same data.

    Attributes:
        scored: on what: ``test split``, say, or a folder.
    """

    domain: str
    scored: str
    metrics: Mapping[str, Any]
    baselines: Mapping[str, Mapping[str, Any]]
    items: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


class Domain(ABC, Generic[C, P]):
    """A user's world. One instance serves one command; it may keep what it has read."""

    name: str
    monitor: str
    """The validation score that chooses the best checkpoint; higher is better. Ties go to the lower ``loss``."""
    shared_facts: tuple[str, ...] = ()
    """What the facts of runs that predict together must agree in: what the input means and the outputs are called."""

    def shared(self, facts: Facts) -> dict[str, Any]:
        """What of a run's facts those of others that predict with it must agree in."""
        return {name: facts.get(name) for name in self.shared_facts}

    def reading_like(self, net: nn.Module, facts: Facts, first: Facts) -> nn.Module:
        """The network of a run with these facts, for input as the first run reads it; by default they read alike."""
        return net

    @abstractmethod
    def inspect(self, config: C) -> Facts:
        """Reads and checks all data that training needs; writes nothing.

        Raises:
            InputError: for anything that would make training fail or its result meaningless.
        """

    def plan(self, config: C, facts: Facts, before: Facts | None) -> tuple[C, Facts]:
        """Settings with everything decided that they leave open, and the facts with what was decided and why.

        Args:
            before: the facts of the run that goes on, which stays what it was; None: a new one.

        Raises:
            InputError: for what cannot be: given settings that do not fit, too little memory.
        """
        return config, facts

    @abstractmethod
    def build(self, config: C, facts: Facts) -> Model:
        """The untrained model. Needs no data, so that prediction can rebuild it from a run folder."""

    @abstractmethod
    def training_data(self, config: C, facts: Facts, model: Model) -> TrainingData[Any]:
        """What the loop draws samples from."""

    @abstractmethod
    def validator(self, config: C, facts: Facts, model: Model) -> Validator | None:
        """How a network is scored on the validation split; its result has the keys ``loss`` and ``monitor``. None:
        there is no such split."""

    @abstractmethod
    def inputs(self, config: C, facts: Facts, options: P) -> list[str]:
        """The names of what ``predict`` would predict; reads and checks it all, writes nothing.

        Raises:
            InputError: for an input that cannot be predicted.
        """

    @abstractmethod
    def predict(
        self, model: Model, config: C, facts: Facts, options: P, store: PredictionStore, progress: Progress
    ) -> None:
        """Predicts everything that ``options`` names into the store, and tells ``progress`` how far it is."""

    @abstractmethod
    def export(self, prediction: Path, folder: Path, facts: Facts, options: P | None = None) -> list[Path]:
        """Writes a finished prediction in the domain's own formats; returns the files.

        Args:
            options: of the prediction, where they say what is to be written; None: what is by default.
        """

    @abstractmethod
    def evaluate(self, model: Model, config: C, facts: Facts, options: EvaluateOptions) -> Report:
        """Scores the model and trivial baselines on a split.

        Raises:
            InputError: where there is nothing to score on.
        """

    def evaluate_elsewhere(self, model: Model, runs: Mapping[str, tuple[C, Facts]], options: Any) -> Report:
        """Scores the model and trivial baselines on other data, which the options name.

        Only where the domain's settings of an evaluation have ``other``.

        Args:
            runs: all that the model consists of, by name, none of which may have seen the data; those of an ensemble
                read them, and its baselines are, like the first.

        Raises:
            InputError: where there is nothing to score on, or what is to be scored was trained on.
        """
        raise NotImplementedError(f"domain {self.name!r} scores no other data")

    def evaluate_folds(self, folds: Sequence[tuple[Model, C, Facts]], options: EvaluateOptions) -> Report:
        """Scores the models of a cross-validation, each on its own split, as if one model had predicted all.

        Only where the domain's settings have ``parts``.
        """
        raise NotImplementedError(f"domain {self.name!r} has no folds")

    def measure(self, options: Any, folder: Path | None) -> Mapping[str, Any]:
        """Measures a stored prediction; writes tables and figures into ``folder``, if any. Plain JSON.

        Only where the domain's card has settings for it.

        Raises:
            InputError: for what it cannot measure, or cannot write.
        """
        raise NotImplementedError(f"domain {self.name!r} measures nothing")

    def example(self, model: Model, config: C, facts: Facts) -> Any:
        """A field like those that training feeds to the network, a batch of one; the geometry's own by default."""
        return model.geometry.example(int(model.net.c_in), seed=0)  # type: ignore[arg-type]
