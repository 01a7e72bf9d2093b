"""Interface of a domain's generators: what is done with runs that make new samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Generic, TypeVar

from multiunet.domains.config import TrainConfig
from multiunet.domains.info import DatasetInfo
from multiunet.domains.model import Model
from multiunet.domains.result import Report
from multiunet.domains.unfinished import Unfinished
from multiunet.prediction import PredictionStore
from multiunet.progress import SILENT, Progress

C = TypeVar("C", bound=TrainConfig)
Info = TypeVar("Info", bound=DatasetInfo)


class Generators(ABC, Generic[C, Info]):
    """Sampling, exports and scores of a domain's trained generators."""

    def open_samples(self, out: Path, attrs: Mapping[str, Any], overwrite: bool) -> AbstractContextManager[Any]:
        """Return what samples are written into, entered while they are made; by default a Zarr store.

        Args:
            attrs: kept with the samples, where there is a place for it: the run, its weights, the seed.

        Raises:
            InputError: when ``out`` exists or cannot be written.
        """
        return PredictionStore(out, attrs, overwrite)

    @abstractmethod
    def names(self, config: C, info: Info, options: Any) -> list[str]:
        """Return the names of the conditions that ``sample`` would make samples of; read and check it all.

        Raises:
            InputError: for a condition that the run does not know.
        """

    @abstractmethod
    def forecast(self, model: Model, config: C, info: Info, options: Any) -> dict[str, str]:
        """Return the size of samples and what they take, a line each by its subject.

        Raises:
            InputError: for too little memory.
        """

    @abstractmethod
    def sample(
        self, model: Model, config: C, info: Info, options: Any, store: Any, kept: Unfinished, progress: Progress
    ) -> None:
        """Make the samples that ``options`` ask for, into the store.

        Args:
            store: of ``open_samples``.
            kept: the samples that are done, and the state of those under way.
        """

    def export(self, samples: Path, folder: Path, config: C, info: Info, options: Any) -> list[Path]:
        """Write finished samples in the domain's own formats; return the files. By default there are none.

        Args:
            options: of the samples.
        """
        return []

    @abstractmethod
    def score(self, model: Model, config: C, info: Info, options: Any, progress: Progress = SILENT) -> Report:
        """Score a generator on a split of its run, beside trivial methods.

        Raises:
            InputError: where there is nothing to score on.
        """
