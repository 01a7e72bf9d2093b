"""Interface of a domain: from files to a trained model and back to files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from torch import nn

from multiunet.domains.cases import Album
from multiunet.domains.config import EvaluateOptions, PredictOptions
from multiunet.domains.labelled import Baseline, Labelled, Piece
from multiunet.domains.model import DEFAULT_BUDGET, Budget, C, Info, Model, Planned, Preparation
from multiunet.domains.summary import summarise_split, summarise_target
from multiunet.errors import InputError
from multiunet.prediction import PredictionStore
from multiunet.prediction.portable import PortableModel
from multiunet.progress import SILENT, Progress
from multiunet.tasks import Task
from multiunet.training.data import TrainingData

if TYPE_CHECKING:
    from multiunet.domains.generators import Generators
    from multiunet.domains.question import Question
    from multiunet.domains.side_score import SideScore

P = TypeVar("P", bound=PredictOptions)

Validator = Callable[[nn.Module], Mapping[str, Any]]
"""Scores a network on the validation split; called with the network in evaluation mode and gradients off. Scores are
numbers, None where undefined, or lists of such by class or by quantity."""


class Domain(ABC, Generic[C, P, Info]):
    """A user's world. One instance serves one command; it may keep what it has read, and nothing else."""

    name: str
    info_type: type[Info]
    """Type of the dataset info of this domain's runs."""
    predicts_regions: ClassVar[bool] = False
    """Whether sums are over regions of an item, its sites in a row, rather than over all of its sites."""

    @property
    def generators(self) -> Generators[C, Info] | None:
        """Sampling and scores of its generators; None where it has none."""
        return None

    def reading_like(self, net: nn.Module, info: Info, first: Info) -> nn.Module:
        """Return the network of a run with this info, for input as the first run reads it; by default itself."""
        return net

    def ways(self, config: C, info: Info, options: PredictOptions | EvaluateOptions) -> tuple[str, ...]:
        """Say in words what of a prediction is not the run's default; each way is calibrated by itself.

        Not said is what the weights and the number of samples say already.
        """
        return options.other_samples()

    @abstractmethod
    def inspect(self, config: C) -> Info:
        """Read and check all data that training needs; write nothing.

        Raises:
            InputError: for anything that would make training fail or its result meaningless.
        """

    def check(self, config: C) -> Mapping[str, Any]:
        """Look at all data of a training, without training; return facts and warnings, plain JSON.

        Only where the domain's spec says that it checks. ``usable`` is false where training would be refused.
        """
        raise NotImplementedError

    def plan(self, config: C, info: Info, before: Info | None) -> Planned[C, Info]:
        """Decide what the settings leave open, from the data and the memory there is; change nothing.

        Args:
            before: info of the run that goes on, which stays what it was; None: a new one.

        Raises:
            InputError: for what cannot be: given settings that do not fit, too little memory.
        """
        return Planned(config, info)

    def check_shared(self, config: C, info: Info) -> None:
        """Check that several processes can share out the batches of a step; by default they can.

        Raises:
            InputError: where they cannot, with what to do instead.
        """

    def tune(self, planned: Planned[C, Info]) -> Planned[C, Info]:
        """Decide what only trials on this machine tell, before a new run begins; by default nothing."""
        return planned

    def summarise(self, config: C, info: Info) -> dict[str, str]:
        """Return what the data are, and what is learnt from them, in a line each by what it is about."""
        return {"data": summarise_split(info, "item"), "learns": summarise_target(info)}

    def begin(self, model: Model, config: C) -> str:
        """Give a new model the weights that the domain's own settings name; say so in words.

        Raises:
            InputError: for weights that are not there, or do not fit.
        """
        return ""

    @abstractmethod
    def build(self, config: C, info: Info) -> Model:
        """Build the untrained model; changes nothing. Needs no data: prediction rebuilds it from a run folder."""

    def prepare(self, model: Model, config: C, info: Info, run: Path, budget: Budget, progress: Progress) -> None:
        """Train what the model is built on before itself, in a folder of its run; by default nothing."""

    def preparations(self, model: Model, config: C, info: Info, budget: Budget) -> Sequence[Preparation]:
        """Return what ``prepare`` trains, so that its time can be estimated; by default nothing."""
        return ()

    @abstractmethod
    def training_data(self, config: C, info: Info, model: Model, budget: Budget = DEFAULT_BUDGET) -> TrainingData[Any]:
        """Return what the loop draws samples from."""

    @abstractmethod
    def validator(self, config: C, info: Info, model: Model, budget: Budget = DEFAULT_BUDGET) -> Validator | None:
        """Return what scores a network on the validation split; None where that split is empty.

        ``loss`` and the task's monitor are among the scores.
        """

    def watcher(
        self, config: C, info: Info, model: Model, run: Path, budget: Budget = DEFAULT_BUDGET
    ) -> Callable[[nn.Module, int], object] | None:
        """Return what looks at the network after validated epochs, see ``fit``; by default nothing does.

        Args:
            run: its folder, into which that may write.
        """
        return None

    @abstractmethod
    def inputs(self, config: C, info: Info, options: P) -> list[str]:
        """Return the names of what ``predict`` would predict; read and check it all, write nothing.

        Raises:
            InputError: for an input that cannot be predicted.
        """

    @abstractmethod
    def predict(
        self, model: Model, config: C, info: Info, options: P, store: PredictionStore, progress: Progress
    ) -> None:
        """Predict everything that ``options`` names into the store, and tell ``progress`` how far it is."""

    @abstractmethod
    def export(self, prediction: Path, folder: Path, info: Info, options: P | None = None) -> list[Path]:
        """Write a finished prediction in the domain's own formats; return the files.

        Args:
            options: of the prediction, where they say what is to be written; None: what is by default.
        """

    @abstractmethod
    def read(self, config: C, info: Info, options: Any) -> Labelled:
        """Read and check the labelled data that the options of an evaluation name: a split, or other data.

        A split is read again from the files of the training, and refused where these have changed.

        Raises:
            InputError: where there is nothing to score on.
        """

    @abstractmethod
    def predict_labelled(
        self, model: Model, config: C, info: Info, data: Labelled, options: Any, progress: Progress = SILENT
    ) -> Iterator[Piece]:
        """Predict labelled data piece by piece, as ``predict`` would with the same samples, seed and device."""

    def predict_sites(self, model: Model, config: C, info: Info, data: Labelled, options: Any) -> Iterator[Piece]:
        """Predict the moments of labelled sites, which a calibration is fitted to.

        By default as ``predict_labelled``, which may score something else: objects, say.
        """
        return self.predict_labelled(model, config, info, data, options)

    def album(self, model: Model, info: Info, data: Labelled) -> Album | None:
        """Return an empty collector of pictures of these data while they are scored; by default none."""
        return None

    def side_score(self, config: C, info: Info, data: Labelled) -> SideScore | None:
        """Return an empty score of the domain's own for these data; None where there is none."""
        return None

    @abstractmethod
    def fit_baselines(self, task: Task, config: C, info: Info) -> Mapping[str, Baseline]:
        """Fit trivial methods to the training split; by name."""

    def measure(self, options: Any, folder: Path | None) -> Mapping[str, Any]:
        """Measure a stored prediction; write tables and figures into ``folder``, if any. Return plain JSON.

        Only where the domain's spec has settings for it.

        Raises:
            InputError: for what it cannot measure, or cannot write.
        """
        raise NotImplementedError(f"domain {self.name!r} measures nothing")

    def answer(self, model: Model, config: C, info: Info, question: Question) -> Mapping[str, Any]:
        """Answer a question of the domain's spec: write what it asks for, and return plain JSON.

        Raises:
            InputError: for what cannot be answered, or cannot be written.
        """
        raise NotImplementedError(f"domain {self.name!r} answers no questions")

    def portable(self, model: Model, config: C, info: Info, options: Any) -> PortableModel:
        """Return the model as one network from raw inputs to moments, which can be exported.

        Args:
            options: of an evaluation: which views are averaged, say.

        Raises:
            InputError: for a model that no exported file can hold.
        """
        raise InputError(
            f"runs of domain {self.name!r} cannot be exported: what `torch.export` and ONNX hold are networks on "
            "grids, and a graph's sites and edges differ from one input to the next; predict with the run itself"
        )

    def example(self, model: Model, config: C, info: Info) -> Any:
        """Return a field as training feeds it to the network, a batch of one; by default the geometry's."""
        return model.geometry.example(int(model.net.in_channels), seed=0)  # type: ignore[arg-type]
