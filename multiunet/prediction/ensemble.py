"""Ensembles: several trained networks as one predictor."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import nn

from multiunet.core.receptive_field import ReceptiveField, receptive_field
from multiunet.tasks import Task


class Ensemble(nn.Module):
    """Trained networks of the same input and output names, each with its own task, which knows its scale.

    Lakshminarayanan et al. 2017, "Simple and scalable predictive uncertainty estimation using deep ensembles": the
    prediction is the even mixture of all members' distributions, Monte-Carlo samples of each included, so that the
    epistemic variance holds what the members disagree about, too.

    Raises:
        ValueError: without members, or when they name their outputs differently.
    """

    def __init__(self, nets: Sequence[nn.Module], tasks: Sequence[Task]) -> None:
        super().__init__()
        if not nets or len(nets) != len(tasks):
            raise ValueError(
                f"an ensemble of {len(nets)} networks and {len(tasks)} tasks; give a task for each network"
            )
        if len({tuple(task.names) for task in tasks}) > 1:
            raise ValueError(f"the members name their outputs differently: {[list(task.names) for task in tasks]}")
        self.nets = nn.ModuleList(nets)
        self.tasks = tuple(tasks)

    def mapped(self, change: Callable[[nn.Module], nn.Module]) -> Ensemble:
        """Return the ensemble of the changed networks."""
        return Ensemble([change(net) for net in self.nets], self.tasks)

    def divided(self, change: Callable[[nn.Module], Sequence[nn.Module]]) -> Ensemble:
        """Return the ensemble in which each network is replaced by several, such as its views of an input."""
        parts = [(part, task) for net, task in zip(self.nets, self.tasks) for part in change(net)]
        return Ensemble([part for part, _ in parts], [task for _, task in parts])

    def receptive_field(self) -> ReceptiveField:
        """Return the members' receptive field on a grid: the farthest halo, a stride that suits each.

        Raises:
            ValueError: when the members' outputs are of different resolutions.
        """
        seen = [receptive_field(net) for net in self.nets]
        if len({one.output_stride for one in seen}) > 1:
            raise ValueError("the members' outputs have different resolutions")
        return ReceptiveField(
            tuple(map(max, *[one.radius for one in seen], seen[0].radius)),
            tuple(map(math.lcm, *[one.tile_stride for one in seen], seen[0].tile_stride)),
            seen[0].output_stride,
            all(one.exact for one in seen),
            any(one.both_ends for one in seen),
            min((one.everywhere for one in seen if one.everywhere is not None), key=math.prod, default=None),
        )


def members(net: nn.Module) -> list[nn.Module]:
    """Return the networks of an ensemble; of another network, itself."""
    return list(net.nets) if isinstance(net, Ensemble) else [net]


def tasks_of(net: nn.Module, task: Task) -> list[Task]:
    """Return the tasks of an ensemble's members; of another network, ``task``."""
    return list(net.tasks) if isinstance(net, Ensemble) else [task]
