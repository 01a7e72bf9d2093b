"""Model of a domain, and what is decided before it is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from torch import nn

from multiunet.core import Geometry
from multiunet.domains.config import TrainConfig
from multiunet.domains.info import DatasetInfo
from multiunet.tasks import Objective, Opponent, Task
from multiunet.training.data import TrainingData
from multiunet.training.recipe import Recipe
from multiunet.uncertainty import Calibration
from multiunet.uncertainty.statements import Statement

C = TypeVar("C", bound=TrainConfig)
Info = TypeVar("Info", bound=DatasetInfo)


@dataclass(frozen=True)
class Model:
    """A network with the meaning of its input (geometry) and of its output (task).

    Attributes:
        calibration: correction of its predictions; None: they stay as they are.
        statements: what a stored prediction says of each site beside its moments.
        opponent: second network that trains with it; predictions do without.
    """

    net: nn.Module
    task: Task
    geometry: Geometry[Any]
    calibration: Calibration | None = None
    statements: tuple[Statement, ...] = ()
    opponent: Opponent | None = None


@dataclass(frozen=True)
class Budget:
    """Memory that a training may use beside the network's steps, as its plan decided.

    Attributes:
        cache: bytes of items (images, say) that each process keeps in memory; None: the domain's default.
        sites: pixels or bases that validation predicts at once; None: the domain's default.
    """

    cache: int | None = None
    sites: int | None = None


DEFAULT_BUDGET = Budget()


@dataclass(frozen=True)
class Planned(Generic[C, Info]):
    """Settings with nothing left open, the info with what was decided and why, and memory to use."""

    config: C
    info: Info
    budget: Budget = DEFAULT_BUDGET


@dataclass(frozen=True)
class Preparation:
    """Training that comes before that of the model.

    Attributes:
        name: of what is trained.
        processes: that share out the batches of a step.
    """

    name: str
    net: nn.Module
    task: Objective
    geometry: Geometry[Any]
    data: TrainingData[Any]
    recipe: Recipe
    processes: int = 1
