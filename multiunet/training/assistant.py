"""Training as the other processes of a group take part in it."""

from __future__ import annotations

from typing import Any

from torch import nn

from multiunet.core import Geometry
from multiunet.tasks import Objective, Opponent
from multiunet.training.data import TrainingData
from multiunet.training.processes.together import Together
from multiunet.training.recipe import Recipe
from multiunet.training.signals import StopRequest
from multiunet.training.stepper import Stepper


def assist(
    net: nn.Module,
    task: Objective,
    geometry: Geometry[Any],
    data: TrainingData[Any],
    recipe: Recipe,
    group: Together,
    request: StopRequest,
    opponent: Opponent | None = None,
) -> None:
    """Take the steps that the first process of the group orders, until it ends the training.

    All but the device are as the first process has them. The network ends with the same weights as there.

    Args:
        request: a signal to this process, which stops the training of all.

    Raises:
        RunError: when the first process ended without a word, or with an error.
        Stopped: when it was stopped.
    """
    checkpoint = group.receive_start()
    stepper = Stepper(net, task, geometry, data, recipe, opponent, group, checkpoint.state["compute"])
    stepper.restore(checkpoint)
    place: tuple[int, int] | None = None
    with stepper.stopping_workers():
        while (order := group.receive_order()).kind == "step":
            if place != (order.epoch, order.step):
                stepper.begin(order.epoch, order.step)
            stepper.take(order, request.signum)
            place = (order.epoch, order.step + 1)
