"""Time that a training will take, of a few steps that are tried."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from multiunet.domains.domain import Domain
from multiunet.domains.model import Budget, Model, Preparation
from multiunet.training.processes.place import find_wanted
from multiunet.training.recipe import Recipe
from multiunet.training.step_time import measure_step
from multiunet.wording import counted, duration


@dataclass(frozen=True)
class StepTime:
    """Time of a step, and how long a training of such steps is.

    Attributes:
        seconds: of a step.
        steps: of an epoch.
    """

    seconds: float
    steps: int
    recipe: Recipe

    @property
    def whole(self) -> float:
        """Return the seconds of the whole training, without those of validations where epochs are counted."""
        if self.recipe.minutes is not None:
            return 60 * self.recipe.minutes
        return self.seconds * self.steps * self.recipe.epochs

    def describe(self) -> str:
        """Say how long the training takes."""
        tried = f"{self.seconds:.2g} s a step"
        if self.recipe.minutes is not None:
            epochs = max(1, round(self.whole / (self.seconds * self.steps)))
            return f"{duration(self.whole)} by the clock: {counted(epochs, 'epoch')} at most ({tried})"
        most = self.seconds * self.steps * (self.recipe.most_epochs or 0)
        longer = f", up to {duration(most)} while validation improves," if most else ""
        return f"about {duration(self.whole)}{longer} without validation ({tried})"


TRIED = "; tried for a few steps on this machine, as busy as it is now"


def describe_time(domain: Domain[Any, Any, Any], model: Model, config: Any, info: Any, budget: Budget) -> str:
    """Say how long a training will take here, with what comes before it."""
    data = domain.training_data(config, info, model, budget)
    processes = find_wanted(config.device, config.devices, config.nodes).processes
    own = Preparation("the training", model.net, model.task, model.geometry, data, config.recipe(), processes)
    before = domain.preparations(model, config, info, budget)
    found = {part.name: _try(part) for part in (*before, own)}
    if not before:
        return found[own.name].describe() + TRIED
    parts = [f"{name} {time.describe()}" for name, time in found.items()]
    return f"about {duration(sum(time.whole for time in found.values()))} in all: {', then '.join(parts)}{TRIED}"


def _try(part: Preparation) -> StepTime:
    seconds = measure_step(part.net, part.task, part.geometry, part.data, part.recipe)
    batches = part.recipe.accumulate
    seconds *= math.ceil(batches / part.processes) / batches
    return StepTime(seconds, part.recipe.steps(len(part.data)), part.recipe)
