"""Networks that take raw inputs and state moments in the target's units: what an exported file holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from multiunet.prediction.ensemble import members, tasks_of
from multiunet.tasks import Task
from multiunet.uncertainty import Calibration
from multiunet.uncertainty.moments import Welford

MOMENTS = ("mean", "aleatoric", "total")
"""Outputs of every exported model, in this order; of classes, or of labels, ``class`` comes behind them."""


@dataclass(frozen=True)
class PortableInput:
    """Input of an exported model.

    Attributes:
        name: of the input.
        axes: a name for each of its axes.
        example: values of its type; of ``sizes`` any numbers of sites are as good.
        sizes: names of the axes whose size may be any.
    """

    name: str
    axes: tuple[str, ...]
    example: Tensor
    sizes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PortableModel:
    """Model ready to be exported.

    Attributes:
        module: takes the inputs, one by one, and returns the outputs that ``outputs`` names.
        output_axes: a name for each axis of the moments; ``class`` of a site has no second one.
        facts: plain JSON that the file keeps, by name.
        spacing: distance of neighbouring sites by axis, micrometres; None: not known.
        make_example: returns a test input, ``(channels, *space)``, from a file, or one that shows nothing of the data;
            None: the model takes no images.
    """

    module: Portable
    inputs: tuple[PortableInput, ...]
    output_axes: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    spacing: Sequence[float] | None = None
    make_example: Callable[[Path | None], NDArray[np.float32]] | None = None

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs, in their order."""
        return (*MOMENTS, "class") if self.module.task.kind == "segmentation" else MOMENTS


class Portable(nn.Module):
    """Network, or ensemble, from raw inputs to moments.

    They are those that ``predict_field`` gives of one sample of each member.

    Args:
        read: makes the network's input ``(1, channels, *space)`` of raw inputs.
        net: in evaluation mode; an ``Ensemble`` has its own tasks.
        calibration: correction of the moments; None: they stay as the networks state them.
    """

    def __init__(self, read: nn.Module, net: nn.Module, task: Task, calibration: Calibration | None = None) -> None:
        super().__init__()
        self.read, self.net, self.task, self.calibration = read, net, task, calibration

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return mean, aleatoric and total variance, ``(1, names, *space)``, and the class where there is one."""
        field, stream = self.read(*inputs), Welford()
        for net, task in zip(members(self.net), tasks_of(self.net, self.task)):
            stream.add(*task.distribution(net(field)))
        moments = stream.moments()
        if self.calibration is not None:
            moments = self.calibration.apply(moments)
        decision = self.task.decide(moments.mean, self.calibration)
        found = (moments.mean, moments.aleatoric, moments.total)
        return found if decision is None else (*found, decision)


class Standardise(nn.Module):
    """Map ``(raw - mean) / deviation``, by channel, of ``(1, channels, *space)``.

    Args:
        mean, deviation: one number a channel.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        for name, numbers in (("mean", mean), ("deviation", deviation)):
            self.register_buffer(name, torch.tensor(list(numbers), dtype=torch.float32))

    def forward(self, raw: Tensor) -> Tensor:
        return _standardise(raw, self.mean, self.deviation)


class StandardiseEach(nn.Module):
    """The same by moments ``(channels,)`` that come with each input: of the image that a tile is of.

    Where the given deviations are 0, mean and deviation are those of the input itself.
    """

    def forward(self, raw: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
        sites = tuple(range(2, raw.ndim))
        own_mean = raw.mean(dim=(0, *sites))
        own = _standardise(raw, own_mean, torch.ones_like(own_mean)).square().mean(dim=(0, *sites)).sqrt()
        own = torch.where(own > 0, own, torch.ones_like(own))
        given = deviation > 0
        return _standardise(raw, torch.where(given, mean, own_mean), torch.where(given, deviation, own))


class StandardiseOwn(nn.Module):
    """Map the same by mean and deviation of the input itself, by channel."""

    def forward(self, raw: Tensor) -> Tensor:
        none = torch.zeros(raw.shape[1], dtype=raw.dtype, device=raw.device)
        standardised: Tensor = StandardiseEach()(raw, none, none)
        return standardised


def _standardise(raw: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    shape = (-1, *(1,) * (raw.ndim - 2))
    return (raw - mean.reshape(shape)) / deviation.reshape(shape)
